from __future__ import annotations

import dataclasses
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

import train
from compress import thresholds
from compress.calibration import DEFAULT_SEED
from compress.errors import CompressionError
from compress.thresholds import SEED, Case, fit, rates
from runtime import Bundle, Keypoint, Location, Locator
from runtime.bundle import ThresholdFit, Thresholds, default_bundle_path
from train.config import Config
from train.synth import Sample, SynthOptions, render

SIZE = {"picture_width": 512, "picture_height": 256}


def case(
    right: bool, score: float, rival: float = 0.1, rows: float = 0.0, has_gap: bool = True
) -> Case:
    """A case whose statistics are these: the picture is as large as the canvas."""
    gap = Keypoint(300.0, 100.0 + rows, score, 0.0)
    slider = Keypoint(50.0, 100.0, 0.99, rival)
    return Case(Location(gap, slider, 0.0, **SIZE), right, has_gap)


def shares(cases: list[Case], limits: Thresholds) -> tuple[float, float]:
    refused = np.array([case.refused(limits) for case in cases])
    right = np.array([case.right for case in cases])
    return refused[right].mean(), refused[~right].mean()


RNG = np.random.default_rng(4)
RIGHT = [
    case(True, s, r)
    for s, r in zip(RNG.uniform(0.5, 1, 500), RNG.uniform(0, 0.6, 500), strict=True)
]


def test_each_kind_of_wrong_answer_is_told_apart():
    kinds = {
        "min_score": [case(False, score) for score in RNG.uniform(0, 0.45, 100)],
        "max_rival": [case(False, 0.9, rival) for rival in RNG.uniform(0.7, 1, 100)],
        "max_row_difference_canvas_px": [
            case(False, 0.9, 0.1, rows) for rows in RNG.uniform(20, 90, 100)
        ],
    }
    never = Thresholds(min_score=0.0)
    for name, wrong in kinds.items():
        limits = fit([*RIGHT, *wrong], 0.01)
        false, true = shares([*RIGHT, *wrong], limits)
        assert false <= 0.01
        assert true == 1
        others = dataclasses.replace(limits, **{name: getattr(never, name)})
        assert others == never, "the loosest of equally good thresholds are taken"


def test_no_more_of_the_right_answers_is_refused_than_allowed():
    wrong = [
        case(False, s, r)
        for s, r in zip(RNG.uniform(0, 1, 300), RNG.uniform(0, 1, 300), strict=True)
    ]
    found = {}
    for allowed in (0.01, 0.05, 0.2):
        false, found[allowed] = shares([*RIGHT, *wrong], fit([*RIGHT, *wrong], allowed))
        assert false <= allowed
    assert 0 < found[0.01] < found[0.05] < found[0.2] < 1


def test_no_threshold_doubts_what_the_decode_takes_for_one_row():
    right = [case(True, 0.9, rows=rows) for rows in RNG.uniform(0, 0.5, 200)]
    wrong = [case(False, 0.9, rows=rows) for rows in RNG.uniform(1, 40, 200)]
    assert fit([*right, *wrong], 0.01).max_row_difference_canvas_px == 8


@pytest.mark.parametrize("cases", [RIGHT, [*RIGHT[:50], case(False, 0.1)], [case(False, 0.1)] * 9])
def test_too_little_to_tell_apart(cases):
    with pytest.raises(CompressionError, match="answers are right, too few or too many to refuse"):
        fit(cases, 0.01)


def test_rates_are_those_of_the_three_kinds():
    cases = [case(True, 0.9)] * 3 + [case(True, 0.1)]
    cases += [case(False, 0.9)] * 2 + [case(False, 0.1, has_gap=False)] * 2
    assert rates(cases, Thresholds(min_score=0.5)) == (0.25, 0.5, 1.0)
    with pytest.raises(CompressionError, match="too few pictures to state rates"):
        rates(RIGHT, Thresholds(min_score=0.5))


def _at(point: tuple[float, float] | None) -> Keypoint:
    x, y = point or (9.0, 9.0)
    return Keypoint(x + 3, y + 4, 0.9, 0.0)  # 5 px off, which just counts as right


@pytest.mark.parametrize("difficulty", ["normal", "ambiguous", "negative"])
def test_what_counts_as_right(difficulty):
    options = SynthOptions(no_gap_probability=0.3, ambiguous_probability=0.3)
    samples = (render(5, index, options) for index in range(100))
    sample = next(s for s in samples if s.difficulty == difficulty)
    height, width = sample.picture.shape[:2]
    answer = Location(_at(sample.gap_picture_xy), _at(sample.slider_picture_xy), 0.0, width, height)
    assert Case.of(sample, answer).right == (difficulty == "normal")
    assert Case.of(sample, answer).has_gap == (sample.gap_picture_xy is not None)
    further = dataclasses.replace(answer.gap, x=answer.gap.x + 0.1)
    assert not Case.of(sample, dataclasses.replace(answer, gap=further)).right
    if difficulty == "normal":
        lost: Sample = dataclasses.replace(sample, slider_picture_xy=None)
        assert not Case.of(lost, answer).right


@pytest.fixture
def bundle_dir(tmp_path) -> Path:
    """A copy of the shipped bundle."""
    return Path(shutil.copytree(default_bundle_path(), tmp_path / "bundle"))


def test_the_command_writes_what_it_found(bundle_dir, capsys, monkeypatch):
    seen = []

    def fit_anything(cases, share):
        seen.append((len(cases), share))
        return Thresholds(0.99, 0.5, 9.0)

    monkeypatch.setattr(thresholds, "fit", fit_anything)
    monkeypatch.setattr(thresholds, "rates", lambda cases, limits: (0.5, 1.0, len(cases) / 4))
    before = Bundle.open(bundle_dir)
    assert thresholds.main([str(bundle_dir), "--pictures", "3"]) == 0
    assert seen == [(3, 0.01)]
    out = capsys.readouterr().out
    assert (
        "fitted on 3 pictures answered by int8: score >= 0.99, rival <= 0.5, rows within 9" in out
    )
    assert [line.split() for line in out.splitlines()[2:6]] == [
        ["right", "wrong", "no", "gap"],
        *([precision, "50.0%", "100.0%", "75.0%"] for precision in ("fp16", "fp32", "int8")),
    ]
    after = Bundle.open(bundle_dir)
    after.verify()
    expected = Thresholds(0.99, 0.5, 9.0, ThresholdFit("int8", 3, 0.5, 1.0, 0.75))
    assert after.manifest.thresholds == expected
    assert all(not artefact.measured for artefact in after.manifest.artefacts.values())
    golden = after.manifest.golden
    assert golden.sha256 == before.manifest.golden.sha256
    assert "gap score" in golden.answer["int8"]["reasons"][1]
    with Locator(bundle=bundle_dir) as locator:
        assert locator.predict(after.read_golden(golden)).to_dict() == golden.answer["int8"]
    json.loads((bundle_dir / "manifest.json").read_text(), parse_constant=pytest.fail)


def test_what_cannot_be_fitted_is_left_as_it_was(bundle_dir, capsys):
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in bundle_dir.iterdir()}

    before = content()
    for arguments, says in (
        (["--precision", "int4"], "holds fp16, fp32, int8, not int4"),
        (["--pictures", "2", "--max-false-abstention", "0.001"], "too few or too many"),
    ):
        assert thresholds.main([str(bundle_dir), *arguments]) == 2
        assert says in capsys.readouterr().err
    assert content() == before
    (bundle_dir / "notes.txt").write_text("mine")
    assert thresholds.main([str(bundle_dir), "--pictures", "1"]) == 2
    assert "notes.txt" in capsys.readouterr().err


def test_thresholds_are_fitted_on_a_stream_of_their_own():
    testsets = tomllib.loads(Path(train.__file__).with_name("testsets.toml").read_text("utf-8"))
    taken = {entry["seed"] for entry in testsets.values()} | {Config().data.seed, DEFAULT_SEED}
    assert SEED not in taken
