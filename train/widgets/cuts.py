"""Shapes as masks: discs added to a square and taken from it, and polygons."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float32]
_Fine = NDArray[np.uint8]  # _FINE samples a pixel each way, 0 or 255
_Rng = np.random.Generator
_FINE = 8


def _jigsaw(rng: _Rng, side_px: float) -> _Fine:
    """A square whose sides have discs added or taken away; the right one always has a tab."""
    return _square_with_discs(side_px, (_side(rng), 1, _side(rng), int(rng.choice([-1, 1]))))


def _side(rng: _Rng) -> int:
    return int(rng.integers(-1, 2))


def _canvas_jigsaw(_rng: _Rng, side_px: float) -> _Fine:
    """Tabs at the top and right, a blank at the left."""
    return _square_with_discs(side_px, (1, 1, 0, -1))


def _square_with_discs(side_px: float, kinds: tuple[int, int, int, int]) -> _Fine:
    """kinds: of the top, right, bottom and left side; 1 a tab, -1 a blank, 0 neither."""
    radius = 0.21 * side_px
    margin = 2 * radius + 2
    mask = np.zeros((int((side_px + 2 * margin) * _FINE),) * 2, np.uint8)
    low, high = (round(at * _FINE) for at in (margin, margin + side_px))
    middle = (low + high) // 2
    mask[low:high, low:high] = 255
    sides = ((middle, low, 0, -1), (high, middle, 1, 0), (middle, high, 0, 1), (low, middle, -1, 0))
    for kind, (x, y, right, down) in zip(kinds, sides, strict=True):
        out = round(0.6 * kind * radius * _FINE)
        if kind:
            centre = (x + right * out, y + down * out)
            cv2.circle(mask, centre, round(radius * _FINE), 255 if kind > 0 else 0, -1)
    return mask


def _filled(points: _Floats, side_px: float) -> _Fine:
    """points: of a polygon, f32 [N, 2] within ±1."""
    middle = side_px / 2 + 2
    mask = np.zeros((int(2 * middle * _FINE),) * 2, np.uint8)
    at = np.rint((points * side_px / 2 + middle) * _FINE).astype(np.int32)
    cv2.fillPoly(mask, [at], 255)
    return mask


def _ring(corners: int, inner: float = 1.0) -> _Floats:
    """Corners on a circle, from the top; every other one of them at `inner` of its radius."""
    angles = np.arange(corners) * 2 * np.pi / corners - np.pi / 2
    radii = np.where(np.arange(corners) % 2 == 0, 1.0, inner)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1).astype(np.float32)


def _heart_points() -> _Floats:
    t = np.linspace(0, 2 * np.pi, 100)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([np.sin(t) ** 3, -y / 16], axis=1).astype(np.float32)


def _shield_points() -> _Floats:
    t = np.linspace(0, np.pi, 40)
    lower = np.stack([0.8 * np.cos(t), 0.9 * np.sin(t)], axis=1)
    return np.vstack([[[-0.8, -0.9], [0.8, -0.9]], lower]).astype(np.float32)


POLYGONS = {
    "star": _ring(10, 0.5),
    "hexagon": _ring(6),
    "circle": _ring(80),
    "triangle": np.array([[0, -0.9], [0.95, 0.8], [-0.95, 0.8]], np.float32),
    "heart": _heart_points(),
    "shield": _shield_points(),
}
_DISCS = {"jigsaw": _jigsaw, "canvas-jigsaw": _canvas_jigsaw}
# Those that no turn by less than a right angle brings back.
WITH_ANGLE = ("jigsaw", "canvas-jigsaw", "triangle", "heart", "shield")


@dataclass(frozen=True)
class Cut:
    """A shape's mask f32 [h, w], 0..1, from the corner of its tight box, and that box in pixels."""

    mask: _Floats
    width_px: float
    height_px: float

    @classmethod
    def draw(cls, rng: _Rng, shape: str, side_px: float) -> Cut:
        """A shape by its name, with a body of that size."""
        fine = _DISCS[shape](rng, side_px) if shape in _DISCS else _filled(POLYGONS[shape], side_px)
        rows, columns = (np.flatnonzero(fine.any(axis=axis)) for axis in (1, 0))
        tight = fine[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        height, width = tight.shape
        rest = [(0, -size % _FINE) for size in tight.shape]
        whole = np.pad(tight, rest).astype(np.float32) / 255
        mask = whole.reshape(-(-height // _FINE), _FINE, -1, _FINE).mean(axis=(1, 3))
        return cls(mask, width / _FINE, height / _FINE)

    def placed(self, like: NDArray[np.uint8], x: int, y: int) -> _Floats:
        """The mask over a whole picture, the box's corner on that of pixel (x, y)."""
        whole = np.zeros(like.shape[:2], np.float32)
        height, width = self.mask.shape
        whole[y : y + height, x : x + width] = self.mask
        return whole

    def anchor(self, x: int, y: int) -> tuple[float, float]:
        """The box's centre where `placed` puts it; pixel (0, 0) has its centre there."""
        return x + self.width_px / 2 - 0.5, y + self.height_px / 2 - 0.5
