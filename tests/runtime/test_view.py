from __future__ import annotations

import warnings

import numpy as np
import pytest

from runtime import InputError, Locator
from runtime.view import PictureSizeWarning, View, size_warning
from tests.runtime.conftest import puzzle

SCREEN = np.full((1080, 1920, 3), 40, np.uint8)
ROI = (700, 400, 512, 256)


def screenshot() -> np.ndarray:
    screen = SCREEN.copy()
    screen[400:656, 700:1212] = puzzle((300, 120), (50, 121))
    screen[900:1000, 100:200] = (255, 0, 255)  # redder and bluer still, outside the roi
    return screen


def test_answers_are_in_pixels_of_the_whole_picture(shared_bundle):
    with Locator(bundle=shared_bundle) as locator:
        found = locator.predict(screenshot(), roi=ROI)
    assert (found.gap.x, found.gap.y) == pytest.approx((1000, 520), abs=1e-3)
    assert (found.slider.x, found.slider.y) == pytest.approx((750, 521), abs=1e-3)
    assert (found.picture_width, found.picture_height) == (1920, 1080)
    assert found.ok
    assert found.draw(screenshot()).shape == SCREEN.shape


@pytest.mark.parametrize("roi", [(3, 5, 61, 17), (0, 0, 340, 190), (100, 2, 40, 188)])
def test_a_roi_is_the_same_as_the_picture_cut_out(shared_bundle, roi):
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (190, 340, 3), np.uint8)
    x, y, width, height = roi
    with Locator(bundle=shared_bundle) as locator:
        part = locator.predict(picture[y : y + height, x : x + width].copy())
        whole = locator.predict(picture, roi=roi)
    assert (whole.gap.x, whole.gap.y) == pytest.approx((part.gap.x + x, part.gap.y + y))
    assert (whole.slider.x, whole.slider.y) == pytest.approx((part.slider.x + x, part.slider.y + y))


def test_numpy_numbers_are_whole_numbers_too(shared_bundle):
    view = View.of(SCREEN, tuple(np.int64(ROI)))
    assert view == View(1920, 1080, *ROI)


@pytest.mark.parametrize(
    ("roi", "says"),
    [
        ((0, 0, 1921, 9), r"the roi \(x 0, y 0, width 1921, height 9\) does not lie within the "
                          "picture of 1920 x 1080 pixels"),
        ((-1, 0, 9, 9), "does not lie within"), ((0, 1072, 9, 9), "does not lie within"),
        ((5, 5, 0, 9), "does not lie within"), ((5, 5, 9, -4), "does not lie within"),
        ((1, 2, 3), "expected roi=.x, y, width, height. in whole pixels, got .1, 2, 3."),
        ((1.5, 2, 3, 4), "in whole pixels"), (7, "in whole pixels"), ("abcd", "in whole pixels"),
    ],
)  # fmt: skip
def test_a_roi_that_is_none_is_refused(shared_bundle, roi, says):
    with Locator(bundle=shared_bundle) as locator, pytest.raises(InputError, match=says):
        locator.predict(SCREEN, roi=roi)


def test_a_screenshot_without_roi_is_warned_of_where_the_caller_is(shared_bundle):
    with Locator(bundle=shared_bundle) as locator:
        with pytest.warns(PictureSizeWarning, match="1920 x 1080 pixels .* is .roi.") as caught:
            locator.predict(SCREEN)
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            locator.predict(SCREEN, roi=ROI)


@pytest.mark.parametrize(
    ("size", "warned"),
    [
        ((340, 190), False), ((700, 539), False), ((1280, 640), False), ((1281, 640), True),
        ((1280, 641), True), ((1366, 768), True), ((30, 700), True),
    ],
)  # fmt: skip
def test_from_which_size_on_it_is_warned(size, warned):
    assert (size_warning(*size) is not None) == warned


def test_the_display_width_scales_the_distance_alone(shared_bundle):
    with Locator(bundle=shared_bundle) as locator:
        shown = locator.predict(puzzle((300, 120), (50, 121)), display_width=256)
        assert shown.distance_px == pytest.approx(125, abs=1e-3)
        assert shown.gap.x == pytest.approx(300, abs=1e-3)
        with pytest.raises(InputError, match=r"display_width above 0 .*, got -1"):
            locator.predict(SCREEN[:100, :100], display_width=-1)
        with pytest.raises(InputError, match=r"display_width above 0 .*, got 0"):
            locator.stream([SCREEN[:100, :100]], display_width=0)
