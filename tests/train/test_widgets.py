"""The second painter: exact truth, the content of the gap's place in the piece, every look."""

from collections.abc import Iterator

import numpy as np
import pytest

from train.synth import Sample
from train.widgets import LOOKS, widget
from train.widgets.cuts import POLYGONS, Cut
from train.widgets.layers import WHITE, blurred, fill, greyed, laid, line, shade

SHAPES = ["jigsaw", "canvas-jigsaw", *POLYGONS]


def of_look(name: str, count: int) -> Iterator[Sample]:
    first = list(LOOKS).index(name)
    return (widget(3, first + turn * len(LOOKS), None) for turn in range(count))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_anchor_is_the_centre_of_the_tight_box(shape: str) -> None:
    """From the mask's outermost columns and rows, whose coverage tells where the shape ends."""
    rng = np.random.default_rng(1)
    for side_px in (40.0, 57.3, 110.0):
        cut = Cut.draw(rng, shape, side_px)
        assert max(cut.width_px, cut.height_px) > 0.8 * side_px
        whole = cut.placed(np.zeros((260, 300, 3), np.uint8), 21, 13)
        for axis, (at, extent) in enumerate(
            zip(cut.anchor(21, 13), (cut.width_px, cut.height_px), strict=True)
        ):
            reached = np.flatnonzero(whole.max(axis=axis))
            assert reached[0] == (21, 13)[axis]
            assert reached[-1] == np.ceil(reached[0] + extent) - 1
            assert at == pytest.approx((2 * reached[0] + extent - 1) / 2)


def test_a_picture_is_the_same_whenever_it_is_drawn() -> None:
    first, again, other = widget(5, 1, None), widget(5, 1, None), widget(5, 10, None)
    np.testing.assert_array_equal(first.picture, again.picture)
    assert (first.gap_picture_xy, first.slider_picture_xy) == (
        again.gap_picture_xy,
        again.slider_picture_xy,
    )
    assert first.families["look"] == other.families["look"]
    assert not np.array_equal(first.picture, other.picture)


@pytest.mark.parametrize("name", LOOKS)
def test_gap_and_piece_lie_inside_on_one_row(name: str) -> None:
    for sample in of_look(name, 12):
        assert sample.families["look"] == name
        assert sample.difficulty == ("confusing" if name == "decoy" else "normal")
        height, width = sample.picture.shape[:2]
        assert (width, height) == LOOKS[name].size_px
        assert sample.gap_picture_xy is not None
        assert sample.slider_picture_xy is not None
        (gap_x, gap_y), (slider_x, slider_y) = sample.gap_picture_xy, sample.slider_picture_xy
        assert gap_y == slider_y
        assert gap_x - slider_x == round(gap_x - slider_x) > sample.piece_size_px / 2
        assert 0 < slider_x < LOOKS[name].start_px + sample.piece_size_px / 2
        assert gap_x < width
        assert 0 < gap_y < height


def test_the_white_look_starts_at_the_very_edge() -> None:
    """Its box is 42/42 + 2 · 0.336/2 bodies wide: one tab, one blank."""
    for sample in of_look("white", 5):
        assert sample.slider_picture_xy is not None
        body_px = sample.piece_size_px / 1.336
        assert sample.slider_picture_xy[0] + 0.5 == pytest.approx(1.336 * body_px / 2, abs=0.2)


def test_the_piece_shows_what_was_at_the_gaps_place() -> None:
    """The gap of this look is what was there, without colours; so is the piece but for its line."""
    alike = []
    for sample in of_look("grey", 12):
        assert sample.gap_picture_xy is not None
        assert sample.slider_picture_xy is not None
        grey = sample.picture.astype(np.float32) @ np.float32([0.114, 0.587, 0.299])
        y, reach = round(sample.gap_picture_xy[1]), 8
        gap, piece = (
            grey[y - reach : y + reach, round(x) - reach : round(x) + reach]
            for x in (sample.gap_picture_xy[0], sample.slider_picture_xy[0])
        )
        alike.append(np.abs(gap - 0.7 * piece).mean())
    assert np.median(alike) < 4


def test_layers_keep_to_their_place() -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    mask = np.zeros((60, 80), np.float32)
    mask[20:40, 30:50] = 1
    inside = mask[..., None] > 0
    assert np.all(laid(picture, mask, (1, 2, 3))[20:40, 30:50] == (1, 2, 3))
    for layer in (fill(WHITE, 0.5, 0.5), blurred(2, 0.8), greyed(0.7), line(2, WHITE, 1.0),
                  shade(3, WHITE, 1.0, inside=True)):  # fmt: skip
        changed = layer(rng, picture, mask)
        assert np.any(changed != picture)
        np.testing.assert_array_equal(np.where(inside, picture, changed), picture)
    for layer in (line(2, WHITE, 1.0, outside=True), shade(3, WHITE, 1.0, inside=False)):
        changed = layer(rng, picture, mask)
        assert np.any(changed != picture)
        np.testing.assert_array_equal(np.where(inside, changed, picture), picture)
    half = fill(WHITE, 0.5, 0.5)(rng, picture, mask)[30, 40]
    np.testing.assert_allclose(half, (picture[30, 40] + 255.0) / 2, atol=0.51)
