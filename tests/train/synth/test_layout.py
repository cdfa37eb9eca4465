"""Layouts: everything inside the picture, on one row, decoys that differ from the gap."""

import numpy as np
import pytest

from train.synth.layout import Layout, draw_layout
from train.synth.sample import SynthOptions
from train.synth.shapes import overlap

WIDTH, HEIGHT = 340, 190


def layouts(count: int, **options: object) -> list[Layout]:
    rng = np.random.default_rng(5)
    return [
        draw_layout(rng, WIDTH, HEIGHT, SynthOptions(**options), has_both=True)
        for _ in range(count)
    ]


def test_gap_and_piece_lie_inside_on_one_row() -> None:
    drawn = layouts(300)
    for layout in drawn:
        for outline in (layout.gap_picture_xy, layout.slider_picture_xy):
            assert outline.min() > -1
            assert np.all(outline.max(axis=0) < [WIDTH, HEIGHT])
        assert abs(layout.gap_xy[1] - layout.slider_xy[1]) <= 2
    exact = [layout for layout in drawn if layout.gap_xy[1] == layout.slider_xy[1]]
    assert len(exact) > 0.85 * len(drawn)


def test_both_directions_and_overlap_occur() -> None:
    travel = [layout.gap_xy[0] - layout.slider_xy[0] for layout in layouts(300)]
    assert 0.6 < np.mean(np.array(travel) > 0) < 0.99


def travels_and_overlaps(**options: float) -> tuple[np.ndarray, np.ndarray]:
    """Of 300 layouts: the travel in pixels, and whether the boxes of gap and piece overlap in x."""
    drawn = layouts(300, rotation_probability=0.0, **options)
    travel = np.array([layout.gap_xy[0] - layout.slider_xy[0] for layout in drawn])
    wide = np.array([np.ptp(layout.piece_outline[:, 0]) for layout in drawn])
    return travel, np.abs(travel) < wide


def test_pieces_lie_over_or_right_of_their_gap_as_often_as_asked() -> None:
    # At a picture's edge a piece has no place on one side; a gap in 30 lies there.
    travel, over = travels_and_overlaps(overlapping_probability=1.0, right_probability=1.0)
    assert over.mean() > 0.95
    assert np.mean(travel < 0) > 0.9
    travel, over = travels_and_overlaps(overlapping_probability=0.0, right_probability=0.0)
    assert over.mean() < 0.05
    assert np.mean(travel < 0) < 0.05
    travel, over = travels_and_overlaps(right_probability=1.0)
    assert 0.05 < over.mean() < 0.2
    assert 0.2 < np.mean(travel < 0) < 0.5  # half of those anywhere on the row


def test_pieces_touch_the_left_edge_as_often_as_asked() -> None:
    """The border of the leftmost pixels lies at -0.5; by default nothing reaches it."""

    def lefts(**options: float) -> np.ndarray:
        drawn = layouts(300, overlapping_probability=0.0, **options)
        return np.array([layout.slider_picture_xy[:, 0].min() for layout in drawn])

    assert lefts().min() > -0.5
    touching = np.isclose(lefts(flush_probability=1.0), -0.5)
    assert touching.mean() == pytest.approx(5 / 9, abs=0.09)
    assert np.isclose(lefts(flush_probability=0.5), -0.5).mean() == pytest.approx(5 / 18, abs=0.08)
    for layout in layouts(100, flush_probability=1.0, overlapping_probability=0.0):
        assert layout.gap_picture_xy[:, 0].max() <= WIDTH - 1 + 1e-9


def test_piece_sizes_span_the_range() -> None:
    sizes = np.array([layout.size_px for layout in layouts(500)]) / HEIGHT
    assert sizes.min() < 0.10
    assert sizes.max() > 0.44


def test_no_rotation_means_equal_outlines() -> None:
    for layout in layouts(20, rotation_probability=0.0):
        np.testing.assert_array_equal(layout.gap_outline, layout.piece_outline)


def test_decoys_can_be_told_from_the_gap() -> None:
    count = 0
    for layout in layouts(300, decoy_probability=1.0, ambiguous_probability=0.0):
        gap = layout.gap_picture_xy
        size = np.ptp(gap, axis=0).max()
        for decoy in layout.decoys:
            count += 1
            box = decoy.outline_picture_xy
            middle = (box.min(axis=0) + box.max(axis=0)) / 2
            other_row = abs(middle[1] - (gap[:, 1].min() + gap[:, 1].max()) / 2) > 5
            alike = overlap(gap / size - gap.mean(0) / size, (box - box.mean(0)) / size) > 0.9
            assert other_row or not alike or decoy.strength <= 0.6
    assert count > 200


def test_ambiguous_decoys_match_in_row_shape_and_strength() -> None:
    drawn = [x for x in layouts(80, ambiguous_probability=1.0) if x.ambiguous]
    assert len(drawn) > 40
    for layout in drawn:
        (decoy,) = layout.decoys
        travel = decoy.outline_picture_xy - layout.gap_picture_xy
        np.testing.assert_allclose(travel, np.broadcast_to([travel[0, 0], 0], travel.shape))
        assert decoy.strength == 1


@pytest.mark.parametrize(
    ("width", "height"), [(200, 77), (700, 270), (260, 200)], ids=["low", "wide", "tall"]
)
def test_any_picture_size(width: int, height: int) -> None:
    rng = np.random.default_rng(6)
    for _ in range(100):
        layout = draw_layout(rng, width, height, SynthOptions(), has_both=True)
        assert layout.gap_picture_xy.min() > -1
        assert np.all(layout.gap_picture_xy.max(axis=0) < [width, height])
