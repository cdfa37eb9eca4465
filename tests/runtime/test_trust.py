from __future__ import annotations

import numpy as np
import pytest

from runtime import Keypoint, Locator
from runtime.bundle import Thresholds
from runtime.trust import doubts
from runtime.view import View
from tests.runtime.conftest import MIN_SCORE, puzzle

# Shown at half their size: a row difference of 20 picture pixels is one of 10 canvas pixels.
VIEW = View.whole(1024, 512)
LIMITS = Thresholds(min_score=0.5, max_rival=0.8, max_row_difference_canvas_px=10.0)


def point(x: float = 100.0, y: float = 100.0, score: float = 0.9, rival: float = 0.1) -> Keypoint:
    return Keypoint(x, y, score, rival)


def piece(x: float = 40.0, y: float = 100.0, score: float = 0.9, rival: float = 0.1) -> Keypoint:
    return Keypoint(x, y, score, rival)


def reasons(gap: Keypoint, slider: Keypoint, limits: Thresholds = LIMITS) -> tuple[str, ...]:
    return doubts(gap, slider, VIEW, limits)


def test_nothing_speaks_against_a_good_answer():
    assert reasons(point(), piece()) == ()


@pytest.mark.parametrize(
    ("gap", "slider", "expected"),
    [
        (point(score=0.49), piece(), ("gap score 0.490 is below 0.500",)),
        (point(), piece(score=0.25), ("slider score 0.250 is below 0.500",)),
        (point(rival=0.81), piece(), ("gap rival 0.810 is above 0.800",)),
        (point(), piece(rival=0.95), ("slider rival 0.950 is above 0.800",)),
        (point(x=1024), piece(), ("gap lies outside the picture",)),
        (point(), piece(y=121), ("rows differ by 21.0 px, more than 20.0 px",)),
        (
            point(score=0.1), piece(score=0.2),
            ("nothing found", "gap score 0.100 is below 0.500",
             "slider score 0.200 is below 0.500"),
        ),
    ],
)  # fmt: skip
def test_each_doubt_is_told(gap, slider, expected):
    assert reasons(gap, slider) == expected


def test_limits_themselves_are_good_enough():
    assert reasons(point(score=0.5, rival=0.8), piece(y=120)) == ()


@pytest.mark.parametrize(
    ("across_px", "down_px"), [(0, 0), (15.9, 0), (-15.9, 0), (9, 12), (0, 15)]
)
def test_points_at_one_place_are_told_whatever_the_limits(across_px, down_px):
    # 16 picture pixels are 8 of the canvas; rows may differ by 20, so nothing else is told.
    found = reasons(point(), point(100 + across_px, 100 + down_px), Thresholds(min_score=0.0))
    assert found == ("both points at one place: one of them may be missing",)


def test_one_place_ends_two_cells_away():
    assert reasons(point(), point(x=116)) == reasons(point(), point(y=116)) == ()


def test_where_nothing_was_found_no_place_is_told():
    faint = point(score=0.1)
    assert not any("one place" in reason for reason in reasons(faint, faint))
    assert any("one place" in reason for reason in reasons(faint, point(score=0.5)))


def test_thresholds_that_were_not_fitted_never_object():
    answer = point(score=0, rival=1), piece(y=500, score=0, rival=1)
    assert reasons(*answer, Thresholds(min_score=0.0)) == ()


def test_a_point_outside_the_roi_is_told_as_such():
    view = View(1024, 512, left=200, top=0, width=400, height=200)
    assert doubts(point(x=199.4), point(x=299.5), view, LIMITS) == ("gap lies outside the roi",)


def test_the_locator_asks_its_bundles_thresholds(shared_bundle):
    faint = np.maximum(puzzle((300, 120), (50, 121)) // 2, 40)
    assert MIN_SCORE > 127 / 255
    with Locator(bundle=shared_bundle) as locator:
        found = locator.predict(faint)
    assert found.reasons[0] == "nothing found"
