from __future__ import annotations

import re
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH, Letterbox, decode

sides = st.integers(1, 8000) | st.integers(1, 40)
sizes = st.tuples(sides, sides)
rectangles = st.tuples(st.integers(60, 1200), st.integers(60, 1200))


@given(sizes)
def test_layout_follows_the_contract_in_exact_arithmetic(size):
    width, height = size
    letterbox = Letterbox(width, height)
    scale = min(Fraction(512, width), Fraction(256, height))
    assert letterbox.width == max(1, int(width * scale + Fraction(1, 2)))
    assert letterbox.height == max(1, int(height * scale + Fraction(1, 2)))
    assert letterbox.width == 512 or letterbox.height == 256
    assert 0 <= letterbox.left == (512 - letterbox.width) // 2
    assert 0 <= letterbox.top == (256 - letterbox.height) // 2
    assert letterbox.shrinks == (scale < 1)


@given(sizes, st.tuples(st.floats(-1, 2), st.floats(-1, 2)))
def test_points_survive_the_round_trip(size, shares):
    letterbox = Letterbox(*size)
    picture_xy = np.array(shares) * size
    back = letterbox.to_picture(letterbox.to_canvas(picture_xy))
    assert np.abs(back - picture_xy).max() < 1e-6


@given(sizes)
def test_picture_edges_map_to_the_edges_of_its_place(size):
    letterbox = Letterbox(*size)
    edges = letterbox.to_canvas([[-0.5, -0.5], [size[0] - 0.5, size[1] - 0.5]])
    left, top = letterbox.left - 0.5, letterbox.top - 0.5
    assert edges == pytest.approx(
        np.array([[left, top], [left + letterbox.width, top + letterbox.height]])
    )


def test_points_keep_their_leading_shape():
    letterbox = Letterbox(340, 190)
    points = np.arange(24.0).reshape(3, 4, 2)
    together = letterbox.to_canvas(points)
    assert together.shape == (3, 4, 2)
    assert together[2, 1] == pytest.approx(letterbox.to_canvas(points[2, 1]))


@settings(max_examples=40, deadline=None)
@given(rectangles, st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)))
def test_a_painted_spot_lands_where_to_canvas_says(size, shares):
    """The centroid of a soft spot, which resampling hardly moves."""
    width, height = size
    centre = np.array(shares) * (width - 1, height - 1)
    letterbox = Letterbox(width, height)
    spread = max(2.0, 2.0 / min(letterbox.scale_x, letterbox.scale_y))
    assume(4 * spread < 0.3 * (min(size) - 1))  # all of the spot is inside the picture
    y, x = np.mgrid[:height, :width]
    distance2 = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
    spot = np.rint(255 * np.exp(-distance2 / (2 * spread**2))).astype(np.uint8)
    weights = letterbox.render(np.repeat(spot[..., None], 3, axis=2))[..., 0].astype(np.float64)
    rows, columns = np.mgrid[:CANVAS_HEIGHT, :CANVAS_WIDTH]
    centroid = [(weights * columns).sum() / weights.sum(), (weights * rows).sum() / weights.sum()]
    assert centroid == pytest.approx(letterbox.to_canvas(centre), abs=0.1)


@pytest.mark.parametrize("size", [(340, 190), (61, 17), (30, 200), (257, 100)])
def test_upscaling_agrees_with_an_affine_warp(size):
    """cv2.warpAffine samples at the contract's inverse mapping; only rounding may differ."""
    rng = np.random.default_rng(3)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (size[1], size[0], 3), np.uint8), (0, 0), 1.5)
    letterbox = Letterbox(*size)
    (a, b), (c, d) = letterbox.to_picture([[0, 0], [1, 1]])
    inverse = np.array([[c - a, 0, a], [0, d - b, b]])
    warped = cv2.warpAffine(
        picture, inverse, (CANVAS_WIDTH, CANVAS_HEIGHT),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    canvas = letterbox.render(picture)
    inside = canvas[..., 3] == 255
    difference = np.abs(canvas[..., 2::-1].astype(int) - warped)[inside]
    assert difference.max() <= 3  # warpAffine rounds positions to 1/32 pixel
    assert difference.mean() < 0.5


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(1, 900), st.integers(1, 900)), st.binary(min_size=1, max_size=3))
def test_mask_and_padding(size, seed):
    rng = np.random.default_rng(list(seed))
    picture = rng.integers(1, 256, (size[1], size[0], 3), np.uint8)
    letterbox = Letterbox(*size)
    canvas = letterbox.render(picture)
    expected = np.zeros((CANVAS_HEIGHT, CANVAS_WIDTH), np.uint8)
    bottom, right = letterbox.top + letterbox.height, letterbox.left + letterbox.width
    expected[letterbox.top : bottom, letterbox.left : right] = 255
    assert np.array_equal(canvas[..., 3], expected)
    assert not canvas[expected == 0].any()
    assert canvas[expected == 255].all()


@pytest.mark.parametrize("size", [(1, 1), (8000, 1), (1, 8000), (340, 190), (700, 700)])
def test_render_overwrites_all_of_out(size):
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    out = np.full((256, 512, 4), 99, np.uint8)
    returned = Letterbox(*size).render(picture, out=out)
    assert returned is out
    assert np.array_equal(out, Letterbox(*size).render(picture))


def test_render_of_a_large_picture():
    letterbox = Letterbox(8000, 8000)
    canvas = letterbox.render(np.full((8000, 8000, 3), (10, 20, 30), np.uint8))
    assert canvas[128, 256].tolist() == [30, 20, 10, 255]
    assert (letterbox.left, letterbox.width) == (128, 256)


def test_wrong_arguments_are_refused():
    letterbox = Letterbox(20, 10)
    picture = np.zeros((10, 20, 3), np.uint8)
    with pytest.raises(ValueError, match="at least 1 x 1 pixels, got 0 x 5"):
        Letterbox(0, 5)
    with pytest.raises(ValueError, match=re.escape("uint8 [10, 20, 3] picture, got uint8 [20,")):
        letterbox.render(np.zeros((20, 10, 3), np.uint8))
    with pytest.raises(ValueError, match="got float64"):
        letterbox.render(picture.astype(np.float64))
    with pytest.raises(ValueError, match="C-contiguous"):
        letterbox.render(picture, out=np.zeros((256, 512, 8), np.uint8)[..., ::2])
    blank = np.zeros((64, 128))
    vectors = np.zeros((2, 64, 128))
    with pytest.raises(ValueError, match=re.escape("shape [64, 128], got [128, 64]")):
        decode(blank.T, blank, vectors, vectors, vectors)
    with pytest.raises(ValueError, match=re.escape("shape [2, 64, 128], got [64, 128]")):
        decode(blank, blank, vectors, vectors, blank)


@given(
    st.tuples(st.integers(0, 63), st.integers(0, 127)),
    st.tuples(st.floats(-0.5, 0.5, width=32), st.floats(-0.5, 0.5, width=32)),
)
def test_decode_inverts_the_target_encoding(cell, offset):
    i, j = cell
    heatmap = np.zeros((64, 128), np.float32)
    heatmap[i, j] = 0.75
    offsets = np.zeros((2, 64, 128), np.float32)
    offsets[:, i, j] = offset
    angle = np.zeros((2, 64, 128), np.float32)
    angle[:, i, j] = (0.6, 0.8)
    raw = decode(heatmap, heatmap, offsets, offsets, angle)
    x, y, score, rival = raw.keypoints[0]
    assert x == pytest.approx((j + 0.5 + offset[0]) * 4 - 0.5, abs=1e-3)
    assert y == pytest.approx((i + 0.5 + offset[1]) * 4 - 0.5, abs=1e-3)
    assert (score, rival) == (0.75, 0)
    assert raw.angle == pytest.approx([0.6, 0.8])
    assert raw.keypoints.dtype == raw.angle.dtype == np.float32


def test_decode_leaves_its_inputs_alone_and_owns_its_answer():
    maps = [np.random.default_rng(2).random((64, 128)).astype(np.float32) for _ in range(2)]
    vectors = [np.random.default_rng(3).random((2, 64, 128)).astype(np.float32) for _ in range(3)]
    copies = [array.copy() for array in (*maps, *vectors)]
    raw = decode(*maps, *vectors)
    for array, copy in zip((*maps, *vectors), copies, strict=True):
        assert np.array_equal(array, copy)
    vectors[2][:] = 9
    assert raw.angle.max() < 1
