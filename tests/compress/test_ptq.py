from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

import train
from compress import package, ptq, record
from compress.calibration import DEFAULT_SEED, from_folder, generated
from compress.errors import CompressionError
from compress.package import record_measurement
from runtime import Bundle, BundleError, Locator
from tests.compress.conftest import SMALL, TINY
from train import checkpoint
from train.config import Config
from train.synth import render

PICTURES = 3


@pytest.fixture(scope="module")
def run_ptq(lenient):
    def run(checkpoint: Path, output: Path, *more: str) -> int:
        return ptq.main([str(checkpoint), "-o", str(output), *lenient, *more])

    return run


@pytest.fixture(scope="module")
def bundle_dir(checkpoint_path, run_ptq, tmp_path_factory):
    output = tmp_path_factory.mktemp("ptq") / "bundle"
    assert run_ptq(checkpoint_path, output, "--min-score", "0.4") == 0
    return output


@pytest.fixture
def copy(bundle_dir, tmp_path):
    """A copy of the bundle that a test may change."""
    target = tmp_path / "bundle"
    target.mkdir()
    for path in bundle_dir.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_manifest_says_what_was_made(bundle_dir):
    bundle = Bundle.open(bundle_dir)
    bundle.verify()
    manifest = bundle.manifest
    names = {"manifest.json", "golden.png", "fp32.onnx", "fp16.onnx", "int8.xml", "int8.bin"}
    names.add("int8-qdq.onnx")
    assert set(_content(bundle_dir)) == names
    assert not [p for p in bundle_dir.parent.iterdir() if p != bundle_dir], "left-overs beside it"
    assert (manifest.model.name, manifest.row_agreement) == ("edge", 1.0)
    assert manifest.model.config == TINY.model_dump(mode="json")
    assert manifest.thresholds.min_score == 0.4
    assert manifest.calibration.count == PICTURES
    assert manifest.calibration.sha256 == generated(PICTURES, DEFAULT_SEED, None).sha256
    assert manifest.artefacts["fp32"].backends == ("openvino", "onnxruntime")
    assert manifest.artefacts["int8"].files == {"model": "int8.xml", "weights": "int8.bin"}
    assert manifest.artefacts["int8-qdq"].backends == ("tensorrt", "onnxruntime")
    made = manifest.compression
    assert (made.method, made.settings["preset"]) == ("ptq", "mixed")
    assert (made.gate.testset, made.gate.pictures) == ("fixed-procedural", 4)
    assert made.gate.tolerances == {"int8": {"mae_px": 1000}}
    assert made.gate.figures.keys() == manifest.artefacts.keys()
    assert made.gate.figures["fp32"]["shift_max_px"] == 0
    assert manifest.versions.keys() >= {"torch", "nncf", "openvino", "picture generator"}


def test_locator_loads_it_and_int8_is_near_fp32(bundle_dir):
    golden = Bundle.open(bundle_dir).manifest.golden
    picture = cv2.imread(str(bundle_dir / golden.picture))
    answers = {}
    pairs = (("fp32", "onnxruntime"), ("fp32", "openvino"), ("int8", "openvino"))
    for precision, backend in pairs:
        with Locator(precision, backend=backend, bundle=bundle_dir) as locator:
            answers[precision, backend] = locator.predict(picture)
        point, expected = answers[precision, backend].gap, golden.answer[precision]["gap"]
        assert (point.x, point.y) == pytest.approx((expected["x"], expected["y"]), abs=0.01)
        assert point.score == pytest.approx(expected["score"], abs=1e-3)
    fp32, int8 = answers["fp32", "openvino"], answers["int8", "openvino"]
    assert int8.gap.score == pytest.approx(fp32.gap.score, abs=0.2)
    assert int8.gap != fp32.gap, "both precisions ran the same network"
    with Locator("int8", backend="onnxruntime", bundle=bundle_dir) as locator:
        signed = locator.predict(picture)
    assert signed.gap not in (fp32.gap, int8.gap)
    assert signed.gap.score == pytest.approx(fp32.gap.score, abs=0.2)


def test_publishing_again_replaces_a_bundle_but_nothing_else(
    checkpoint_path, run_ptq, copy, capsys
):
    before = _content(copy)
    assert run_ptq(checkpoint_path, copy, "--row-agreement", "0", "--preset", "performance") == 0
    table = capsys.readouterr().out
    assert "Convolution" in table
    after = Bundle.open(copy)
    after.verify()
    assert after.manifest.row_agreement == 0
    assert _content(copy)["int8.xml"] != before["int8.xml"]
    (copy / "notes.txt").write_text("mine")
    kept = _content(copy)
    assert run_ptq(checkpoint_path, copy) == 2
    assert "notes.txt" in capsys.readouterr().err
    assert _content(copy) == kept


def test_a_damaged_bundle_may_be_replaced(copy):
    (copy / "manifest.json").write_text("{")
    package.check_replaceable(copy)


def _publish_again(folder: Path, output: Path) -> None:
    """Publish the bundle of one folder to another, with another row agreement."""
    manifest = Bundle.open(folder).manifest
    names = [name for entry in manifest.artefacts.values() for name in entry.files.values()]
    changed = dataclasses.replace(manifest, golden=None, row_agreement=0.5)
    package.publish(output, changed, {name: (folder / name).read_bytes() for name in names})


def test_a_failure_half_way_leaves_the_old_bundle(bundle_dir, copy, monkeypatch):
    before = _content(copy)

    def fail(*_args, **_kwargs):
        raise RuntimeError("power cut")

    monkeypatch.setattr(package, "Locator", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        _publish_again(bundle_dir, copy)
    assert _content(copy) == before
    assert [path.name for path in copy.parent.iterdir()] == ["bundle"]


def test_a_failure_while_swapping_leaves_the_old_bundle(bundle_dir, copy, monkeypatch):
    before = _content(copy)
    rename = Path.rename

    def fail_for_the_new_one(self, target):
        if self.name.endswith(".new"):
            raise OSError("disk full")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail_for_the_new_one)
        with pytest.raises(OSError, match="disk full"):
            _publish_again(bundle_dir, copy)
    assert _content(copy) == before
    assert [path.name for path in copy.parent.iterdir()] == ["bundle"]
    _publish_again(bundle_dir, copy)
    assert Bundle.open(copy).manifest.row_agreement == 0.5


def test_publish_itself_refuses_a_folder_with_anything_else(bundle_dir, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CompressionError, match=r"notes\.txt"):
        _publish_again(bundle_dir, tmp_path)
    assert _content(tmp_path) == {"notes.txt": b"mine"}


def test_record_measurement(copy):
    before = Bundle.open(copy).manifest
    result = {"fingerprint": "f" * 64, "pictures": 5, "all": {"gap": {"mae_px": float("nan")}}}
    record_measurement(copy, "int8", "fixed", result)
    record_measurement(copy, "int8", "twin", {"fingerprint": "a"})
    record_measurement(copy, "int8", "twin", {"fingerprint": "b"})
    bundle = Bundle.open(copy)
    bundle.verify()
    measured = bundle.manifest.artefacts["int8"].measured
    assert measured["fixed"] == result | {"all": {"gap": {"mae_px": None}}}
    assert measured["twin"] == {"fingerprint": "b"}
    assert bundle.manifest.artefacts["fp32"] == before.artefacts["fp32"]
    assert bundle.manifest.golden == before.golden
    json.loads((copy / "manifest.json").read_text(), parse_constant=pytest.fail)


def test_record_command_takes_what_evaluate_writes(copy, tmp_path, capsys):
    headlines = {"int8": {"gap_mae_px": 1.5}, "fp32": {"gap_mae_px": 1.25}}
    summaries = {name: {"headline": h, "classes": {}} for name, h in headlines.items()}
    results = {"fixed": {"pictures": 5, "fingerprint": "f", **summaries}}
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    assert record.main([str(copy), str(path)]) == 0
    for name, artefact in Bundle.open(copy).manifest.artefacts.items():
        if name in headlines:
            expected = {"pictures": 5, "fingerprint": "f", **headlines[name]}
            assert artefact.measured == {"fixed": expected}
        else:
            assert artefact.measured == {}, "nothing was measured on it"
    for content in ("{", "[]", '{"fixed": 3}', '{"fixed": {"int8": 3}}'):
        path.write_text(content)
        assert record.main([str(copy), str(path)]) == 2
        assert "results.json" in capsys.readouterr().err


def test_record_measurement_refuses_what_it_cannot_place(copy):
    before = _content(copy)
    with pytest.raises(CompressionError, match="int8-qdq, not int4"):
        record_measurement(copy, "int4", "fixed", {"fingerprint": "f"})
    with pytest.raises(CompressionError, match="no fingerprint"):
        record_measurement(copy, "int8", "fixed", {"mae_px": 1.0})
    assert _content(copy) == before
    (copy / "int8.bin").write_bytes(before["int8.bin"][:-1])
    with pytest.raises(BundleError, match=r"int8\.bin"):
        record_measurement(copy, "fp32", "fixed", {"fingerprint": "f"})


def test_generated_calibration_is_the_stream_letterboxed():
    chosen = generated(2, 7, None)
    assert chosen.canvases.shape == (2, 256, 512, 4)
    assert chosen.sha256 == generated(2, 7, None).sha256 != generated(2, 8, None).sha256
    height, width = render(7, 1).picture.shape[:2]
    inside = chosen.canvases[1, ..., 3] == 255
    scale = min(512 / width, 256 / height)
    assert inside.sum() == pytest.approx(width * height * scale**2, rel=0.01)
    assert not chosen.canvases[1][~inside].any()


def test_the_same_seed_gives_the_same_bytes(checkpoint_path, run_ptq, bundle_dir, tmp_path):
    assert run_ptq(checkpoint_path, tmp_path / "again", "--min-score", "0.4") == 0
    before, after = _content(bundle_dir), _content(tmp_path / "again")
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []


SHIPPED = Path(train.__file__).with_name("weights") / "edge.pth"


def _sabotaged(folder: Path) -> Path:
    """The shipped network, one of whose channels is a hundred thousand times as strong, and taken
    as much less seriously by the next layer: in FP32 nothing changes, in INT8 all others vanish,
    for no channel is scaled that far (`equalize.LEAST`)."""
    saved = checkpoint.load(SHIPPED)
    weights = saved["model_state_dict"]
    for name in ("weight", "bias"):
        weights[f"stem.0.conv.{name}"][0] *= 1e5
    weights["stem.1.full.conv.weight"][:, 0] /= 1e5
    checkpoint.save(folder / "sabotaged.pth", saved)
    return folder / "sabotaged.pth"


def test_the_gate_refuses_a_sabotaged_checkpoint(copy, tmp_path, capsys):
    tolerances = tmp_path / "gate.toml"
    tolerances.write_text("[int8]\nshift_p50_px = 5\n[int8-qdq]\nshift_p50_px = 5\n")
    before = _content(copy)
    options = ["-o", str(copy), *SMALL, "--tolerances", str(tolerances)]
    report = tmp_path / "report"
    assert ptq.main([str(_sabotaged(tmp_path)), *options, "--report", str(report)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: refused on fixed-procedural (4 pictures): int8")
    assert "shift_p50_px" in error
    assert error.count("\n") == 1
    assert _content(copy) == before
    assert [path.name for path in copy.parent.iterdir() if "bundle" in path.name] == ["bundle"]
    assert "## The gate: **refused**" in (report / "report.md").read_text()
    assert not json.loads((report / "report.json").read_text())["passed"]
    assert ptq.main([str(SHIPPED), *options]) == 0, "the sabotage is what it refuses"


def test_accuracy_control_runs_on_the_pixel_metric(checkpoint_path, run_ptq, tmp_path):
    output = tmp_path / "controlled"
    control = ["--accuracy-control", "--max-drop", "1000px", "--control-pictures", "2"]
    assert run_ptq(checkpoint_path, output, *control) == 0
    assert Bundle.open(output).manifest.compression.settings["max_drop_px"] == 1000


def test_calibration_draws_from_no_stream_that_accuracy_is_measured_or_trained_on():
    testsets = tomllib.loads(Path(train.__file__).with_name("testsets.toml").read_text("utf-8"))
    taken = {entry["seed"] for entry in testsets.values()} | {Config().data.seed}
    assert DEFAULT_SEED not in taken


def test_calibration_from_a_folder(tmp_path):
    for index, name in enumerate(("b.png", "a.jpg", "sub/c.bmp", "notes.txt")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if name.endswith("txt"):
            (tmp_path / name).write_text("no picture")
        else:
            cv2.imwrite(str(tmp_path / name), np.full((64, 128, 3), 60 * index, np.uint8))
    everything = from_folder(tmp_path, 10).canvases
    assert everything.shape[0] == 3
    assert [int(canvas[128, 256, 0]) for canvas in everything] == [60, 0, 120]
    assert from_folder(tmp_path, 2).count == 2


@pytest.mark.parametrize("kind", ["missing", "empty", "damaged"])
def test_unusable_calibration_is_one_line_and_code_2(
    kind, checkpoint_path, run_ptq, tmp_path, capsys
):
    folder = tmp_path / "pictures"
    if kind != "missing":
        folder.mkdir()
    if kind == "damaged":
        (folder / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    output = tmp_path / "out"
    assert run_ptq(checkpoint_path, output, "--calibration", str(folder)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not output.exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--min-score", "1.5"), ("--min-score", "nan"), ("--calibration-pictures", "0")],
)
def test_impossible_option_is_refused(option, value, checkpoint_path, run_ptq, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        run_ptq(checkpoint_path, tmp_path / "out", f"{option}={value}")
    assert caught.value.code == 2
    assert value in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "says"), [("stge4", "is found in no layer's name"), ("(", "is no pattern")]
)
def test_a_pattern_that_leaves_nothing_in_floating_point_is_refused(
    pattern, says, checkpoint_path, run_ptq, tmp_path, capsys
):
    assert run_ptq(checkpoint_path, tmp_path / "out", "--floating", pattern) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --floating '{pattern}' {says}")
    assert error.count("\n") == 1


def test_truncated_checkpoint_is_one_line_and_code_2(checkpoint_path, run_ptq, tmp_path, capsys):
    path = tmp_path / "short.pth"
    path.write_bytes(checkpoint_path.read_bytes()[:-100])
    assert run_ptq(path, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
