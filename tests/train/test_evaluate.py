"""Evaluation against truths that are known: a locator that answers from a script."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.record import record_results
from runtime import Bundle, Location
from tests.train.answered import answer
from tests.train.fakes import sample
from tests.train.small import small_config
from train import checkpoint, evaluate, generate, picturesets
from train.canvas import prepare
from train.checks import perfect_maps
from train.predictor import CheckpointLocator
from train.state import TrainState
from train.synth import SynthOptions
from train.targets import encode
from train.testsets import TestSetError


class Scripted:
    """Answers the truth, `off` pixels to the right; counts what it was asked."""

    def __init__(self, off: float = 0.0) -> None:
        self.off, self.asked = off, 0

    def predict(self, _picture: object) -> Location:
        self.asked += 1
        return answer((200 + self.off, 90), (40 + self.off, 90))

    def describe(self) -> dict[str, str | int]:
        return {"engine": "script", "version": "1", "device": "cpu", "threads": 1}


def test_every_predictor_sees_every_picture() -> None:
    predictors = {"int8": Scripted(2.0), "fp32": Scripted()}
    outcomes, fingerprint = evaluate.evaluate(predictors, [sample(), sample()])
    assert [p.asked for p in predictors.values()] == [2, 2]
    assert outcomes["int8"].summary()["all"]["gap"]["mae_px"] == 2
    assert outcomes["fp32"].summary()["all"]["gap"]["mae_px"] == 0
    assert all(case.predict_ms > 0 for case in outcomes["int8"].cases)
    assert len(fingerprint) == 64


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    def make(canvas_scale: int) -> Path:
        folder = tmp_path_factory.mktemp("run")
        config = small_config(folder, data={"canvas_scale": canvas_scale, "leave_out": ["heart"]})
        state = TrainState(config, torch.device("cpu"))
        path = folder / "best_model.pth"
        checkpoint.save(path, state.to_checkpoint())
        return path

    return make


@pytest.mark.parametrize("canvas_scale", [1, 2])
def test_a_checkpoint_answers_as_its_network(
    best: Callable[[int], Path], canvas_scale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its maps are overwritten by peaks at the truth, in whatever size it computes them."""
    one = sample()
    locator = CheckpointLocator(best(canvas_scale))
    canvas, truth, _ = prepare(one, canvas_scale)

    def perfect(batch: torch.Tensor) -> torch.Tensor:
        given = (batch[0].permute(1, 2, 0) * 255).round().byte().numpy()
        np.testing.assert_array_equal(given, canvas)
        size = (batch.shape[2] // 4, batch.shape[3] // 4)
        return perfect_maps(encode(torch.from_numpy(truth)[None], size))

    monkeypatch.setattr(locator._net, "forward_raw", perfect)
    found = locator.predict(one.picture)
    assert (found.gap.x, found.gap.y) == pytest.approx(one.gap_picture_xy, abs=0.01)
    assert (found.slider.x, found.slider.y) == pytest.approx(one.slider_picture_xy, abs=0.01)
    assert found.angle_deg == pytest.approx(20, abs=0.1)
    assert found.ok
    assert locator.describe()["engine"] == "torch"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "own"
    options = ["--num-images", "3", "--output-dir", str(folder), "--seed", "3"]
    assert generate.main([*options, "--workers", "1"]) == 0
    return folder


def test_a_checkpoint_on_a_data_set_with_a_report(
    best: Callable[[int], Path], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, folder = tmp_path / "results.json", tmp_path / "report"
    options = ["--checkpoint", str(best(2)), "--dataset", str(dataset), "--limit", "2"]
    options += ["--families", "--family-pictures", "1"]
    assert evaluate.main([*options, "--json", str(results), "--report", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "own (2 pictures)" in out
    closing = out.split("95 % interval\n")[1].splitlines()[:3]
    assert [line[:24].rstrip() for line in closing] == ["own", "every family", "family heart"]
    assert re.fullmatch(r"own +[34] +[\d.]+ +[\d.]+%  [\d.]+% to [\d.]+%", closing[0])
    document = json.loads(results.read_text())
    assert list(document) == ["own", "every family", "family heart"]
    assert document["own"]["pictures"] == 2
    assert document["own"]["checkpoint"]["all"]["slider"]["count"] > 0
    names = {path.name for path in folder.iterdir()}
    assert names >= {"report.md", "report.json", "own-errors.png", "own-classes.png"}
    text = (folder / "report.md").read_text()
    assert "| heart | left out | 1 |" in text


def test_results_of_a_bundle_are_what_compress_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names and figures that a manifest takes over."""
    pictures = picturesets.PictureSet("fixed", "two discs", 2, [sample(), sample()])
    monkeypatch.setattr(evaluate, "_picture_sets", lambda *_: [pictures])
    monkeypatch.setattr(
        evaluate, "_predictors", lambda *_: {"int8": Scripted(2.0), "fp32": Scripted()}
    )
    path = tmp_path / "results.json"
    assert evaluate.main(["--json", str(path)]) == 0
    recorded = {}
    monkeypatch.setattr(
        "compress.record.record_measurement",
        lambda _bundle, precision, testset, figures: recorded.update({precision: figures}),
    )
    record_results(Bundle.open(Path("runtime/weights")).directory, path)
    assert recorded["int8"]["gap_mae_px"] == 2
    assert recorded["fp32"]["gap_mae_px"] == 0
    assert recorded["int8"]["pictures"] == 2
    assert len(recorded["int8"]["fingerprint"]) == 64


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--checkpoint", "nowhere.pth"], "nowhere.pth"),
        (["--testset", "nonesuch"], "nonesuch"),
        (["--dataset", "nowhere"], "nowhere"),
        (["--families"], "name families"),
        (["--families", "hart"], "hart"),
        (["--bundle", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_code_two(
    options: list[str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "--families" in options:  # the shipped bundle is there; the set need not be
        monkeypatch.setattr(evaluate, "of_testset", lambda *_: None)
    assert evaluate.main(options) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert named in message


def test_other_pictures_than_recorded_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = picturesets.PictureSet("fixed", "a disc", 1, [sample()], fingerprint="0" * 64)
    with pytest.raises(TestSetError, match="expected 0000"):
        evaluate._measure({"int8": Scripted()}, pictures)


@pytest.mark.parametrize(("file", "name"), [("", "own"), ("val.json", "own-val")])
def test_a_data_set_is_called_after_its_folder(dataset: Path, file: str, name: str) -> None:
    if file:
        (dataset / file).write_bytes((dataset / "annotations.json").read_bytes())
    pictures = picturesets.of_dataset(dataset / file, None)
    assert (pictures.name, pictures.count, pictures.fingerprint) == (name, 3, None)
    assert len(list(pictures.samples)) == 3


def test_a_family_set_shows_the_family(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[SynthOptions] = []

    def render(_seed: int, index: int, options: SynthOptions, _photographs: object) -> object:
        asked.append(options)
        furniture = "watermark+text" if index % 2 else ""
        return replace(sample(), families={"shape": "heart", "furniture": furniture})

    monkeypatch.setattr(picturesets, "render", render)
    every, heart, text = picturesets.of_families(["heart", "text"], 2, None)
    assert len(list(every.samples)) == 2
    assert asked[-1].require == frozenset()
    # The set's own family alone decides, not one that was asked for after it.
    assert [one.families["furniture"] for one in heart.samples] == ["", "watermark+text"]
    assert asked[-1].require == {"heart"}
    asked.clear()
    shown = list(text.samples)
    assert [one.families["furniture"] for one in shown] == ["watermark+text"] * 2
    assert asked[-1].furniture_probability == 1
    assert len(asked) == 4  # two of them had no free place for it
