from __future__ import annotations

import json

from runtime.bundle import Bundle
from runtime.tuned import remember


def test_info(locator, shared_bundle):
    code, out, err = locator("info", "--bundle", shared_bundle)
    assert (code, err) == (0, "")
    assert f"{shared_bundle} (every file matches its sha256)" in out
    assert "trusted:  score from 0.5, rival to 1, rows to 256 canvas px apart" in out
    assert "int8: int8.xml (" in out
    assert "int8 with openvino on cpu: chosen" in out
    assert "int8 with onnxruntime on cpu: rejected: this bundle's int8 artefact is for" in out
    assert "fp32 with onnxruntime on cpu: usable, but comes later in the order" in out


def test_what_was_measured_is_shown(locator, own_bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = own_bundle / "manifest.json"
    document = json.loads(path.read_text())
    document["artefacts"]["fp32"]["measured"] = {"fixed": {"mae_px": 0.75, "acc_5px": 0.98}}
    path.write_text(json.dumps(document))
    remember(Bundle.open(own_bundle), "fp32", {("onnxruntime", "cpu"): 1.25})
    _, out, _ = locator("info", "--bundle", own_bundle)
    assert "on fixed: mae_px 0.75, acc_5px 0.98" in out
    assert "fp32 with onnxruntime on cpu: chosen (1.25 ms when tuned)" in out


def test_json(locator, shared_bundle):
    code, out, _ = locator("info", "--bundle", shared_bundle, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["bundle"] == str(shared_bundle)
    assert found["manifest"] == json.loads((shared_bundle / "manifest.json").read_text())
    [openvino] = [c for c in found["backends"]["fp32"] if c["backend"] == "openvino"]
    assert openvino == {
        "backend": "openvino", "device": "cpu", "rejected": None, "measured_ms": None,
        "verdict": "chosen",
    }  # fmt: skip


def test_a_damaged_bundle(locator, own_bundle):
    (own_bundle / "int8.bin").write_bytes(b"")
    code, out, err = locator("info", "--bundle", own_bundle)
    assert (code, out) == (2, "")
    assert "int8.bin is not the file that the manifest describes" in err


def test_how_the_thresholds_were_fitted_is_shown(locator, own_bundle):
    path = own_bundle / "manifest.json"
    document = json.loads(path.read_text())
    document["thresholds"]["fit"] = {
        "precision": "int8", "pictures": 1000, "false_abstention": 0.011,
        "true_abstention": 0.75, "no_gap_abstention": 0.9,
    }  # fmt: skip
    path.write_text(json.dumps(document))
    _, out, _ = locator("info", "--bundle", own_bundle)
    assert (
        "fitted:   on 1000 pictures in int8; of as many others refused: 1.1% of right answers, "
        "75.0% of wrong ones, 90.0% without a gap"
    ) in out
