"""The TensorRT code against the types of the library itself.

The wheels come without type stubs, so mypy alone would take everything in them for Any. The stubs
are generated here from the installed library.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CONFIG = """\
[mypy]
check_untyped_defs = true
follow_imports = silent
[mypy-cuda.*]
ignore_missing_imports = true
[mypy-numpy.*]
follow_imports = skip
follow_imports_for_stubs = true
"""


def _stubs(folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", "from mypy.stubgen import main; main()", "--quiet",
         "--inspect-mode", "-m", "tensorrt_rtx_bindings.tensorrt_rtx", "-o", str(folder)],
        check=True, timeout=300,
    )  # fmt: skip
    generated = folder / "tensorrt_rtx_bindings" / "tensorrt_rtx.pyi"
    lines = generated.read_text().splitlines()
    # Its signature has a parameter without a default after others with one.
    kept = [line for line in lines if "def add_scale_nd" not in line]
    assert "    def execute_async_v3(self, stream_handle: typing.SupportsInt) -> bool: ..." in kept
    (folder / "tensorrt_rtx.pyi").write_text("\n".join(kept))


def _complaints(folder: Path, package: Path) -> list[str]:
    (folder / "mypy.ini").write_text(CONFIG)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(folder / "mypy.ini"),
         "--cache-dir", str(folder / "cache"), *map(str, sorted(package.glob("*.py")))],
        cwd=ROOT, env={**os.environ, "MYPYPATH": str(folder)}, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    assert not done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(str(package))]


def test_the_code_fits_the_library(tmp_path):
    _stubs(tmp_path)
    assert _complaints(tmp_path, Path("runtime/backends/tensorrt")) == []
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "use.py").write_text(
        "import tensorrt_rtx as trt\n"
        "def run(context: trt.IExecutionContext) -> None:\n"
        "    context.execute_async_v4(0)\n"
    )
    assert len(_complaints(tmp_path, wrong)) == 1  # the check itself sees what does not fit
