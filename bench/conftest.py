"""How a benchmark is taken: times measured in a worker's process are replayed to the plugin."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

import train
from bench.cap import UNCAPPED
from bench.machine import fingerprint
from bench.worker import Worker
from runtime.bundle import default_bundle_path

SECONDS = 1.5
FEWEST, MOST = 40, 600


class ReplayClock:
    """A clock that stands still but for the durations it is given.

    Times are taken where the work is done, in another process; asking for one takes time as well,
    which must not count.
    """

    def __init__(self) -> None:
        self._now_s = 0.0

    def __call__(self) -> float:
        return self._now_s

    def advance(self, duration_s: float) -> None:
        """Let so much time pass."""
        self._now_s += duration_s


CLOCK = ReplayClock()
Record: TypeAlias = Callable[..., None]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.benchmark(timer=CLOCK, warmup=False))


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    machine_info.clear()  # what the plugin finds out names the host
    machine_info.update(fingerprint(default_bundle_path()))


@pytest.fixture
def record(benchmark: Any) -> Record:
    """`record(times_s, **facts)`: the benchmark's times, and what they are of."""

    def replay(times_s: Sequence[float], **facts: Any) -> None:
        source = iter(times_s)
        benchmark.pedantic(lambda: CLOCK.advance(next(source)), rounds=len(times_s))
        p50, p95, p99 = (1e3 * float(p) for p in np.percentile(times_s, [50, 95, 99]))
        percentiles = {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99}
        benchmark.extra_info.update(percentiles | {"noise": noise(times_s)} | facts)

    return replay


def noise(times_s: Sequence[float]) -> float:
    """How far the medians of five stretches of a run lie from its own, at most; a share of it."""
    whole = statistics.median(times_s)
    if whole == 0:  # what cannot run took no time
        return 0.0
    stretches = [part for part in np.array_split(times_s, 5) if len(part)]
    return max(abs(float(np.median(part)) / whole - 1) for part in stretches)


@pytest.fixture
def timed(record: Record) -> Record:
    """`timed(subject, cap, **options)`: one subject, alone, for about `SECONDS`."""

    def run(subject: str, cap: str = UNCAPPED, **options: Any) -> None:
        with Worker(subject, cap, **options) as worker:
            times_s = worker.times_s(calls_in(SECONDS, worker))
        shown = {name: value for name, value in options.items() if name != "bundle"}
        record(times_s, subject=subject, cap=cap, options=shown, facts=worker.facts)

    return run


def calls_in(seconds: float, worker: Worker) -> int:
    """How many calls take about so long, within `FEWEST` and `MOST`."""
    return min(MOST, max(FEWEST, int(seconds / statistics.median(worker.times_s(10)))))


@pytest.fixture(scope="session")
def bundle() -> str:
    """Folder of the shipped bundle."""
    return str(default_bundle_path())


@pytest.fixture(scope="session")
def shipped_checkpoint() -> str:
    """What the shipped bundle was made from."""
    path = Path(train.__file__).parent / "weights" / "edge.pth"
    assert path.exists(), f"{path} is missing: benchmarks run from a checkout"
    return str(path)
