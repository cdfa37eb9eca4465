"""Which network: candidates by time and by what they learn: `python -m bench.frontier`.

    python -m bench.frontier                            how long each takes, with random weights
    python -m bench.frontier --train shipped paper      and what these learn from the same pictures

A candidate's deployed graph is timed in turn with the shipped one's, two threads, INT8 and FP32,
under the AVX2-VNNI cap and without. Those named after --train are then trained from random weights
on one budget: the same generated pictures in the same order, procedural backgrounds alone, canvases
of half the size, one epoch. So few pictures make no good network; they tell which learns faster.

Writes docs/frontier.json and docs/figures/frontier.png, which `python -m bench.report` shows; what
an earlier run found stays, unless it is measured again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from tqdm import tqdm

from bench.cap import AVX2_VNNI, UNCAPPED
from bench.charts import draw_frontier
from bench.machine import fingerprint
from bench.peers import untrained
from bench.report import DOCS, FRONTIER
from bench.worker import Worker, WorkerError, in_turn
from runtime.bundle import default_bundle_path
from runtime.files import write_atomically
from train import data, history, loop
from train.arguments import positive
from train.config import ConfigError, parse_config
from train.monitor import console
from train.prefill import prefill
from train.stop import StopFlag, stop_on_signals
from train.summary import summarise

SHIPPED = "shipped"
# name -> what its configuration's section `model` says beyond the defaults, which are shipped
CANDIDATES: dict[str, dict[str, Any]] = {
    SHIPPED: {},
    "paper": {"kind": "paper"},
    "narrower": {"widths": [16, 32, 96, 192]},
    "wider": {"widths": [16, 64, 160, 192]},
    "wider, no row attention": {"widths": [16, 64, 160, 192], "row_attention": False},
    "one more block at stride 8": {"stage2": [[1, 3]]},
    "one more block at stride 16": {"stage3": [[0, 1, 4]]},
    "one more unit": {"stage4": [[0, 1, 2, 2], [0, 1, 2, 0], [0, 1, 2, 0]]},
    "one unit less": {"stage4": [[0, 1, 2, 2]]},
    "no row attention": {"row_attention": False},
    "no row context": {"row_context": False},
    "wider fusion and head": {"fpn_width": 96},
    "wider stem": {"stem_width": 32, "widths": [32, 48, 128, 192]},
}
TURNS, CALLS = 8, 10
SHOWN = ("val_mae", "val_acc_5px_gap", "val_acc_5px_slider", "val_acc_10px")

Found: TypeAlias = dict[str, Any]


def times_ms(model: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, float]:
    """Median milliseconds of a candidate's engine call, and over the reference's in INT8.

    Both take turns; keys such as `int8_avx2-vnni_ms` and `times_reference_none`.
    """
    found: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        ours, theirs = (
            untrained(parse_config({"model": dict(each)}).model, _made(Path(folder, name)))
            for name, each in (("candidate", model), ("reference", reference))
        )
        for cap in (AVX2_VNNI, UNCAPPED):
            files = {"int8": ours.int8, "fp32": ours.fp32, "reference": theirs.int8}
            with ExitStack() as stack:
                workers = [
                    stack.enter_context(Worker("graph", cap, model=str(file), threads=2))
                    for file in files.values()
                ]
                times = in_turn(workers, CALLS, TURNS)
            medians = {n: statistics.median(t) for n, t in zip(files, times, strict=True)}
            found |= {f"{name}_{cap}_ms": 1e3 * medians[name] for name in ("int8", "fp32")}
            found[f"times_reference_{cap}"] = medians["int8"] / medians["reference"]
    return found


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def budget(pictures: int, validation_pictures: int, threads: int) -> dict[str, Any]:
    """The configuration that all candidates have in common."""
    return {
        "training": {
            "batch_size": 32,
            "num_epochs": 1,
            "amp": True,
            "threads": threads,
            "optimizer": {"lr": 2e-3},
            "scheduler": {"type": "CosineAnnealingLR", "warmup_epochs": 0.1},
            "ema": {"decay": 0.995},
            "augmentation": {"enabled": False},
        },
        "data": {
            "pictures_per_epoch": pictures,
            "distinct_pictures": pictures,
            "validation_pictures": validation_pictures,
            "cache": True,  # made once, for all candidates
            "canvas_scale": 2,
            "workers": 0,
        },
    }


def trained(
    common: dict[str, Any], models: Mapping[str, dict[str, Any]], stop: StopFlag
) -> Iterable[tuple[str, Found]]:
    """Each name with the pictures its network saw and its figures, as they come."""
    sources = None
    for name, model in models.items():
        with TemporaryDirectory() as folder:
            config = parse_config(common | {"model": model, "checkpoints": {"save_dir": folder}})
            if sources is None:
                sources = data.sources(config)
                prefill(sources, stop)
            if not loop.run(config, *sources, stop):
                raise KeyboardInterrupt
            (epoch,) = history.read(Path(folder))
        pictures = common["data"]["pictures_per_epoch"]
        yield name, {"pictures": pictures, **{figure: epoch[figure] for figure in SHOWN}}


def _read(path: Path) -> Found:
    if not path.exists():
        return {}
    candidates: Found = json.loads(path.read_text("utf-8"))["candidates"]
    return {name: found for name, found in candidates.items() if name in CANDIDATES}


def _write(folder: Path, found: Found) -> None:
    document = {"machine": fingerprint(default_bundle_path()), "candidates": found}
    write_atomically(folder / FRONTIER, (json.dumps(document, indent=1) + "\n").encode())
    draw_frontier(found, folder / "figures")


def _run(given: argparse.Namespace, stop: StopFlag) -> None:
    (given.output / "figures").mkdir(parents=True, exist_ok=True)
    found = _read(given.output / FRONTIER)
    for name in tqdm([] if given.no_times else given.candidates, desc="timing"):
        if stop.is_set:
            raise KeyboardInterrupt
        total = summarise(parse_config({"model": CANDIDATES[name]}).model)[-1]
        size = {"parameters": total.parameters, "macs": total.macs}
        times = times_ms(CANDIDATES[name], CANDIDATES[SHIPPED])
        found[name] = found.get(name, {}) | size | times
        _write(given.output, found)  # what is measured is not lost
    common = budget(given.pictures, given.validation_pictures, given.threads)
    for name, figures in trained(common, {name: CANDIDATES[name] for name in given.train}, stop):
        found[name] = found.get(name, {}) | figures
        _write(given.output, found)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 refused, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.frontier",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = list(CANDIDATES)
    timed = parser.add_mutually_exclusive_group()
    timed.add_argument("--candidates", nargs="+", choices=names, default=names, metavar="NAME")
    timed.add_argument("--no-times", action="store_true", help="only train")
    parser.add_argument("--train", nargs="+", choices=names, default=[], metavar="NAME")
    parser.add_argument("--pictures", type=positive, default=12_800, help="default: 12800")
    parser.add_argument("--validation-pictures", type=positive, default=400, metavar="N")
    parser.add_argument("--threads", type=positive, default=2, help="of training")
    parser.add_argument("-o", "--output", type=Path, default=DOCS, metavar="DIR")
    given = parser.parse_args(argv)
    console.set_up(0)
    try:
        with stop_on_signals() as stop:
            _run(given, stop)
    except KeyboardInterrupt:
        return 130
    except (ConfigError, WorkerError, OSError, FloatingPointError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{given.output / FRONTIER}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
