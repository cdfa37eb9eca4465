"""Random fields: fractal and gradient noise, grain, cells; cheap enough to draw per picture.

Large random arrays cost more than anything else in the generator, so every field is drawn on a
small lattice and enlarged, or stretched out of a small pool. All of it is elementwise or a plain
resize: the same generator state gives the same bits in any process, whatever the thread count.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

_GRAIN_POOL = 1 << 14


def fractal_noise(
    rng: np.random.Generator, width: int, height: int, octaves: int, persistence: float
) -> Field:
    """Sum of random lattices, each twice as fine as the one before, cubic in between.

    `octaves` >= 1 lattices; octave k weighs `persistence**k`, so a small persistence is smooth.
    Returns f32 [height, width], stretched to span 0..1.
    """
    cells = int(rng.integers(2, 5))
    aspect = width / height
    columns, rows = (cells, 2) if aspect < 1 else (max(2, round(cells * aspect)), cells)
    columns, rows = min(columns, width), min(rows, height)
    field = rng.random((rows, columns), dtype=np.float32)
    weight = 1.0
    for _ in range(octaves - 1):
        if columns * 2 > width or rows * 2 > height:
            break
        columns, rows, weight = columns * 2, rows * 2, weight * persistence
        finer = rng.random((rows, columns), dtype=np.float32)
        field = cv2.resize(field, (columns, rows), interpolation=cv2.INTER_CUBIC)
        field += np.float32(weight) * finer
    return stretch(cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC))


def stretch(field: Field) -> Field:
    """The field [H, W] moved and scaled to span 0..1; 0.5 everywhere where it is constant."""
    low, high = float(field.min()), float(field.max())
    if high - low < 1e-9:
        return np.full_like(field, 0.5)
    scaled = field - np.float32(low)
    scaled *= np.float32(1.0 / (high - low))
    return np.minimum(scaled, np.float32(1.0), out=scaled)


def perlin_noise(
    rng: np.random.Generator, width: int, height: int, cell_px: float, octaves: int
) -> Field:
    """Gradient noise (Perlin, "Improving Noise", SIGGRAPH 2002) with random unit gradients.

    `cell_px` > 0 is the lattice spacing of the first octave in pixels; every further octave halves
    both spacing and weight. Returns f32 [height, width] within -1..1 (0 is the mean).
    """
    if cell_px / 2 ** (octaves - 1) >= 8.0:
        # Smooth enough for every second pixel, at a quarter of the price.
        half = perlin_noise(rng, (width + 1) // 2, (height + 1) // 2, cell_px / 2, octaves)
        return cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)
    total = np.zeros((width, height), np.float32)
    weight, weights = 1.0, 0.0
    for _ in range(octaves):
        total += np.float32(weight) * _perlin_octave(rng, width, height, cell_px)
        weights += weight
        weight, cell_px = weight / 2, max(cell_px / 2, 2.0)
    # A unit gradient reaches at most sqrt(1/2) in the middle of a cell.
    total *= np.float32(math.sqrt(2.0) / weights)
    return cv2.transpose(total)


def _perlin_octave(rng: np.random.Generator, width: int, height: int, cell_px: float) -> Field:
    """One octave, transposed: f32 [width, height]. Rows are mixed on the lattice's own columns."""
    shift_x, shift_y = rng.random(2)
    column, dx, fade_x = _lattice_axis(width, cell_px, shift_x)
    row, dy, fade_y = _lattice_axis(height, cell_px, shift_y)
    turn = rng.random((int(column[-1]) + 2, int(row[-1]) + 2), dtype=np.float32)
    turn *= np.float32(2 * math.pi)
    gx, gy = np.cos(turn), np.sin(turn)
    along = gx[:, row] * (1 - fade_y) + gx[:, row + 1] * fade_y
    across = gy[:, row] * ((1 - fade_y) * dy) + gy[:, row + 1] * (fade_y * (dy - 1))
    left, right = (1 - fade_x)[:, None], fade_x[:, None]
    near = along[column]
    near *= dx[:, None]
    near += across[column]
    near *= left
    far = along[column + 1]
    far *= (dx - 1)[:, None]
    far += across[column + 1]
    far *= right
    near += far
    return near


def _lattice_axis(
    length: int, cell_px: float, shift: float
) -> tuple[NDArray[np.intp], Field, Field]:
    """Per pixel of one axis: lattice index, distance from it in cells, and its fade weight."""
    position = np.arange(length) / cell_px + shift
    index = np.floor(position).astype(np.intp)
    part = (position - index).astype(np.float32)
    return index, part, part * part * part * (part * (part * 6 - 15) + 10)


def grain(rng: np.random.Generator, width: int, height: int, channels: int) -> Field:
    """Normal noise, mean 0, deviation 1: f32 [height, width, channels].

    Each row is a window at a random place of one drawn pool: no visible repetition, a tenth of
    the price of a full draw.
    """
    row = width * channels
    pool = rng.standard_normal(_GRAIN_POOL + row, dtype=np.float32)
    starts = rng.integers(0, _GRAIN_POOL, height)
    windows = np.lib.stride_tricks.sliding_window_view(pool, row)
    return windows[starts].reshape(height, width, channels)


def cells(
    rng: np.random.Generator, width: int, height: int, count: int
) -> tuple[NDArray[np.int32], Field]:
    """Voronoi cells of about `count` random seeds (cv2's 5x5 approximation of distance).

    Returns (label i32 [H, W], from 1 up to the number of distinct seeds; distance f32 [H, W] in
    pixels to the cell's seed).
    """
    free = np.full((height, width), 255, np.uint8)
    free[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    distance, label = cv2.distanceTransformWithLabels(
        free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return label, distance
