"""Time `Locator.predict`: `python -m bench.latency [--cap avx2-vnni] [--threads 2]`.

Whole predictions, letterbox and decode included, of one generated picture of 340 x 190 pixels.
Before timing, the bundle's golden picture must get its golden answer; every timed answer must equal
the first one. The output names the machine: figures of different machines are not comparable.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino

from bench.cap import UNCAPPED, add_cap, current_cap, start_anew_under
from runtime import Bundle, Locator
from runtime.bundle import default_bundle_path
from runtime.geometry import Picture
from runtime.targets import CAPPED, TWO_THREADS, target
from train.synth import Sample, SynthOptions, render

PICTURE_WIDTH, PICTURE_HEIGHT = 340, 190
WARM_UP, REPEATS = 50, 500
GOLDEN_TOLERANCE_PX = 1.0


@dataclass(frozen=True)
class Latency:
    """Percentiles of whole predictions, milliseconds."""

    precision: str
    p50_ms: float
    p95_ms: float
    p99_ms: float


def sample(width: int = PICTURE_WIDTH, height: int = PICTURE_HEIGHT) -> Sample:
    """The generated picture of that size, pixels, with its truth."""
    aspect = width / height
    return render(0, 1, SynthOptions(width_px=(width, width), aspect=(aspect, aspect)))


def picture(width: int = PICTURE_WIDTH, height: int = PICTURE_HEIGHT) -> Picture:
    """The timed picture, uint8 BGR [height, width, 3]."""
    return sample(width, height).picture


def check_golden(locator: Locator, bundle: Bundle, precision: str) -> None:
    """Raise AssertionError unless the bundle's golden picture gets its golden answer."""
    golden = bundle.manifest.golden
    assert golden is not None, f"{bundle.directory} has no golden picture"
    found = locator.predict(bundle.read_golden(golden)).to_dict()
    for point in ("gap", "slider"):
        expected = golden.answer[precision][point]
        error_px = np.hypot(*(found[point][axis] - expected[axis] for axis in "xy"))
        assert error_px <= GOLDEN_TOLERANCE_PX, f"{precision} {point}: {error_px:.2f} px off"


def measure(bundle_dir: Path, precision: str, threads: int, repeats: int = REPEATS) -> Latency:
    """Percentiles over `repeats` predictions of `picture()` after a warm-up.

    Raises AssertionError when an answer is not the expected one.
    """
    with Locator(precision, device="cpu", bundle=bundle_dir, threads=threads) as locator:
        check_golden(locator, Bundle.open(bundle_dir), precision)
        pixels = picture()
        first = locator.predict(pixels)
        for _ in range(min(WARM_UP, repeats)):
            locator.predict(pixels)
        times_ms = []
        for _ in range(repeats):
            start = time.perf_counter()
            answer = locator.predict(pixels)
            times_ms.append(1e3 * (time.perf_counter() - start))
            assert answer == first
    p50, p95, p99 = np.percentile(times_ms, [50, 95, 99])
    return Latency(precision, float(p50), float(p95), float(p99))


def machine() -> str:
    """One line: processor, instruction-set cap, versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    cpus = len(names) or os.cpu_count()
    return f"{name}, {cpus} CPUs, ISA cap {current_cap()}, openvino {openvino.__version__}"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; with --cap it starts itself anew, since the cap must be set before loading."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=default_bundle_path(), metavar="DIR")
    parser.add_argument("--threads", type=int, default=2)
    add_cap(parser)
    options = parser.parse_args(argv)
    start_anew_under(options.cap, "bench.latency")
    sys.stdout.write(
        f"{machine()}\n{PICTURE_WIDTH} x {PICTURE_HEIGHT}, {options.threads} threads\n"
    )
    rows = {}
    for precision in Bundle.open(options.bundle).precisions:
        row = rows[precision] = measure(options.bundle, precision, options.threads)
        figures = f"p50 {row.p50_ms:.2f} ms  p95 {row.p95_ms:.2f} ms  p99 {row.p99_ms:.2f} ms"
        sys.stdout.write(f"{row.precision:<6}{figures}\n")
    if rows.keys() >= {"fp32", "int8"}:
        sys.stdout.write(f"{speedup(rows['fp32'], rows['int8'], current_cap())}\n")
    return 0


def speedup(fp32: Latency, int8: Latency, cap: str) -> str:
    """How many times as fast INT8 is, and what is aimed at under that cap."""
    times = fp32.p50_ms / int8.p50_ms
    aimed = target(TWO_THREADS if cap == UNCAPPED else CAPPED, "times_faster_than_fp32")
    verdict = "reached" if aimed.met_by(times) else "missed"
    return f"int8 is {times:.2f} times as fast as fp32; target {aimed.limit:g}: {verdict}"


if __name__ == "__main__":
    sys.exit(main())
