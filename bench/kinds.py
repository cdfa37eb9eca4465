"""Both kinds of network trained on one budget: `python -m bench.kinds`.

The same pictures in the same order on canvases of half the size, procedural backgrounds alone, the
same schedule, one epoch; the averaged weights are then measured on pictures of their own. So few
pictures make no good network; they tell which kind learns faster. Writes docs/kinds.json, which
`python -m bench.report` shows beside the times.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.machine import fingerprint
from bench.report import DOCS, KINDS
from runtime.bundle import default_bundle_path
from train import data, history, loop
from train.arguments import positive
from train.config import ConfigError, parse_config
from train.model import build_model, fold
from train.monitor import console
from train.stop import StopFlag, stop_on_signals

SHOWN = ("val_mae", "val_acc_5px_gap", "val_acc_5px_slider", "val_acc_10px")


def budget(pictures: int, validation_pictures: int, threads: int) -> dict[str, Any]:
    """The configuration that both kinds have in common."""
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
            "cache": True,  # so that the second kind need not wait for the pictures
            "canvas_scale": 2,
            "workers": 1,
        },
    }


def train_both(
    common: dict[str, Any], models: dict[str, dict[str, Any]], stop: StopFlag
) -> dict[str, dict[str, float]]:
    """Kind -> its folded parameters, the pictures it saw, its figures.

    models: kind -> its section of the configuration.
    """
    found = {}
    sources = None
    for kind, model in models.items():
        with tempfile.TemporaryDirectory() as folder:
            config = parse_config(common | {"model": model, "checkpoints": {"save_dir": folder}})
            sources = sources or data.sources(config)
            if not loop.run(config, *sources, stop):
                raise KeyboardInterrupt
            (epoch,) = history.read(Path(folder))
        parameters = sum(p.numel() for p in fold(build_model(config.model)).parameters())
        found[kind] = {
            "parameters": parameters,
            "pictures": common["data"]["pictures_per_epoch"],
            **{name: epoch[name] for name in SHOWN},
        }
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 refused, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.kinds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pictures", type=positive, default=12_800, help="default: 12800")
    parser.add_argument("--validation-pictures", type=positive, default=400, metavar="N")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("-o", "--output", type=Path, default=DOCS / KINDS, metavar="FILE")
    given = parser.parse_args(argv)
    console.set_up(0)
    try:
        with stop_on_signals() as stop:
            common = budget(given.pictures, given.validation_pictures, given.threads)
            models = {"edge": {}, "paper": {"kind": "paper"}}
            kinds = train_both(common, models, stop)
    except KeyboardInterrupt:
        return 130
    except (ConfigError, OSError, FloatingPointError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    document = {"machine": fingerprint(default_bundle_path()), "kinds": kinds}
    given.output.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    sys.stdout.write(json.dumps(kinds, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
