"""A Locator under load: `python -m bench.load [--callers 1 2 4] [--threads 1 2]`.

Callers that each wait for their answer give the capacity; requests that come when they come, at 50,
80 and 95 % of it, give the time until each has its answer, waiting included. One process, one
Locator, a picture of 340 x 190 pixels; every answer is compared.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bench.latency import WARM_UP, check_golden, picture
from runtime import Bundle, Locator
from runtime.bundle import default_bundle_path

SHARES = (0.5, 0.8, 0.95)
SEED = 0


def capacity(locator: Locator, callers: int, seconds: float) -> tuple[float, list[float]]:
    """Answers a second with so many callers at once, and the seconds each answer took."""
    pixels = picture()
    expected = locator.predict(pixels)
    times_s: list[list[float]] = [[] for _ in range(callers)]
    ready = threading.Barrier(callers + 1)

    def call(own: list[float]) -> None:
        for _ in range(WARM_UP):
            locator.predict(pixels)
        ready.wait()
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            assert locator.predict(pixels) == expected
            own.append(time.perf_counter() - start)

    with ThreadPoolExecutor(callers) as pool:
        running = [pool.submit(call, own) for own in times_s]
        ready.wait()
        began = time.perf_counter()
        for one in running:
            one.result()
        took_s = time.perf_counter() - began
    flat = [value for own in times_s for value in own]
    return len(flat) / took_s, flat


def at_rate(locator: Locator, callers: int, rate_hz: float, seconds: float) -> list[float]:
    """Seconds from each request's arrival to its answer; arrivals are random (Poisson)."""
    pixels = picture()
    expected = locator.predict(pixels)
    gaps_s = np.random.default_rng(SEED).exponential(1 / rate_hz, int(rate_hz * seconds))
    due_s = np.cumsum(gaps_s) + time.perf_counter()

    def answer(due: float) -> float:
        assert locator.predict(pixels) == expected
        return time.perf_counter() - due

    with ThreadPoolExecutor(callers) as pool:
        running = []
        for due in due_s:
            time.sleep(max(0.0, due - time.perf_counter()))
            running.append(pool.submit(answer, float(due)))
        return [one.result() for one in running]


def scale(
    bundle_dir: Path, callers: Sequence[int], threads: Sequence[int], seconds: float
) -> dict[str, Any]:
    """Capacity for each number of callers and threads, waiting at a share of the best one's, and
    the most memory the process held, MiB."""
    rows = []
    for thread_count in threads:
        with _checked(bundle_dir, thread_count) as locator:
            for count in callers:
                rate, times_s = capacity(locator, count, seconds)
                row = {"threads": thread_count, "callers": count, "per_second": rate}
                rows.append(row | _percentiles(times_s))
    best = max(rows, key=lambda row: row["per_second"])
    with _checked(bundle_dir, int(best["threads"])) as locator:
        waits = [
            {"share": share, "per_second": share * best["per_second"]}
            | _percentiles(
                at_rate(locator, int(best["callers"]), share * best["per_second"], 2 * seconds)
            )
            for share in SHARES
        ]
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"capacity": rows, "loaded": waits, "peak_memory_mib": peak_kib / 1024}


def _checked(bundle_dir: Path, threads: int) -> Locator:
    locator = Locator("int8", backend="openvino", bundle=bundle_dir, threads=threads)
    check_golden(locator, Bundle.open(bundle_dir), "int8")
    return locator


def _percentiles(times_s: Sequence[float]) -> dict[str, float]:
    p50, p99 = (1e3 * float(value) for value in np.percentile(times_s, [50, 99]))
    return {"p50_ms": p50, "p99_ms": p99, "answers": len(times_s)}


def main(argv: Sequence[str] | None = None, write: Callable[[str], Any] = sys.stdout.write) -> int:
    """Command line; prints JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=default_bundle_path(), metavar="DIR")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each (default: 3)")
    given = parser.parse_args(argv)
    write(json.dumps(scale(given.bundle, given.callers, given.threads, given.seconds)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
