"""Evaluation against truths that are known: a locator that answers from a script."""

import math

import pytest

from runtime import Keypoint, Location
from train.evaluate import Outcomes, table
from train.synth import Sample, render


def answer(
    gap: tuple[float, float],
    slider: tuple[float, float],
    angle_deg: float = 0.0,
    reasons: tuple[str, ...] = (),
) -> Location:
    return Location(
        Keypoint(*gap, 0.9, 0.1), Keypoint(*slider, 0.9, 0.1), angle_deg, 340, 190, reasons
    )


def sample(difficulty: str, gap: tuple[float, float] | None, angle: float | None = 0.0) -> Sample:
    picture = render(0, 0).picture
    return Sample(picture, gap, (20.0, 50.0), angle, difficulty, {}, 40.0)


@pytest.fixture
def summary() -> dict[str, object]:
    outcomes = Outcomes()
    outcomes.add(sample("normal", (100.0, 50.0)), answer((103.0, 54.0), (20.0, 50.0)))
    outcomes.add(sample("rotated", (100.0, 50.0), 30.0), answer((100.0, 50.0), (20.0, 52.0), 27.0))
    refused = answer((100.0, 50.0), (20.0, 50.0), reasons=("gap score 0.1 is below 0.3",))
    outcomes.add(sample("confusing", (100.0, 50.0)), refused)
    outcomes.add(sample("negative", None, None), refused)
    outcomes.add(sample("negative", None, None), answer((1.0, 1.0), (20.0, 50.0)))
    outcomes.add(sample("ambiguous", (100.0, 50.0)), answer((300.0, 50.0), (20.0, 50.0)))
    return outcomes.summary()


def test_points_are_counted_as_defined(summary: dict) -> None:
    gap, slider = summary["all"]["gap"], summary["all"]["slider"]
    assert gap["count"] == 3  # neither the negatives nor the ambiguous one
    assert gap["mae_px"] == pytest.approx(5 / 3)
    assert gap["accuracy_5px"] == pytest.approx(2 / 3)  # the refused one is a miss
    assert gap["accuracy_3px"] == pytest.approx(1 / 3)
    assert slider["count"] == 5
    assert slider["mae_px"] == pytest.approx(2 / 5)
    assert slider["refused"] == 0


def test_classes_are_kept_apart(summary: dict) -> None:
    classes = summary["classes"]
    assert classes["normal"]["gap"]["mae_px"] == pytest.approx(5)
    assert classes["ambiguous"]["gap"]["mae_px"] == pytest.approx(200)
    assert math.isnan(classes["noise"]["gap"]["mae_px"])


def test_angle_and_abstention(summary: dict) -> None:
    assert summary["angle_error_deg"] == {"count": 1, "mean": pytest.approx(3)}
    assert summary["abstained_on_negatives"] == pytest.approx(0.5)


def test_table_shows_every_class_that_occurs(summary: dict) -> None:
    text = table(summary)
    for name in ("all", "normal", "rotated", "confusing", "ambiguous"):
        assert name in text
    assert "noise" not in text


def test_headline_repeats_the_figures_flat(summary: dict) -> None:
    headline = summary["headline"]
    assert headline["gap_mae_px"] == pytest.approx(5 / 3, abs=1e-4)
    assert headline["slider_accuracy_5px"] == 1
    assert headline["angle_error_deg"] == pytest.approx(3)
    assert headline["abstained_on_negatives"] == 0.5
