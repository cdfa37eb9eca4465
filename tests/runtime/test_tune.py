from __future__ import annotations

import json
import time

import numpy as np
import pytest

from runtime import BackendUnavailable, InputError, Locator
from runtime import machine as machine_module
from runtime.backends.onnxruntime import OrtBackend
from runtime.backends.openvino import OpenVinoBackend
from runtime.bundle import Bundle
from runtime.choose import consider
from runtime.geometry import RawResult
from runtime.machine import this_machine
from runtime.tune import tune
from runtime.tuned import recall, remember

SECONDS = 0.01
OPENVINO, ORT = ("openvino", "cpu"), ("onnxruntime", "cpu")


@pytest.fixture
def bundle(shared_bundle, tmp_path, monkeypatch) -> Bundle:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Bundle.open(shared_bundle)


@pytest.fixture
def slow_openvino(monkeypatch):
    infer = OpenVinoBackend.infer

    def slow(self, canvas):
        time.sleep(0.2)
        return infer(self, canvas)

    monkeypatch.setattr(OpenVinoBackend, "infer", slow)


def usable(choice) -> list[tuple[str, str]]:
    return [(c.backend, c.device) for c in choice.candidates if c.rejected is None]


def test_the_fastest_is_remembered_and_chosen(bundle, slow_openvino):
    tuned = tune(bundle, "fp32", threads=1, seconds=SECONDS)
    assert usable(tuned) == [ORT, OPENVINO]
    assert tuned.chosen.measured_ms < 200 <= tuned.candidates[1].measured_ms
    with Locator("fp32", bundle=bundle.directory, threads=1) as locator:
        assert locator.describe()["engine"] == "onnxruntime"
        lines = str(locator.explain()).splitlines()
    assert lines[0].startswith("fp32 with onnxruntime on cpu: chosen (")
    assert lines[1].startswith("fp32 with openvino on cpu: usable, but comes later in the order (")
    assert lines[1].endswith(" ms when tuned)")


def test_an_explicit_request_is_not_overruled(bundle):
    remember(bundle, "fp32", {ORT: 1.0, OPENVINO: 2.0})
    assert usable(consider(bundle, "fp32"))[0] == ORT
    assert usable(consider(bundle, "fp32", device="cpu"))[0] == ORT
    assert usable(consider(bundle, "fp32", backend="openvino")) == [OPENVINO]


def test_a_measured_device_that_is_nobodys_default_is_considered(bundle):
    remember(bundle, "fp32", {("openvino", "gpu"): 1.0, ORT: 2.0})
    first, second, *_ = consider(bundle, "fp32").candidates
    assert (first.backend, first.device) == ("openvino", "gpu")
    assert "has no device 'gpu' here" in first.rejected  # it may have been taken out since
    assert (second.backend, second.device) == ORT


def test_other_machines_precisions_and_artefacts_are_not_tuned(bundle, tmp_path, monkeypatch):
    measured = {ORT: 1.0, OPENVINO: 2.0}
    remember(bundle, "fp32", measured)
    assert recall(bundle, "fp32") == measured
    assert recall(bundle, "int8") == {}
    monkeypatch.setattr(machine_module, "default_threads", lambda: 99)
    this_machine.cache_clear()
    assert recall(bundle, "fp32") == {}
    monkeypatch.undo()
    this_machine.cache_clear()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": 1}', '{"machine": "X"}', "null"])
def test_a_record_that_cannot_be_read_counts_as_none(bundle, tmp_path, text):
    remember(bundle, "fp32", {ORT: 1.0})
    [record] = (tmp_path / "edge-locator" / "tuned").iterdir()
    record.write_text(text.replace("X", this_machine().fingerprint))
    assert recall(bundle, "fp32") == {}
    assert usable(consider(bundle, "fp32"))[0] == OPENVINO


def test_candidates_must_agree(bundle, monkeypatch):
    infer = OrtBackend.infer

    def wrong(self, canvas):
        raw = infer(self, canvas)
        return RawResult(raw.keypoints + np.float32([3, 0, 0, 0]), raw.angle)

    monkeypatch.setattr(OrtBackend, "infer", wrong)
    tuned = tune(bundle, "fp32", threads=1, seconds=SECONDS)
    assert usable(tuned) == [OPENVINO]
    [ort] = [c for c in tuned.candidates if c.backend == "onnxruntime"]
    assert ort.rejected == "its answer is 2.2 px off the expected one"  # 3 canvas pixels
    assert list(recall(bundle, "fp32")) == [OPENVINO]


def test_nothing_that_runs(bundle, monkeypatch):
    def unavailable() -> None:
        raise BackendUnavailable("gone")

    monkeypatch.setattr("runtime.backends.openvino._core", unavailable)
    with pytest.raises(BackendUnavailable, match=r"nothing can run int8 here .*openvino.*gone"):
        tune(bundle, "int8", seconds=SECONDS)
    with pytest.raises(InputError, match="unknown precision 'int4'"):
        tune(bundle, "int4")


def test_where_nothing_can_be_kept_tuning_still_tells(bundle, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert usable(tune(bundle, "int8", threads=1, seconds=SECONDS)) == [OPENVINO]
    assert [message for message in caplog.messages if "cannot be kept" in message]


def test_the_record_holds_no_more_than_it_must(bundle, tmp_path):
    remember(bundle, "fp32", {ORT: 1.5})
    [record] = (tmp_path / "edge-locator" / "tuned").iterdir()
    assert json.loads(record.read_text()) == {
        "machine": this_machine().fingerprint,
        "measured_ms": [["onnxruntime", "cpu", 1.5]],
    }


def test_the_machine_is_described():
    machine = this_machine()
    assert machine.processor
    assert machine.cores >= 1
    assert {"openvino", "numpy"} <= set(machine.packages)
    assert len(machine.fingerprint) == 16
