"""What counts as seen: pixels that changed and a contour that stands out from the texture."""

import cv2
import numpy as np
import pytest

from train.synth import SynthOptions, render
from train.synth.scene import Scene
from train.synth.visible import contour_share, stands_out

HEIGHT, WIDTH = 120, 200
SQUARE = np.array([[60.0, 40.0], [100.0, 40.0], [100.0, 80.0], [60.0, 80.0]])
BOX = (slice(40, 81), slice(60, 101))


def leaves(seed: int) -> np.ndarray:
    """A texture without structure larger than a few pixels, u8 [120, 200, 3]."""
    noise = np.random.default_rng(seed).normal(128, 50, (HEIGHT, WIDTH, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1.0) * 2 - 128, 0, 255).astype(np.uint8)


def flat(level: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def test_a_dark_patch_on_a_plain_wall_stands_out():
    bare, picture = flat(150), flat(150)
    picture[BOX] = 90
    assert contour_share(picture, bare, SQUARE) == 1.0
    assert stands_out(picture, bare, SQUARE, 0.0)


def test_an_unchanged_picture_shows_nothing():
    assert not stands_out(leaves(1), leaves(1), SQUARE, 0.0)


def test_leaves_on_leaves_are_changed_pixels_but_no_shape():
    bare, picture = leaves(1), leaves(1)
    picture[BOX] = leaves(2)[BOX]
    assert np.abs(picture[BOX].astype(int) - bare[BOX]).mean() > 25
    assert contour_share(picture, bare, SQUARE) < 0.4
    assert not stands_out(picture, bare, SQUARE, 0.0)


@pytest.mark.parametrize("thickness", [1, 3, 4])
def test_a_drawn_outline_makes_leaves_on_leaves_a_shape(thickness: int):
    bare, picture = leaves(1), leaves(1)
    picture[BOX] = leaves(2)[BOX]
    cv2.polylines(picture, [SQUARE.astype(np.int32)], True, (255, 255, 255), thickness)
    assert stands_out(picture, bare, SQUARE, 0.0)


def test_the_direction_of_the_outline_does_not_matter():
    bare, picture = leaves(3), leaves(3)
    picture[BOX] //= 3
    assert contour_share(picture, bare, SQUARE) == pytest.approx(
        contour_share(picture, bare, SQUARE[::-1].copy()), abs=0.05
    )


def test_a_change_below_the_steps_of_the_texture_is_faint():
    bare = flat(100)
    picture = flat(100)
    picture[BOX] += 5
    assert contour_share(picture, bare, SQUARE) == 0.0
    assert contour_share(picture, bare, SQUARE, share=0.5) == 1.0


def test_what_is_meant_to_be_faint_must_outdo_the_texture_too():
    bare, picture = leaves(1), leaves(1)
    picture[BOX] = cv2.add(picture[BOX], (12.0, 12.0, 12.0, 0.0))
    assert contour_share(picture, bare, SQUARE, share=0.6) < 0.1
    assert not stands_out(picture, bare, SQUARE, 0.0, share=0.6)


def test_an_outline_outside_the_picture_is_left_to_its_pixels():
    assert contour_share(flat(9), flat(9), SQUARE + 500.0) == 1.0


def test_a_piece_to_the_right_of_its_gap_lies_on_texture():
    options = SynthOptions(degradations=(), furniture_probability=0.0)
    right = 0
    for index in range(150):
        sample = render(77, index, options)
        gap, slider = sample.gap_picture_xy, sample.slider_picture_xy
        right += gap is not None and slider is not None and slider[0] > gap[0]
    assert 0 < right < 15


def test_an_even_wall_tells_no_roles_and_texture_does():
    for index in range(400):
        scene = Scene(np.random.default_rng(index), SynthOptions(), None)
        if scene.has_gap and scene.has_piece and scene.layout.slider_xy[0] > scene.layout.gap_xy[0]:
            height, width = scene.source.shape[:2]
            assert not scene._roles_clear(np.full((height, width, 3), 90, np.uint8))
            noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
            assert scene._roles_clear(noise)
            return
    pytest.fail("no picture with its piece on the right was drawn")


def test_plain_pictures_show_the_gap_and_the_piece_alone():
    options = SynthOptions(plain_probability=1.0)
    for index in range(40):
        sample = render(5, index, options)
        assert sample.families["furniture"] == sample.families["effects"] == ""
        assert sample.difficulty in {"normal", "low-contrast", "edge", "negative"}
