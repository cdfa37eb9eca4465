"""Workers: what they time, and what they refuse to time."""

import json
import shutil
import time

import pytest

from bench.cap import AVX2_VNNI
from bench.conftest import ReplayClock
from bench.worker import Worker, WorkerError, in_turn
from runtime.bundle import MANIFEST_NAME, default_bundle_path

INFER = {"precision": "int8", "backend": "openvino", "threads": 1}


def test_times_are_those_of_the_calls():
    with Worker("letterbox", width=340, height=190) as worker:
        began = time.perf_counter()
        times_s = worker.times_s(200)
        assert 0 < sum(times_s) < time.perf_counter() - began
        assert len(times_s) == 200
        assert len(worker.answer) == 2


def test_workers_take_turns():
    with Worker("letterbox", width=64, height=32) as one, Worker("letterbox") as other:
        times_s = in_turn([one, other], calls=3, turns=4)
    assert [len(each) for each in times_s] == [12, 12]


def test_a_cap_reaches_the_kernels():
    with Worker("infer", AVX2_VNNI, bundle=str(default_bundle_path()), **INFER) as worker:
        kernels = worker.facts["kernels"]
    assert kernels
    assert not [name for name in kernels if "avx512" in name or "amx" in name]


def test_a_wrong_answer_is_not_timed(tmp_path):
    """A golden answer four pixels off: a decode that is a cell off looks like this."""
    bundle = shutil.copytree(default_bundle_path(), tmp_path / "bundle")
    manifest = json.loads((bundle / MANIFEST_NAME).read_text())
    for answer in manifest["golden"]["answer"].values():
        answer["gap"]["x"] += 4
    (bundle / MANIFEST_NAME).write_text(json.dumps(manifest))
    for subject in ("predict", "infer"):
        with pytest.raises(WorkerError, match=r"^AssertionError: .* off"):
            Worker(subject, bundle=str(bundle), **INFER)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({**INFER, "bundle": "/nowhere"}, "BundleError: /nowhere is not a folder"),
        ({**INFER, "precision": "int4"}, "InputError: precision 'int4' is not in this bundle"),
    ],
)
def test_what_cannot_run_says_why(options, says):
    with pytest.raises(WorkerError, match=f"^{says}"):
        Worker("infer", **({"bundle": str(default_bundle_path())} | options))


def test_the_clock_shows_what_it_was_given():
    clock = ReplayClock()
    before = clock()
    clock.advance(0.25)
    assert clock() - before == 0.25
