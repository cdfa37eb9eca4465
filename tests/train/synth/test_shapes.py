"""Outlines: normalisation, turning, symmetry."""

import cv2
import numpy as np
import pytest

from train.synth.families import FAMILIES
from train.synth.patch import rasterise
from train.synth.shapes import draw_outline, has_defined_angle, overlap, turn

SHAPES = list(FAMILIES["shape"])


@pytest.mark.parametrize("family", SHAPES)
def test_outline_is_anchored_at_its_tight_box(family: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        outline = draw_outline(rng, family)
        low, high = outline.min(axis=0), outline.max(axis=0)
        np.testing.assert_allclose(low + high, 0, atol=1e-9)
        assert (high - low).max() == pytest.approx(1)


@pytest.mark.parametrize("family", SHAPES)
def test_outlines_of_a_family_differ(family: str) -> None:
    rng = np.random.default_rng(2)
    silhouettes = {draw_outline(rng, family).round(3).tobytes() for _ in range(12)}
    assert len(silhouettes) > 3


@pytest.mark.parametrize("family", ["jigsaw-round", "jigsaw-square"])
def test_deep_blanks_take_more_of_a_piece_and_leave_it_whole(family: str) -> None:
    """Solidity, area over the convex hull's, falls with what is cut out."""

    def solidities(probability: float) -> list[float]:
        rng = np.random.default_rng(7)
        found = []
        for _ in range(200):
            mask = np.zeros((110, 110), np.uint8)
            at = np.rint(draw_outline(rng, family, probability) * 100 + 55).astype(np.int32)
            cv2.fillPoly(mask, [at], 1)
            (outline,), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            found.append(mask.sum() / cv2.contourArea(cv2.convexHull(outline)))
        return found

    assert np.mean(solidities(1.0)) < np.mean(solidities(0.0)) - 0.01


@pytest.mark.parametrize("angle_deg", [-41.0, -7.0, 13.0, 45.0, 90.0])
def test_turn_is_anticlockwise_as_seen(angle_deg: float) -> None:
    """OpenCV's rotation matrix is the reference: its positive angles are anticlockwise."""
    matrix = cv2.getRotationMatrix2D((0, 0), angle_deg, 1.0)[:, :2]
    points = np.random.default_rng(3).normal(size=(20, 2))
    np.testing.assert_allclose(turn(points, angle_deg), points @ matrix.T, atol=1e-9)


def _regular(corners: int) -> np.ndarray:
    angles = np.arange(corners) * 2 * np.pi / corners
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) / 2


@pytest.mark.parametrize("corners", [4, 5, 6, 8, 64])
def test_symmetric_shapes_have_no_angle(corners: int) -> None:
    assert not has_defined_angle(_regular(corners))


def test_asymmetric_shapes_have_an_angle() -> None:
    arrow = np.array([[-1, -0.3], [0, -0.3], [0, -0.9], [1, 0], [0, 0.9], [0, 0.3], [-1, 0.3]])
    assert has_defined_angle(arrow / 2)
    assert has_defined_angle(_regular(3))  # turns onto itself only at 120 degrees


def test_overlap_is_intersection_over_union() -> None:
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    assert overlap(square, square) == 1
    assert overlap(square, square * [0.5, 1]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("family", SHAPES)
def test_rasterised_mask_has_the_anchor_at_its_tight_box_centre(family: str) -> None:
    """The truth by SPEC's definition, measured on the mask's pixels."""
    rng = np.random.default_rng(4)
    for _ in range(10):
        outline = draw_outline(rng, family) * 60
        anchor = np.array([80.0, 60.0]) + rng.uniform(-0.5, 0.5, 2)
        patch = rasterise(outline + anchor, 160, 120, pad=4)
        rows = np.flatnonzero((patch.alpha > 0.02).any(axis=1)) + patch.top
        columns = np.flatnonzero((patch.alpha > 0.02).any(axis=0)) + patch.left
        centre = [(columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2]
        np.testing.assert_allclose(centre, anchor, atol=1.0)


def test_rasterised_area_is_the_polygons() -> None:
    square = np.array([[10.0, 20.0], [30.0, 20.0], [30.0, 50.0], [10.0, 50.0]]) + 0.25
    patch = rasterise(square, 100, 100, pad=3)
    # cv2.fillPoly includes the boundary's pixels, hence a margin of an eighth of a pixel a side.
    assert patch.alpha.sum() == pytest.approx(600, rel=0.03)


def test_window_is_cut_at_the_border() -> None:
    square = np.array([[-5.0, -5.0], [5.0, -5.0], [5.0, 5.0], [-5.0, 5.0]])
    patch = rasterise(square, 50, 40, pad=12)
    assert (patch.left, patch.top) == (0, 0)
    assert patch.alpha.shape == (18, 18)
