"""The native library beside the package: `python -m bench.native [--threads 2]`.

Three figures: the time of a whole `predict` of a 340 x 190 picture, native through ctypes and
Python's turn by turn in one process; the time from process start to the first answer, of the
`locate` command without and with its cache folder, and of a Python script (whose cache is always
on); and the sizes of the binaries. Needs the release preset built (docs/native.md).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.latency import WARM_UP, machine, picture
from bench.overhead import python, started_ms
from examples.native.locate_ctypes import BGR, NativeLocator
from runtime import Locator
from runtime.bundle import Bundle, default_bundle_path

BUILD = Path(__file__).parents[1] / "build" / "release"
_PYTHON = """
import sys
from runtime import Locator
Locator("int8", backend="openvino", bundle=sys.argv[1]).predict(sys.argv[2])
"""


def predict_ms(library: Path, bundle_dir: Path, threads: int, repeats: int) -> tuple[float, float]:
    """Medians in milliseconds of a whole prediction: native, and Python's.

    Raises AssertionError when the two do not agree.
    """
    pixels = picture()
    height, width = pixels.shape[:2]
    native_ms, python_ms = [], []
    with (
        Locator("int8", backend="openvino", bundle=bundle_dir, threads=threads) as locator,
        NativeLocator(str(library), str(bundle_dir), threads) as native,
    ):
        for turn in range(WARM_UP + repeats):
            start = time.perf_counter()
            theirs = native.predict_pixels(pixels.ctypes.data, width, height, BGR)
            middle = time.perf_counter()
            ours = locator.predict(pixels)
            end = time.perf_counter()
            assert abs(theirs.gap.x - ours.gap.x) <= 1e-3
            assert abs(theirs.slider.y - ours.slider.y) <= 1e-3
            if turn >= WARM_UP:
                native_ms.append(1e3 * (middle - start))
                python_ms.append(1e3 * (end - middle))
    return statistics.median(native_ms), statistics.median(python_ms)


def first_answer_ms(build: Path, bundle_dir: Path, repeats: int) -> list[float]:
    """Medians in milliseconds of the processes: native, native with a cache folder, Python."""
    golden = Bundle.open(bundle_dir).manifest.golden
    assert golden is not None, f"{bundle_dir} has no golden picture"
    shown = str(bundle_dir / golden.picture)
    native = [str(build / "bin" / "locate"), "--bundle", str(bundle_dir), shown]
    with tempfile.TemporaryDirectory() as cache:
        return started_ms(
            [native, [*native, "--cache-dir", cache], python(_PYTHON, str(bundle_dir), shown)],
            repeats,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; prints the figures, judges none."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.native",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=default_bundle_path(), metavar="DIR")
    parser.add_argument("--build", type=Path, default=BUILD, metavar="DIR")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=500, help="of predict (default: 500)")
    parser.add_argument("--starts", type=int, default=15, help="of each process (default: 15)")
    options = parser.parse_args(argv)
    library = options.build / "lib" / "liblocator.so"
    native, ours = predict_ms(library, options.bundle, options.threads, options.repeats)
    plain, cached, started = first_answer_ms(options.build, options.bundle, options.starts)
    sizes = [path.stat().st_size / 2**20 for path in (library, options.build / "bin" / "locate")]
    sys.stdout.write(
        f"{machine()}, {options.threads} threads\n"
        f"predict: native p50 {native:.2f} ms, Python p50 {ours:.2f} ms: x {native / ours:.2f}\n"
        f"start to first answer: native {plain:.0f} ms, with a cache folder {cached:.0f} ms, "
        f"Python {started:.0f} ms\n"
        f"size: library {sizes[0]:.2f} MiB, command {sizes[1]:.2f} MiB\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
