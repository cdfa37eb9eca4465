"""Locators and processes: fork, spawn, pickling, and memory that is given back."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from runtime import BackendError, Locator
from tests.runtime.conftest import puzzle

ROOT = Path(runtime.__file__).parents[1]
PICTURE = puzzle((300, 120), (50, 121))


def _gap_x(locator: Locator) -> float:
    return locator.predict(PICTURE).gap.x


def _in_forked_child(script: str, bundle: Path) -> str:
    """Run a script that makes a Locator, predicts, forks and runs the rest in the child."""
    begin = (
        "import os, sys, faulthandler\n"
        "import numpy as np\n"
        "from runtime import *\n"
        "picture = np.full((190, 340, 3), 40, np.uint8)\n"
        "picture[90, 200], picture[90, 30] = (0, 0, 255), (255, 0, 0)\n"
        f"locator = Locator(bundle={str(bundle)!r})\n"
        "(expected,) = locator.predict_batch([picture])\n"
        "child = os.fork()\n"
        "if child:\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "faulthandler.dump_traceback_later(60, exit=True)\n"
    )
    end = "\nsys.stdout.flush()\nos._exit(0)\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + script + end], cwd=ROOT, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@needs_fork
def test_a_locator_used_after_fork_says_so(shared_bundle):
    script = (
        "for use in (locator.predict, lambda p: locator.predict_batch([p])):\n"
        "    try:\n"
        "        use(picture)\n"
        "    except BackendError as error:\n"
        "        print(error)\n"
        "locator.close()"
    )
    said = "before the process was forked, .*: create one in each process"
    lines = _in_forked_child(script, shared_bundle).splitlines()
    assert len(lines) == 2
    for line in lines:
        with pytest.raises(BackendError, match=said):
            raise BackendError(line)


@needs_fork
def test_a_locator_made_after_fork_works(shared_bundle):
    script = f"print(Locator(bundle={str(shared_bundle)!r}).predict(picture) == expected)"
    assert _in_forked_child(script, shared_bundle) == "True\n"


def test_a_pickled_locator_is_a_request_for_the_same(shared_bundle):
    with Locator("fp32", backend="openvino", bundle=shared_bundle, threads=1) as locator:
        copy = pickle.loads(pickle.dumps(locator))  # noqa: S301 - our own bytes
        with copy:
            assert copy.describe() == locator.describe()
            assert _gap_x(copy) == _gap_x(locator)


def test_a_locator_can_be_given_to_spawned_processes(shared_bundle):
    with Locator(bundle=shared_bundle, threads=1) as locator:
        context = multiprocessing.get_context("spawn")
        with context.Pool(2) as pool:
            assert pool.map(_gap_x, [locator] * 2) == [_gap_x(locator)] * 2


_CYCLES = """
import gc, resource, sys
import numpy as np
from runtime import Locator
picture = np.full((190, 340, 3), 40, np.uint8)
def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
def cycles(count):
    for number in range(count):
        locator = Locator(sys.argv[2], backend=sys.argv[3], bundle=sys.argv[1], threads=1)
        locator.predict(picture)
        locator.predict_batch([picture] * 2)
        if number % 2:  # closed, or left to the garbage collector
            locator.close()
    del locator
    gc.collect()
    return resident_bytes()
held = [cycles(50), *(cycles(int(sys.argv[4])) for _ in range(3))]
# A leak shows in every round; a heap that the allocator keeps for one more thread does not.
print(min(after / before for before, after in zip(held, held[1:])))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(("precision", "backend"), [("int8", "openvino"), ("fp32", "onnxruntime")])
def test_memory_is_given_back(shared_bundle, precision, backend):
    arguments = [str(shared_bundle), precision, backend, "100"]
    done = subprocess.run(
        [sys.executable, "-c", _CYCLES, *arguments], cwd=ROOT, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.05
