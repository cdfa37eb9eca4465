from __future__ import annotations

import json

import pytest

from compress import release, thresholds
from compress.release import better
from runtime import Bundle
from runtime.bundle import Thresholds
from tests.compress.test_qat import RUN


@pytest.fixture
def fitted(monkeypatch):
    """Random weights are never right, so that nothing can be fitted on them."""
    monkeypatch.setattr(thresholds, "fit", lambda cases, share: Thresholds(0.001, 0.999))
    monkeypatch.setattr(thresholds, "rates", lambda cases, limits: (0.0, 0.5, 0.25))


def test_one_command_makes_a_release(checkpoint_path, lenient, fitted, tmp_path, capsys):
    output = tmp_path / "bundle"
    arguments = ["-o", str(output), *lenient, *RUN, "--threshold-pictures", "2"]
    assert release.main([str(checkpoint_path), *arguments]) == 0
    bundle = Bundle.open(output)
    bundle.verify()
    manifest = bundle.manifest
    out = capsys.readouterr().out
    chosen = manifest.compression.method
    assert f"kept: {chosen}" in out
    assert manifest.thresholds.fit.no_gap_abstention == 0.25
    assert manifest.golden.answer.keys() == {"fp32", "fp16", "int8"}
    work = tmp_path / "bundle-work"
    for method in ("ptq", "qat"):
        Bundle.open(work / method).verify()
        assert f"{method}: MAE " in out
    int8 = (work / chosen / "int8.bin").read_bytes()
    assert (output / "int8.bin").read_bytes() == int8
    document = json.loads((work / "report" / "report.json").read_text())
    assert document["passed"]
    assert document["artefacts"].keys() == manifest.artefacts.keys()
    assert document["latency_ms"]["int8"]["p50_ms"] > 0
    text = (work / "report" / "report.md").read_text()
    assert "| fixed-procedural, 4 pictures | gap: MAE | @1px" in text
    for name in ("shifts.png", "worst-int8.png"):
        assert (work / "report" / name).read_bytes().startswith(b"\x89PNG")
        assert name in text


def test_within_tolerances_comes_before_the_lower_error(monkeypatch):
    class Measured:
        def __init__(self, mae_px: float, shift_px: float) -> None:
            of_int8 = {"mae_px": mae_px, "shift_p99_px": shift_px}
            self.figures = {"fp32": {"mae_px": 1.0}, "int8": of_int8}

    class Request:
        def limits(self):
            return {"int8": {"shift_p99_px": 1.0}, "fp16": {"mae_px": 9.0}}

        def picture_set(self):
            return None

    def chosen(**candidates: tuple[float, float]) -> str:
        measured = {name: Measured(*figures) for name, figures in candidates.items()}
        monkeypatch.setattr(release, "measure", lambda bundle, pictures, names: measured[bundle])
        return better({name: name for name in candidates}, Request())[0]

    assert chosen(ptq=(1.1, 0.5), qat=(1.05, 0.6)) == "qat"
    assert chosen(ptq=(1.1, 0.5), qat=(1.05, 1.6)) == "ptq"
    assert chosen(ptq=(1.1, 2.5), qat=(1.05, 1.6)) == "qat"
