"""A patch: the window of the picture that a shape touches, with the shape's coverage in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from train.synth.shapes import Outline

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """Coverage `alpha` (f32 [h, w], 0..1) of a shape in the picture window at (left, top)."""

    alpha: Plane
    left: int
    top: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the window in a picture [H, W, ...]."""
        height, width = self.alpha.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def rasterise(outline_picture_xy: Outline, width: int, height: int, pad: int) -> Patch:
    """Antialiased coverage of an outline in a width x height picture.

    Args:
        outline_picture_xy: f64 [N, 2], pixels; the centre of the top-left pixel is (0, 0).
        pad: how many pixels of surroundings the window keeps for glows and shadows; the window
            is cut at the picture's border.
    """
    low = np.floor(outline_picture_xy.min(axis=0)).astype(int) - pad
    high = np.ceil(outline_picture_xy.max(axis=0)).astype(int) + pad + 1
    left, top = np.clip(low, 0, [width - 1, height - 1])
    right, bottom = np.clip(high, [left + 1, top + 1], [width, height])
    scale = 4 if max(right - left, bottom - top) < 96 else 2
    fine = np.zeros(((bottom - top) * scale, (right - left) * scale), np.uint8)
    vertices = (outline_picture_xy - [left, top] + 0.5) * scale - 0.5
    cv2.fillPoly(fine, [np.rint(vertices * 16).astype(np.int32)], 255, shift=4)
    coverage = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return Patch(coverage.astype(np.float32) / 255, int(left), int(top))


def soften(plane: Plane, sigma_px: float) -> Plane:
    """Gaussian blur of a plane or window; sigma 0 leaves it as it is."""
    if sigma_px <= 0:
        return plane
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma_px), dtype=np.float32)


def shift(plane: Plane, dx_px: float, dy_px: float) -> Plane:
    """Move a plane's content right by dx and down by dy; what comes in is 0."""
    matrix = np.array([[1, 0, dx_px], [0, 1, dy_px]], np.float64)
    return np.asarray(cv2.warpAffine(plane, matrix, plane.shape[::-1]), dtype=np.float32)


def ellipse_kernel(radius_px: int) -> npt.NDArray[np.uint8]:
    """A disc as structuring element."""
    size = 2 * radius_px + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
