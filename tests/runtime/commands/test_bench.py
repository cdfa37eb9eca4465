from __future__ import annotations

import json

import numpy as np
import pytest

from runtime.backends.onnxruntime import OrtBackend
from runtime.errors import BackendError
from runtime.geometry import RawResult

QUICK = ("--seconds", "0.01")


@pytest.fixture
def bench(locator, golden_bundle):
    def run(*arguments: object) -> tuple[int, str, str]:
        return locator("bench", "--bundle", golden_bundle, *QUICK, *arguments)

    return run


def test_everything_usable_is_timed(bench):
    code, out, err = bench("--threads", 1)
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()[3:]]
    assert [row[:4] for row in rows] == [
        ["fp32", "openvino", "cpu", "1"],
        ["fp32", "onnxruntime", "cpu", "1"],
        ["int8", "openvino", "cpu", "1"],
    ]
    for row in rows:
        p50, p95, p99 = map(float, row[4:])
        assert 0 < p50 <= p95 <= p99


def test_json(bench):
    code, out, _ = bench("--json", "--precision", "fp32", "--backend", "onnxruntime")
    document = json.loads(out)
    [trial] = document["trials"]
    assert code == 0
    assert document["machine"]["processor"]
    assert (trial["backend"], trial["failed"], trial["wrong"]) == ("onnxruntime", None, None)
    assert trial["latency"]["calls"] >= 1
    assert np.allclose(trial["points_picture_xy"], [(300, 120), (50, 121)], atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--precision", "int4"], "unknown precision 'int4': expected fp32 or int8"),
        (["--backend", "tflite"], "unknown backend 'tflite'"),
        (["--backend", "onnxruntime"], "this bundle's int8 artefact is for openvino"),
        (["--device", "banana"], "has no device 'banana' here"),
        (["--threads", "0"], "expected at least 1 thread, got 0"),
        (["--seconds", "0"], "expected more than 0 seconds, got 0"),
    ],
)
def test_requests_that_cannot_be_met(bench, arguments, says):
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "")
    assert says in err


def test_a_precision_that_nothing_here_can_run(bench, golden_bundle):
    path = golden_bundle / "manifest.json"
    document = json.loads(path.read_text())
    document["artefacts"]["int8"]["backends"] = ["tensorrt"]
    path.write_text(json.dumps(document))
    code, out, err = bench("--precision", "int8")
    assert (code, out) == (2, "")
    assert "int8 with backend 'auto' on device 'auto' cannot run here" in err


def test_a_wrong_answer_is_not_timed(bench, monkeypatch):
    infer = OrtBackend.infer

    def wrong(self, canvas):
        raw = infer(self, canvas)
        return RawResult(raw.keypoints + np.float32([2, 0, 0, 0]), raw.angle)

    monkeypatch.setattr(OrtBackend, "infer", wrong)
    code, out, _ = bench()
    [row] = [line for line in out.splitlines() if "onnxruntime" in line]
    assert code == 2
    assert row.endswith("2.0 px off the golden answer")
    assert len([line for line in out.splitlines() if "openvino" in line]) == 2


def test_an_engine_that_fails_does_not_stop_the_others(bench, monkeypatch):
    def fail(*_: object) -> None:
        raise BackendError("out of memory")

    monkeypatch.setattr(OrtBackend, "infer", fail)
    code, out, _ = bench()
    assert code == 2
    assert len(out.splitlines()) == 6
    assert "out of memory" in out
