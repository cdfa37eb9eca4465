"""The report against figures that are known."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from tests.train.answered import known_outcomes, many_outcomes
from tests.train.fakes import sample
from train import causes, checkpoint, history, report
from train.measured import Measured, Report, cause_counts, targets, wilson
from train.outcomes import Outcomes
from train.picturesets import PictureSet

NAN = float("nan")
ENGINE = {"engine": "script", "version": "1", "device": "cpu", "threads": 2}


def measured(outcomes: Outcomes, name: str = "discs", family: str | None = None) -> Measured:
    pictures = PictureSet(name, "grey discs", len(outcomes.cases), [], family=family)
    return Measured(pictures, "f" * 64, {"checkpoint": outcomes})


def whole(epochs: list[history.Epoch], *families: str) -> Report:
    sets = [measured(known_outcomes())]
    sets += [measured(known_outcomes(), f"family {name}", name) for name in families]
    return Report("checkpoint best_model.pth", {"checkpoint": ENGINE}, sets, epochs, ("heart",))


EPOCHS = [
    {"epoch": 1, "lr": 1e-3, "seconds": 3600, "train_loss": 2, "val_loss": 3, "val_mae": 9.0},
    {"epoch": 2, "lr": 1e-3, "seconds": 1800, "train_loss": 1, "val_loss": 1.05, "val_mae": 4.0},
    {"epoch": 3, "lr": 1e-4, "seconds": 1800, "train_loss": 0.8, "val_loss": 1.2, "val_mae": 4.5},
]


def rows(text: str, first: str) -> list[str]:
    """The cells of the table row that starts so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_targets_are_judged() -> None:
    found = {target.name: target for target in targets(known_outcomes().summary())}
    assert found["MAE, all points"].value == pytest.approx(7 / 8)
    assert found["MAE, all points"].reached is True
    assert found["within 5 px, all points"].value == pytest.approx(7 / 8)
    assert found["within 5 px, all points"].reached is False
    assert found["angle error, rotated gaps"].value == pytest.approx(3)
    assert found["angle error, rotated gaps"].reached is False
    goals = [target.goal for target in found.values()]
    assert goals == ["< 5 px", "< 5 px", "< 5 px", "> 85.0%", "> 98.0%", "> 99.5%", "< 2 °"]


def test_nothing_measured_is_neither_reached_nor_missed() -> None:
    assert {target.reached for target in targets(Outcomes().summary())} == {None}


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # By the closed formula, as printed by Brown, Cai and DasGupta (2001) and by statsmodels.
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (8, 10, 0.4902, 0.9433), (1, 20, 0.0089, 0.2361)],
)
def test_wilson_interval(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits / count, count) == pytest.approx((low, high), abs=1e-4)


def test_markdown_says_what_was_measured() -> None:
    text = report.markdown(whole(EPOCHS, "every family", "heart"))
    assert text.startswith("# Evaluation of checkpoint best_model.pth\n")
    assert rows(text, "MAE, all points") == ["MAE, all points", "< 5 px", "0.88 px", "", "✅"]
    # Of 5 pictures' 8 points: by the closed formula for 5.
    assert rows(text, "within 5 px, all points")[2:] == ["87.5%", "44.0% – 98.4%", "❌"]
    assert rows(text, "confusing")[1:6] == ["1", "16.7%", "0.00", "50.0%", "50.0%"]
    assert rows(text, "confusing")[7] == "> 95.2% ❌"
    assert rows(text, "checkpoint")[1:5] == ["gap", "3", "1.67", "0.00"]
    assert "1 pictures (16.7%)" not in text  # the ambiguous one is not a failure
    assert "0 pictures (0.0%) have a point more than 10 px off." in text
    assert "Points missed (@5px): 12.5% (doubted 12.5%, near 0.0%, exchanged 0.0%, " in text
    assert rows(text, "heart")[1:3] == ["left out", "6"]
    assert rows(text, "every family")[1] == "shown"
    assert rows(text, "training time")[1] == "2 h 0 min"
    assert rows(text, "best epoch")[1] == "2 of 3"
    assert rows(text, "final loss, validation")[1] == "1.2000"
    assert rows(text, "validation loss above training loss")[1] == "50.0%"
    assert rows(text, "overfitting")[1] == "marked"
    assert "| checkpoint | discs | script 1 on cpu | 2 | 6.00 | 9.60 | 5 |" in text


def test_without_a_history_training_is_not_known() -> None:
    assert "Not known" in report.markdown(whole([]))


def test_the_folder_holds_text_numbers_and_every_figure(tmp_path: Path) -> None:
    outcomes = many_outcomes()
    found = Report("bundle", {"checkpoint": ENGINE}, [measured(outcomes, "grey discs")], EPOCHS)
    path = report.write(found, tmp_path / "new" / "report")
    text = path.read_text()
    linked = set(re.findall(r"!\[[^]]*\]\(([^)]+)\)", text))
    present = {file.name for file in path.parent.iterdir()}
    assert present == linked | {"report.md", "report.json"}
    assert "training-curves.png" in linked
    assert "grey-discs-failures.png" in linked
    document = json.loads((path.parent / "report.json").read_text())
    numbers = document["sets"]["grey discs"]
    gap = outcomes.column("gap")
    expected = np.mean(gap.errors_px[gap.exists])
    assert numbers["checkpoint"]["all"]["gap"]["mae_px"] == pytest.approx(expected)
    assert numbers["checkpoint"]["classes"]["negative"]["gap"]["mae_px"] is None
    assert len(numbers["targets"]) == 7
    failures = [case for case in outcomes.cases if case.failed]
    assert sum(case.failed for case in outcomes.cases) == len(failures) > 12
    assert len(numbers["failures"]) == 12
    assert document["training"]["best_epoch"] == 2
    assert document["training"]["overfitting"] == pytest.approx(0.5)


def test_causes_are_counted_once_for_each_case() -> None:
    cases = known_outcomes().cases
    counts = cause_counts(cases)
    assert counts["rotation"] == 1
    assert counts["several gaps"] == 2
    assert counts["none of these"] == 3


def test_noise_is_measured() -> None:
    rng = np.random.default_rng(3)
    grey = np.full((120, 200, 3), 128, np.uint8)
    assert causes.noise_levels(grey) == 0
    noisy = np.clip(grey + rng.normal(0, 8, (120, 200, 1)), 0, 255).round().astype(np.uint8)
    assert causes.noise_levels(noisy) == pytest.approx(8, rel=0.15)
    edges = grey.copy()
    edges[:, 100:] = 250
    assert causes.noise_levels(edges) == 0


@pytest.mark.parametrize(
    ("inside", "stroke", "expected"), [(100, None, 28), (128, None, 0), (128, 250, 100)]
)
def test_contrast_is_measured(inside: int, stroke: int | None, expected: float) -> None:
    picture = np.full((120, 200, 3), 128, np.uint8)
    picture[40:81, 80:121] = inside
    if stroke is not None:
        picture[39:82, 79:122] = stroke
        picture[41:80, 81:120] = inside
    outline = np.array([[80.0, 40], [120, 40], [120, 80], [80, 80]])
    assert causes.contrast_levels(picture, outline) == pytest.approx(expected, abs=25)


def test_conditions_of_a_picture() -> None:
    one = sample(gap=(310.0, 90.0), angle_deg=-12.0)
    found = causes.measure(one)
    assert found.rotation_deg == 12
    assert found.margin_px == 339 - 310 - 25
    assert found.decoys == 0
    assert math.isinf(found.contrast_levels)
    assert found.causes == ("rotation",)
    assert causes.measure(sample(gap=(320.0, 90.0), angle_deg=0.0)).causes == ("edge position",)
    assert causes.measure(sample(gap=None, angle_deg=None)).causes == ()


def test_history_comes_back(tmp_path: Path) -> None:
    history.append(tmp_path, 1, 1e-3, 12.5, {"train_loss": 2.0, "val_mae": NAN})
    history.append(tmp_path, 2, 5e-4, 11.5, {"train_loss": 1.0, "val_mae": 4.0})
    first, second = history.read(tmp_path)
    assert first["epoch"] == 1
    assert math.isnan(first["val_mae"])
    assert second == {"epoch": 2, "lr": 5e-4, "seconds": 11.5, "train_loss": 1.0, "val_mae": 4.0}


def test_a_torn_or_foreign_line_is_skipped(tmp_path: Path) -> None:
    lines = ['{"epoch": 1, "lr": 1.0}', "[1]", '{"epoch": "2"}', "", '{"ep']
    (tmp_path / history.FILE_NAME).write_text("\n".join(lines))
    assert history.read(tmp_path) == [{"epoch": 1, "lr": 1.0}]
    assert history.read(tmp_path / "nowhere") == []


def test_a_resumed_run_takes_the_place_of_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    for epoch, rate in ((1, 0.1), (2, 0.2), (3, 0.3), (2, 0.5)):
        history.append(tmp_path, epoch, rate, 1.0, {})
    assert [(e["epoch"], e["lr"]) for e in history.read(tmp_path)] == [(1, 0.1), (2, 0.5)]


def test_checkpoints_stand_in_for_a_history(tmp_path: Path) -> None:
    for name, epoch, mae in (("best_model.pth", 4, 3.0), ("last.pth", 7, 3.5)):
        content = dict.fromkeys(checkpoint.REQUIRED_KEYS, 0)
        content |= {"epoch": epoch, "metrics": {"val_mae": mae, "best_mae": 3.0}}
        checkpoint.save(tmp_path / name, content)
    (tmp_path / "foreign.pth").write_text("no checkpoint")
    names = ("last.pth", "best_model.pth", "foreign.pth", "none.pth")
    found = history.summarise(history.of_checkpoints(tmp_path / name for name in names))
    assert found is not None
    assert (found.epochs, found.best_epoch, found.best_mae_px, found.final_mae_px) == (7, 4, 3, 3.5)
    assert math.isnan(found.seconds)
    assert found.verdict == "unknown"


@pytest.mark.parametrize(
    ("train", "validation", "verdict"),
    [(1.0, 0.9, "none"), (1.0, 1.05, "slight"), (1.0, 1.2, "marked"), (1.0, NAN, "unknown")],
)
def test_overfitting_in_a_word(train: float, validation: float, verdict: str) -> None:
    epoch = {"epoch": 1, "seconds": 1.0, "train_loss": train, "val_loss": validation}
    found = history.summarise([epoch])
    assert found is not None
    assert found.verdict == verdict
