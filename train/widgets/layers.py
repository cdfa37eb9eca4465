"""What a puzzle's shapes are painted with, one layer over the other.

All filters work on bytes, where OpenCV gives the same bits on every processor.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Mask = NDArray[np.float32]
Colour = tuple[int, int, int]  # BGR
Rng = np.random.Generator
# Takes a picture u8 [H, W, 3], BGR, and a shape's mask f32 [H, W], 0..1; returns another picture.
Layer = Callable[[Rng, Picture, Mask], Picture]
WHITE, BLACK, PALE = (255, 255, 255), (0, 0, 0), (160, 255, 255)


def laid(below: Picture, alpha: Mask, above: Picture | Colour) -> Picture:
    """`above` over `below`, by its alpha, 0..1."""
    share = alpha[..., None]
    mixed = below * (1 - share) + np.asarray(above, np.float32) * share
    return np.rint(mixed).astype(np.uint8)


def fill(colour: Colour, low: float, high: float) -> Layer:
    """One colour, by an alpha between `low` and `high`."""

    def layer(rng: Rng, picture: Picture, mask: Mask) -> Picture:
        return laid(picture, mask * np.float32(rng.uniform(low, high)), colour)

    return layer


def line(width_px: int, colour: Colour, alpha: float, outside: bool = False) -> Layer:
    """Along the outline, within the shape or around it."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width_px + 1,) * 2)

    def layer(_rng: Rng, picture: Picture, mask: Mask) -> Picture:
        edge = cv2.dilate(mask, kernel) - mask if outside else mask - cv2.erode(mask, kernel)
        return laid(picture, np.asarray(edge, np.float32) * np.float32(alpha), colour)

    return layer


def blurred(sigma_px: float, gain: float) -> Layer:
    """What is there, blurred and darker."""

    def layer(_rng: Rng, picture: Picture, mask: Mask) -> Picture:
        soft = np.rint(cv2.GaussianBlur(picture, (0, 0), sigma_px) * np.float32(gain))
        return laid(picture, mask, soft.astype(np.uint8))

    return layer


def greyed(gain: float) -> Layer:
    """What is there, without colours and darker."""

    def layer(_rng: Rng, picture: Picture, mask: Mask) -> Picture:
        grey = np.rint(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) * np.float32(gain))
        return laid(picture, mask, grey.astype(np.uint8)[..., None])

    return layer


def shade(sigma_px: float, colour: Colour, alpha: float, inside: bool) -> Layer:
    """A colour that falls off from the outline, inwards or outwards."""

    def layer(_rng: Rng, picture: Picture, mask: Mask) -> Picture:
        source, where = (1 - mask, mask) if inside else (mask, 1 - mask)
        spread = cv2.GaussianBlur(np.rint(source * 255).astype(np.uint8), (0, 0), sigma_px)
        return laid(picture, spread / np.float32(255) * where * np.float32(alpha), colour)

    return layer
