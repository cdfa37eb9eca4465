from __future__ import annotations

import json
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest

from runtime import doctor as doctor_module
from runtime.backends.onnxruntime import OrtBackend
from runtime.choose import Candidate
from runtime.errors import BackendError
from runtime.geometry import RawResult
from runtime.targets import Target
from runtime.trial import Trial

QUICK = ("--seconds", "0.01")


@pytest.fixture
def doctor(locator, golden_bundle):
    """Runs the command: arguments -> exit code and the checks, name -> (state, detail)."""

    def run(*arguments: object) -> tuple[int, dict[str, tuple[str, str]]]:
        code, out, err = locator("doctor", "--bundle", golden_bundle, "--json", *QUICK, *arguments)
        assert err == ""
        document = json.loads(out)
        assert document["healthy"] == (code == 0)
        return code, {c["name"]: (c["state"], c["detail"]) for c in document["checks"]}

    return run


def test_a_sound_installation(doctor):
    code, checks = doctor()
    assert code == 0
    assert checks["bundle"][0] == "ok"
    assert checks["opencv"] == ("ok", "opencv-python-headless")
    for name in ("fp32 with openvino on cpu", "fp32 with onnxruntime on cpu",
                 "int8 with openvino on cpu"):  # fmt: skip
        state, detail = checks[name]
        assert state == "ok"
        assert detail.startswith("0.000 px off the golden answer; p50 ")
    assert checks["int8 with onnxruntime on cpu"][0] == "absent"
    assert checks["agreement"] == ("ok", "3 answers at most 0.000 px apart")
    assert checks["target int8 on i5-1240P"] == ("unknown", "not measured here")


def test_the_text_names_the_machine_and_the_verdict(locator, golden_bundle):
    code, out, _ = locator("doctor", "--bundle", golden_bundle, *QUICK)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("machine  ")
    assert "fingerprint" in lines[0]
    assert any(line.startswith("ok       bundle: ") for line in lines)
    assert any(line.startswith("absent   int8 with tensorrt on cuda:0: ") for line in lines)
    assert lines[-1] == "healthy"


@pytest.mark.parametrize("damage", ["int8.bin", "golden.png", "manifest.json"])
def test_a_damaged_bundle(doctor, golden_bundle, damage):
    (golden_bundle / damage).write_bytes(b"{")
    code, checks = doctor()
    assert code == 1
    assert checks["bundle"][0] == "failed"
    assert damage in checks["bundle"][1]
    assert set(checks) == {"bundle", "opencv"}


def _off_by(pixels: float):
    infer = OrtBackend.infer

    def wrong(self, canvas):
        raw = infer(self, canvas)
        return RawResult(raw.keypoints + np.float32([0, pixels, 0, 0]), raw.angle)

    return wrong


def test_an_engine_that_answers_wrongly(doctor, monkeypatch):
    monkeypatch.setattr(OrtBackend, "infer", _off_by(2))
    code, checks = doctor()
    assert code == 1
    state, detail = checks["fp32 with onnxruntime on cpu"]
    assert (state, detail[:30]) == ("failed", "2.000 px off the golden answer")
    assert checks["agreement"] == ("failed", "3 answers at most 2.000 px apart")
    assert checks["fp32 with openvino on cpu"][0] == "ok"


def test_a_rounding_difference_is_no_failure(doctor, monkeypatch):
    monkeypatch.setattr(OrtBackend, "infer", _off_by(0.5))
    assert doctor()[0] == 0


def test_an_engine_that_fails(doctor, monkeypatch):
    def fail(*_: object) -> None:
        raise BackendError("out of memory")

    monkeypatch.setattr(OrtBackend, "infer", fail)
    code, checks = doctor()
    assert code == 1
    assert checks["fp32 with onnxruntime on cpu"] == ("failed", "out of memory")


def test_a_bundle_without_a_golden_picture(locator, shared_bundle):
    code, out, _ = locator("doctor", "--bundle", shared_bundle, *QUICK)
    assert code == 0
    assert "unknown  int8 with openvino on cpu: the bundle has no golden answer; p50 " in out


class _Wheel:
    def __init__(self, name: str) -> None:
        self.name = name


def test_clashing_opencv_wheels(doctor, monkeypatch):
    installed = [_Wheel("opencv-python"), _Wheel("numpy"), _Wheel("opencv-python-headless")]
    monkeypatch.setattr(metadata, "distributions", lambda: installed)
    code, checks = doctor()
    assert code == 1
    assert checks["opencv"] == (
        "failed",
        "opencv-python and opencv-python-headless overwrite each other: "
        "uninstall them all, then install one",
    )


@pytest.mark.parametrize(
    ("device", "facts", "ran_on"),
    [
        ("cpu", {}, "this processor"),
        ("cuda", {}, ""),
        ("gpu", {"device_name": "its name"}, "its name"),
    ],
)
def test_no_other_devices_time_is_the_processors(monkeypatch, device, facts, ran_on):
    machine = SimpleNamespace(processor="this processor")
    monkeypatch.setattr(doctor_module, "this_machine", lambda: machine)
    trial = Trial("int8", Candidate("onnxruntime", device), None, facts=facts)
    assert doctor_module._hardware(trial) == ran_on


@pytest.mark.parametrize(
    ("at_most", "aim", "code", "says"),
    [
        (1e9, 1e8, 0, "ok: the aim of 1e+08 ms is reached"),
        (1e9, 0.0, 0, "ok: the aim of 0 ms is not reached"),
        (1e-9, 0.0, 1, "failed: the aim of 0 ms is not reached"),
    ],
)
def test_targets_of_this_hardware(doctor, monkeypatch, at_most, aim, code, says):
    monkeypatch.setattr(doctor_module, "_hardware", lambda trial: "Intel Core i5-1240P")
    target = Target("i5-1240P", ["int8"], "predict_ms", "p50", at_most=at_most, aim=aim)
    monkeypatch.setattr(doctor_module, "targets", lambda: (target,))
    found, checks = doctor()
    state, detail = checks["target int8 on i5-1240P"]
    assert found == code
    assert f"{state}: {detail.rpartition(', ')[2]}" == says


def test_no_time_is_refused(locator, golden_bundle):
    code, out, err = locator("doctor", "--bundle", golden_bundle, "--seconds", "-1")
    assert (code, out) == (2, "")
    assert "expected more than 0 seconds, got -1" in err
