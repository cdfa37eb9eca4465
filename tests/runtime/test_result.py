from __future__ import annotations

import dataclasses
import json
import math
import re

import numpy as np
import pytest

from runtime import InputError, Keypoint, Location

GAP, SLIDER = Keypoint(210.5, 80.25, 0.97, 0.1), Keypoint(40.0, 81.0, 0.99, 0.0)


def location(**changes: object) -> Location:
    fields = {"gap": GAP, "slider": SLIDER, "angle_deg": -12.5, "picture_width": 340,
              "picture_height": 190}  # fmt: skip
    return Location(**{**fields, **changes})


def test_distance_is_the_travel_along_x():
    assert location().distance_px == 170.5
    assert location(gap=SLIDER, slider=GAP).distance_px == -170.5


def test_distance_is_for_the_size_at_which_the_picture_is_shown():
    shown = location(display_width=170)
    assert shown.distance_px == 85.25
    assert (shown.gap, shown.slider) == (GAP, SLIDER)
    assert shown.to_dict()["distance_px"] == 85.25


@pytest.mark.parametrize("width", [0, -3, math.nan, math.inf, 1e308, "340"])
def test_a_display_width_is_above_0(width):
    with pytest.raises(InputError, match=re.escape(f", got {width!r}")):
        location(display_width=width)


def test_ok_is_the_absence_of_reasons():
    assert location().ok
    assert not location(reasons=("gap score too low",)).ok


def test_results_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        location().gap.x = 3.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        location().angle_deg = 3.0


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((math.nan, 0, 0.5, 0), "finite x, got nan"),
        ((0, math.inf, 0.5, 0), "finite y, got inf"),
        ((0, 0, 1.01, 0), r"score within 0\.\.1, got 1.01"),
        ((0, 0, -0.1, 0), r"score within 0\.\.1, got -0.1"),
        ((0, 0, 0.5, -1), "rival of at least 0, got -1"),
    ],
)
def test_keypoints_are_validated(values, says):
    with pytest.raises(ValueError, match=says):
        Keypoint(*values)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"angle_deg": -180.0}, r"within \(-180, 180\], got -180"),
        ({"angle_deg": 180.1}, "got 180.1"),
        ({"angle_deg": math.nan}, "got nan"),
        ({"picture_width": 0}, "at least 1 x 1 pixels, got 0 x 190"),
    ],
)
def test_locations_are_validated(changes, says):
    with pytest.raises(ValueError, match=says):
        location(**changes)


def test_to_dict_is_plain_json():
    found = location(reasons=("gap lies outside the picture",))
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == {
        "ok": False,
        "reasons": ["gap lies outside the picture"],
        "gap": {"x": 210.5, "y": 80.25, "score": 0.97, "rival": 0.1},
        "slider": {"x": 40.0, "y": 81.0, "score": 0.99, "rival": 0.0},
        "angle_deg": -12.5,
        "distance_px": 170.5,
        "picture_width": 340,
        "picture_height": 190,
        "display_width": None,
    }


@pytest.mark.parametrize("background", [0, 127, 255])
def test_draw_marks_both_points_on_a_copy(background):
    picture = np.full((190, 340, 3), background, np.uint8)
    drawn = location().draw(picture)
    assert (picture == background).all()
    assert drawn.shape == picture.shape
    changed = (drawn != picture).any(axis=2)
    for point in (GAP, SLIDER):
        x, y = round(point.x), round(point.y)
        assert changed[y - 4 : y + 5, x - 4 : x + 5].mean() > 0.4
        contrast = np.abs(drawn[y - 8 : y + 9, x - 8 : x + 9].astype(int) - background)
        assert contrast.max() >= 120
    assert changed.mean() < 0.15


def test_draw_takes_the_colours_of_an_array_as_predict_does():
    picture = np.full((190, 340, 3), (10, 20, 30), np.uint8)
    drawn = location().draw(picture, channel_order="rgb")
    assert drawn[0, 0].tolist() == [30, 20, 10]


def test_the_two_marks_have_different_shapes_and_colours():
    drawn = location().draw(np.zeros((190, 340, 3), np.uint8)).astype(int)
    gap = drawn[round(GAP.y), round(GAP.x)]
    slider = drawn[round(SLIDER.y), round(SLIDER.x)]
    assert np.abs(gap - slider).max() > 150
    # An upright cross has ink straight above its centre, a diagonal one has not.
    assert drawn[round(GAP.y) - 7, round(GAP.x)].any()
    assert not drawn[round(SLIDER.y) - 7, round(SLIDER.x)].any()


@pytest.mark.parametrize("y", [13.0, 95.0, 176.0], ids=["top", "middle", "bottom"])
def test_labels_leave_both_marks_free(y):
    """Near the border, too, and where the points are close: the marks are those without labels."""
    close = location(gap=Keypoint(170.0, y, 0.9, 0.1), slider=Keypoint(156.0, y, 0.9, 0.1))
    apart = location(gap=Keypoint(170.0, 95.0, 0.9, 0.1), slider=Keypoint(156.0, 95.0, 0.9, 0.1))
    blank = np.zeros((190, 340, 3), np.uint8)
    marks = close.draw(blank)[round(y) - 5 : round(y) + 6, 145:182]
    np.testing.assert_array_equal(marks, apart.draw(blank)[90:101, 145:182])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (5000, 40), (2400, 1600)])
def test_draw_on_any_size_and_points_outside(size):
    width, height = size
    outside = Keypoint(-900.0, height + 400.0, 0.1, 0.9)
    inside = Keypoint(width / 2, height / 2, 0.9, 0.0)
    found = location(gap=inside, slider=outside, picture_width=width, picture_height=height)
    picture = np.full((height, width, 3), 90, np.uint8)
    drawn = found.draw(picture)
    assert drawn.shape == picture.shape
    assert (drawn != picture).any()


def test_marks_grow_with_the_picture():
    def ink(scale: int) -> int:
        size = {"picture_width": 340 * scale, "picture_height": 190 * scale}
        points = {"gap": Keypoint(200.0 * scale, 90.0 * scale, 0.9, 0.0)}
        picture = np.full((190 * scale, 340 * scale, 3), 90, np.uint8)
        return int((location(**size, **points).draw(picture) != picture).sum())

    assert ink(6) > 6 * ink(1)


def test_draw_refuses_a_picture_of_another_size():
    with pytest.raises(InputError, match="340 x 190 pixels, got one of 190 x 340"):
        location().draw(np.zeros((340, 190, 3), np.uint8))
