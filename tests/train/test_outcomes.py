"""What is counted of answers, against truths that are known."""

import math

import numpy as np
import pytest

from tests.train.answered import add, answer, known_outcomes, many_outcomes
from tests.train.fakes import sample
from train.outcomes import GALLERY, Outcomes, misses_line, table


@pytest.fixture
def summary() -> dict:
    return known_outcomes().summary()


def test_points_are_counted_as_defined(summary: dict) -> None:
    gap, slider = summary["all"]["gap"], summary["all"]["slider"]
    assert gap["count"] == 3  # neither the negatives nor the ambiguous one
    assert gap["mae_px"] == pytest.approx(5 / 3)
    assert gap["accuracy_5px"] == pytest.approx(2 / 3)  # the refused one is a miss
    assert gap["accuracy_3px"] == pytest.approx(1 / 3)
    assert slider["count"] == 5
    assert slider["mae_px"] == pytest.approx(2 / 5)
    assert slider["refused"] == 0


def test_points_together(summary: dict) -> None:
    both = summary["all"]["points"]
    assert both["count"] == 8
    assert both["mae_px"] == pytest.approx((5 + 2) / 8)
    assert both["accuracy_5px"] == pytest.approx(7 / 8)


def test_classes_are_kept_apart(summary: dict) -> None:
    classes = summary["classes"]
    assert classes["normal"]["gap"]["mae_px"] == pytest.approx(5)
    assert classes["ambiguous"]["gap"]["mae_px"] == pytest.approx(100)
    assert math.isnan(classes["noise"]["gap"]["mae_px"])


def test_angle_and_abstention(summary: dict) -> None:
    assert summary["angle_error_deg"] == {"count": 1, "mean": pytest.approx(3)}
    assert summary["abstained_on_negatives"] == pytest.approx(0.5)


def test_the_gap_as_a_detection(summary: dict) -> None:
    found = summary["gap_detection"]
    # Found: 5 px off and 0 px off. Refused: one that is there, one that is not. Made up: one.
    assert (found["tp"], found["fp"], found["fn"], found["tn"]) == (2, 1, 1, 1)
    assert found["precision"] == pytest.approx(2 / 3)


def test_the_first_prediction_warms_up(summary: dict) -> None:
    times = summary["predict_ms"]
    assert times["count"] == 5
    assert times["median"] == 6
    assert times["p95"] == pytest.approx(np.percentile([2, 4, 6, 8, 10], 95))


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


@pytest.mark.parametrize(
    ("reason", "slider", "refused"),
    [
        ("gap score 0.1 is below 0.3", True, (True, False)),
        ("slider rival 0.9 is above 0.5", True, (False, True)),
        ("rows differ by 60.0 px, more than 4.0 px", True, (True, True)),
        # A picture without a piece: its rows say nothing about the gap.
        ("rows differ by 60.0 px, more than 4.0 px", False, (False, None)),
    ],
)
def test_a_reason_counts_against_the_point_it_concerns(
    reason: str, slider: bool, refused: tuple[bool, bool | None]
) -> None:
    outcomes = Outcomes()
    one = sample(slider=(40.0, 90.0) if slider else None)
    add(outcomes, one, answer((200, 90), (40, 90), reasons=(reason,)))
    (case,) = outcomes.cases
    assert case.trusts("gap") is not refused[0]
    if refused[1] is not None:
        assert case.trusts("slider") is not refused[1]


def test_only_the_worst_failures_keep_their_pictures() -> None:
    outcomes = Outcomes()
    for off in (9, *range(300, 300 - GALLERY - 3, -1)):
        add(outcomes, sample(gap=(10.0, 90.0)), answer((10 + off, 90), (40, 90)))
    assert sum(case.failed for case in outcomes.cases) == GALLERY + 3
    kept = [failure.case.worst for failure in outcomes.failures]
    assert kept == [(float(off), "gap") for off in range(300, 300 - GALLERY, -1)]


def test_an_ambiguous_gap_is_no_failure() -> None:
    outcomes = Outcomes()
    add(outcomes, sample(difficulty="ambiguous"), answer((300, 90), (40, 90)))
    assert outcomes.failures == []


@pytest.mark.parametrize(
    ("gap", "slider", "reasons", "expected"),
    [
        ((204, 92), (40, 94), (), (None, None)),
        ((204, 92), (40, 94), ("gap score 0.1 is below 0.3",), ("doubted", None)),
        ((206, 98), (40, 94), ("gap score 0.1 is below 0.3",), ("near", None)),
        ((48, 94), (204, 92), (), ("exchanged", "exchanged")),
        ((48, 98), (40, 90), (), ("elsewhere", None)),
        ((200, 90), (300, 90), (), (None, "elsewhere")),
    ],
)
def test_kinds_of_misses(
    gap: tuple[float, float],
    slider: tuple[float, float],
    reasons: tuple[str, ...],
    expected: tuple[str | None, str | None],
) -> None:
    outcomes = Outcomes()
    add(outcomes, sample(), answer(gap, slider, reasons=reasons))
    (case,) = outcomes.cases
    assert (case.miss("gap"), case.miss("slider")) == expected


def test_misses_are_what_accuracy_lacks() -> None:
    for outcomes in (known_outcomes(), many_outcomes()):
        summary = outcomes.summary()
        misses, points = summary["misses"], summary["all"]["points"]
        assert misses["points"] == points["count"]
        missed = sum(misses.values()) - misses["points"]
        assert missed / misses["points"] == pytest.approx(1 - points["accuracy_5px"])
    # 5 px off is no miss, a refused gap is one where there is a gap.
    assert known_outcomes().summary()["misses"] == {
        "points": 8, "doubted": 1, "near": 0, "exchanged": 0, "elsewhere": 0
    }  # fmt: skip
    assert "points missed (@5px): 12.5% (doubted 12.5%, near" in table(known_outcomes().summary())


def test_nothing_to_find_has_no_share_of_misses() -> None:
    assert misses_line(Outcomes().summary()["misses"]) == "points missed (@5px): –"
