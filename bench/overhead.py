"""What the package costs beside the engine: `python -m bench.overhead`.

Three figures: the time of a whole `predict` of a 340 x 190 picture beyond that of the engine's own
call, its input already in place, turn by turn in one process; the time that `import runtime` takes
beyond numpy and cv2; and the time from process start to the first answer, beside that of a bare
script that imports numpy, cv2 and openvino, loads the same model and infers once: warm, both with
the network compiled before and cached, and cold, both with an empty cache. The processes start in
turn, and the medians are compared, so that a change of the machine's mood meets both alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from bench.latency import WARM_UP, machine, picture
from runtime import Locator
from runtime.backends.openvino import OpenVinoBackend
from runtime.bundle import Bundle, default_bundle_path

AIM_OVERHEAD_MS, AIM_IMPORT_MS, AIM_START = 0.4, 30, 1.3
_IMPORT_ALONE = "import numpy, cv2"
_IMPORT_ALL = "import numpy, cv2, runtime"
_BARE = """
import os, sys
import cv2, numpy as np, openvino as ov
core = ov.Core()
settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
settings["CACHE_DIR"] = os.environ["XDG_CACHE_HOME"]
compiled = core.compile_model(core.read_model(sys.argv[1]), "CPU", settings)
canvas = np.zeros((1, 256, 512, 4), np.uint8)
canvas[0, :, 27:485, :3] = cv2.resize(np.zeros((190, 340, 3), np.uint8), (458, 256))
compiled.create_infer_request().infer([canvas])
"""
_OURS = """
import sys
import numpy as np
from runtime import Locator
Locator("int8", backend="openvino", bundle=sys.argv[1]).predict(np.zeros((190, 340, 3), np.uint8))
"""


def predict_beyond_engine_ms(bundle_dir: Path, repeats: int) -> tuple[float, float]:
    """Medians in milliseconds: of a whole `predict`, and of the engine call alone."""
    pixels = picture()
    whole_ms, engine_ms = [], []
    with Locator("int8", backend="openvino", bundle=bundle_dir) as locator:
        locator.predict(pixels)
        # That very request, whose input is the locator's canvas: both use the same memory.
        request = cast(OpenVinoBackend, locator._backend)._requests._idle[0]
        for turn in range(WARM_UP + repeats):
            start = time.perf_counter()
            locator.predict(pixels)
            middle = time.perf_counter()
            request.infer()
            end = time.perf_counter()
            if turn >= WARM_UP:
                whole_ms.append(1e3 * (middle - start))
                engine_ms.append(1e3 * (end - middle))
    return statistics.median(whole_ms), statistics.median(engine_ms)


def python(script: str, *arguments: str) -> list[str]:
    """The command that runs a script, given as text, in a Python like this one."""
    return [sys.executable, "-c", script, *arguments]


def started_ms(commands: Sequence[Sequence[str]], repeats: int, cold: bool = False) -> list[float]:
    """Median time in milliseconds of each command's process, whose output is dropped.

    cold: every process gets an empty cache folder; else a script's processes share one.
    Raises CalledProcessError when one fails.
    """
    times_ms: list[list[float]] = [[] for _ in commands]
    with TemporaryDirectory() as folder:
        for turn in range(repeats + 1):  # the first turn fills the caches
            for number, (command, times) in enumerate(zip(commands, times_ms, strict=True)):
                cache = Path(folder, f"{number}-{turn if cold else 0}")
                cache.mkdir(exist_ok=True)
                environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
                start = time.perf_counter()
                subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
                times.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(times[1:]) for times in times_ms]


def first_answers_ms(bundle_dir: Path, repeats: int, cold: bool) -> list[float]:
    """Median time in milliseconds from process start to the first answer: ours, the bare script's.

    cold: with an empty cache.
    """
    model = Bundle.open(bundle_dir).artefact("int8", "openvino").files["model"]
    scripts = [python(_OURS, str(bundle_dir)), python(_BARE, str(bundle_dir / model))]
    return started_ms(scripts, repeats, cold)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; prints the figures, judges none."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.overhead",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=default_bundle_path(), metavar="DIR")
    parser.add_argument("--repeats", type=int, default=500, help="of predict (default: 500)")
    parser.add_argument("--starts", type=int, default=15, help="of each process (default: 15)")
    options = parser.parse_args(argv)
    whole, engine = predict_beyond_engine_ms(options.bundle, options.repeats)
    imports = [python(_IMPORT_ALONE), python(_IMPORT_ALL)]
    alone, together = started_ms(imports, options.starts)
    sys.stdout.write(
        f"{machine()}\n"
        f"predict {whole:.2f} ms, engine {engine:.2f} ms: overhead {whole - engine:.2f} ms "
        f"(aim: {AIM_OVERHEAD_MS})\n"
        f"import beyond numpy and cv2: {together - alone:.0f} ms (aim: {AIM_IMPORT_MS})\n"
    )
    for state, cold in (("warm", False), ("cold", True)):
        ours, bare = first_answers_ms(options.bundle, options.starts, cold)
        sys.stdout.write(
            f"{state} start to first answer {ours:.0f} ms, bare script {bare:.0f} ms: "
            f"x {ours / bare:.2f} (aim: {AIM_START})\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
