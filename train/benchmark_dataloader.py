"""Where the data time goes, and what it costs the training.

    python -m train.benchmark_dataloader --config train/configs/smoke.yaml [--json]

First the stages that make a picture ready, each alone in one process. Then the training itself,
real steps of the configured network, on batches that lie in memory, on a data set folder, on its
cache and on pictures generated on the fly: how fast, and how long it waits for them. Without
`data.dataset` a folder of generated pictures is made for the measurement.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from runtime.cpus import default_threads
from runtime.errors import LocatorError
from train import data, distributed
from train.augment import augment
from train.canvas import prepare
from train.config import Config, ConfigError, load_config
from train.data import Batch
from train.generation import Job, generate
from train.resources import resolved
from train.source import SampleSource
from train.state import TrainState
from train.step import train_step

_WARM_UP = 3  # steps before the clock starts
_STAGE_PICTURES = 64  # looked at, stage by stage

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True)
class Throughput:
    """How training went from one kind of source: milliseconds are of one picture's share.

    of_memory: its speed relative to batches that lie in memory, 1 for as fast.
    """

    source: str
    pictures_per_s: float
    of_memory: float
    waiting_ms: float
    training_ms: float


@dataclass(frozen=True)
class Sources:
    """The same pictures from a folder and from its cache, and others drawn on the fly."""

    folder: SampleSource
    cache: SampleSource
    on_the_fly: SampleSource


def make_sources(config: Config, pictures: int, directory: Path) -> Sources:
    """The sources to compare; without a configured data set one is generated in `directory`."""
    drawn = _with_data(config, dataset=None, validation_dataset=None, pictures_per_epoch=None)
    on_the_fly, _ = data.sources(drawn)
    assert isinstance(on_the_fly, data.GeneratedPictures)
    dataset = config.data.dataset
    if dataset is None:
        job = Job(directory, config.data.seed, on_the_fly.options, on_the_fly.backgrounds)
        generate(job, pictures, default_threads())
        dataset = str(directory)
    read = {"dataset": dataset, "validation_dataset": dataset, "pictures_per_epoch": None}
    folder, _ = data.sources(_with_data(config, **read, cache=False))
    cache, _ = data.sources(_with_data(config, **read, cache=True))
    return Sources(folder, cache, on_the_fly)


def _with_data(config: Config, **values: Any) -> Config:
    return config.model_copy(update={"data": config.data.model_copy(update=values)})


def stage_ms(sources: Sources, batch_size: int) -> dict[str, float]:
    """Milliseconds that each stage takes for one picture, one after another in this process."""
    showing = sources.folder.showing
    count = min(_STAGE_PICTURES, sources.folder.pictures_per_epoch)
    times = {}
    _, times["generating"] = _each(sources.on_the_fly.sample, range(count))
    samples, times["decoding"] = _each(sources.folder.sample, range(count))
    items, times["letterboxing"] = _each(lambda one: prepare(one, showing.canvas_scale), samples)
    rng = np.random.default_rng(0)
    items, times["augmenting"] = _each(lambda one: augment(*one, showing.augmentation, rng), items)
    batches = [items[start : start + batch_size] for start in range(0, count, batch_size)]
    _, collating = _each(data.collate, batches)
    times["collating"] = collating * len(batches) / count
    return times


def _each(make: Callable[[_In], _Out], inputs: Sequence[_In]) -> tuple[list[_Out], float]:
    """What `make` gives for each input, and the mean time in milliseconds."""
    began = time.perf_counter()
    outputs = [make(one) for one in inputs]
    return outputs, 1000 * (time.perf_counter() - began) / len(inputs)


def compare(config: Config, sources: Sources, steps: int) -> list[Throughput]:
    """Trains `steps` steps from memory, folder, cache and the generator, in this order.

    config: as `resources.resolved` returns it.
    """
    state = TrainState(config, distributed.device())
    state.to_training_mode()
    size = state.batch_size

    def batches(source: SampleSource, pictures: int) -> Iterator[Batch]:
        return iter(data.loader(source, 0, pictures, size, config.data.workers))

    for _ in batches(sources.cache, sources.cache.pictures_per_epoch):
        pass  # the first epoch fills the cache
    kept = list(batches(sources.folder, _WARM_UP * size))
    rows: list[Throughput] = []
    for name in ("memory", "folder", "cache", "on the fly"):
        source = getattr(sources, name.replace(" ", "_"), None)
        # Begun only now: nobody else's processes run meanwhile.
        stream = batches(source, (_WARM_UP + steps) * size) if source else cycle(kept)
        waiting, training = _train(state, stream, steps)
        speed = steps * size / (waiting + training)
        of_memory = speed / rows[0].pictures_per_s if rows else 1.0
        per_picture = 1000 / (steps * size)
        rows.append(
            Throughput(name, speed, of_memory, waiting * per_picture, training * per_picture)
        )
    return rows


def _train(state: TrainState, stream: Iterator[Batch], steps: int) -> tuple[float, float]:
    """Seconds spent waiting for batches and training on them, the first few left out."""
    waiting = training = 0.0
    for step in range(_WARM_UP + steps):
        began = time.perf_counter()
        batch = next(stream)
        received = time.perf_counter()
        train_step(state, [batch])
        if step >= _WARM_UP:
            waiting += received - began
            training += time.perf_counter() - received
    return waiting, training


def table(stages: dict[str, float], rows: Sequence[Throughput]) -> str:
    """Both results as text."""
    lines = [f"{'stage':<14}{'ms a picture':>14}"]
    lines += [f"{name:<14}{ms:>14.2f}" for name, ms in stages.items()]
    heads = ("pictures/s", "of memory", "waiting ms", "training ms")
    lines += ["", f"{'training from':<14}" + "".join(f"{head:>14}" for head in heads)]
    lines += [
        f"{row.source:<14}{row.pictures_per_s:>14.1f}{row.of_memory:>14.0%}"
        f"{row.waiting_ms:>14.2f}{row.training_ms:>14.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.benchmark_dataloader",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, help="as for python -m train")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--pictures", type=int, default=256, help="to generate for the folder")
    parser.add_argument("--steps", type=int, default=40, help="to train from each source")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when measured, 2 with one line on stderr when something was wrong."""
    arguments = _parser().parse_args(argv)
    try:
        config = load_config(arguments.config, arguments.set)
        if config.training.threads is not None:
            torch.set_num_threads(config.training.threads)
        with tempfile.TemporaryDirectory() as directory:
            sources = make_sources(config, arguments.pictures, Path(directory))
            # An epoch of generated pictures is long enough for any batch.
            per_epoch = sources.on_the_fly.pictures_per_epoch
            config = resolved(config, distributed.device(), per_epoch)
            assert config.training.batch_size is not None
            stages = stage_ms(sources, config.training.batch_size)
            rows = compare(config, sources, arguments.steps)
    except (ConfigError, LocatorError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        result = {"stages_ms": stages, "throughput": [asdict(row) for row in rows]}
        print(json.dumps(result, indent=1))
    else:
        print(table(stages, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
