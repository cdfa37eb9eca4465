"""Coverage against points counted one by one: inside the polygon or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from runtime.geometry import Letterbox
from tests.train.fakes import outlined, sample
from train.canvas import prepare
from train.coverage import coverage_of, encode_shapes, moved
from train.data import collate
from train.synth import SynthOptions, render

SUB = 2  # points along a canvas pixel's side


def inside(x: np.ndarray, y: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Even-odd rule: how often a ray to the right crosses the polygon's sides."""
    odd = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        odd ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return odd


def counted(outlines: list[np.ndarray], letterbox: Letterbox, cell_px: int) -> np.ndarray:
    """Share of points of each cell inside any outline, f64 [256 / cell_px, 512 / cell_px]."""
    x, y = np.meshgrid(
        (np.arange(512 * SUB) + 0.5) / SUB - 0.5, (np.arange(256 * SUB) + 0.5) / SUB - 0.5
    )
    hit = np.zeros(x.shape, bool)
    for outline in outlines:
        # The contract's formula once more, by hand.
        scale = (letterbox.scale_x, letterbox.scale_y)
        polygon = (outline + 0.5) * scale - 0.5 + (letterbox.left, letterbox.top)
        hit |= inside(x, y, polygon)
    side = cell_px * SUB
    return hit.reshape(256 // cell_px, side, 512 // cell_px, side).mean(axis=(1, 3))


@pytest.mark.parametrize(("seed", "scale"), [(1, 1), (2, 1), (3, 2)])
def test_coverage_is_the_share_of_points_inside(seed: int, scale: int) -> None:
    options = SynthOptions(
        decoy_probability=1.0,
        rotation_probability=1.0,
        no_gap_probability=0.0,
        no_piece_probability=0.0,
    )
    one = render(seed, 0, options)
    height, width = one.picture.shape[:2]
    letterbox = Letterbox(width, height)
    shapes = coverage_of(one, letterbox, scale)
    assert shapes.shape == (64 // scale, 128 // scale, 3)
    for kind, name in enumerate(("gap", "slider", "decoy")):
        outlines = list(one.outlines_picture_xy[name])
        expected = counted(outlines, letterbox, 4 * scale)
        assert expected.max() > 0.9
        off = np.abs(shapes[..., kind] / 255 - expected)
        # The library's fill counts a subpixel that its edge touches.
        assert off.max() < 0.15, name
        assert off.mean() < 0.002, name
    assert np.array_equal(shapes, prepare(one, scale)[2])


def test_without_outlines_nothing_is_covered() -> None:
    assert not prepare(sample())[2].any()


def test_a_disc_covers_its_area_about_its_point() -> None:
    one = outlined(sample((200.3, 90.6), (60.0, 90.6), piece_size_px=50.0))
    _, truth, shapes = prepare(one)
    for kind, (x, y) in enumerate((truth[:2], truth[2:4])):
        cover = shapes[..., kind] / 255
        assert cover.sum() * 16 == pytest.approx(np.pi * (truth[10] / 2) ** 2, rel=0.03)
        i, j = np.mgrid[:64, :128]
        centre = ((cover * (4 * j + 1.5)).sum(), (cover * (4 * i + 1.5)).sum())
        np.testing.assert_allclose(np.array(centre) / cover.sum(), (x, y), atol=0.15)
    assert not shapes[..., 2].any()


def test_moving_by_whole_cells_moves_whole_cells() -> None:
    shapes = prepare(outlined(sample()))[2]
    same = moved(shapes, np.array([[1.0, 0, 12], [0, 1, -8]]))
    np.testing.assert_array_equal(same[:-2, 3:], shapes[2:, :-3])


def test_moving_agrees_with_the_outline_moved() -> None:
    """A turn, a scale and a shift of the map against the shape drawn where they take it."""
    cos, sin = 1.1 * np.cos(0.3), 1.1 * np.sin(0.3)
    matrix = np.array([[cos, -sin, 40.0], [sin, cos, -60.0]])
    one = outlined(sample((255.5, 127.5), None, size=(512, 256), piece_size_px=60.0))
    (disc,) = one.outlines_picture_xy["gap"]
    square = np.array([[210.0, 100], [310, 110], [290, 160], [220, 150]])
    for outline in (disc, square):
        before = outlined(sample((255.5, 127.5), None, size=(512, 256)))
        before = type(before)(**{**vars(before), "outlines_picture_xy": {"gap": (outline,)}})
        got = moved(prepare(before)[2], matrix)[..., 0] / 255
        there = outline @ matrix[:, :2].T + matrix[:, 2]
        expected = counted([there], Letterbox(512, 256), 4)
        assert np.abs(got - expected).max() < 0.35
        assert got.sum() == pytest.approx(expected.sum(), rel=0.03)
        i, j = np.mgrid[:64, :128]
        for axis in (i, j):
            ours, theirs = ((m * axis).sum() / m.sum() for m in (got, expected))
            assert ours == pytest.approx(theirs, abs=0.1)


def test_targets_are_zero_weight_on_padding_and_unknown_pictures() -> None:
    known = outlined(sample((150.0, 100.0), (40.0, 100.0), size=(200, 200)))
    unknown = sample((150.0, 100.0), (40.0, 100.0), size=(200, 200))
    nothing = sample(None, None, None, "negative", size=(200, 200))
    targets = encode_shapes(*collate([prepare(one) for one in (known, unknown, nothing)]))
    columns = targets.mask_weight[0, 0].amax(dim=0) > 0
    assert columns.nonzero().flatten().tolist() == list(range(32, 96))  # 256 of 512 pixels
    assert targets.mask_weight.amax(dim=(1, 2, 3)).tolist() == [1, 0, 1]
    assert targets.centre_weight.flatten(1).sum(dim=1).gt(0).tolist() == [True, False, False]
    assert torch.equal(targets.centre_weight[0, :, 0] > 0, targets.mask[0, :2] > 0.5)
