"""Edge effects that gaps and pieces share: outline, bevel, glow, inner and drop shadow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from train.synth.patch import Plane, ellipse_kernel, shift, soften


@dataclass(frozen=True)
class EdgeStyle:
    """Drawn once per picture, so that a gap and its decoys look alike.

    Attributes:
        name: the effect: plain, outline, glow, shadow, inner-shadow or bevel.
        colour: BGR, 0..255.
        opacity: 0..1.
        width_px: thickness of an outline, sigma of the soft effects.
        light: unit vector towards the light (x right, y down).
        side: of an outline: -1 inside the shape, 0 on its edge, 1 outside.
    """

    name: str
    colour: tuple[float, float, float]
    opacity: float
    width_px: float
    light: tuple[float, float]
    side: int


def draw_edge(rng: np.random.Generator, name: str, size_px: float) -> EdgeStyle:
    """Random parameters of an edge effect for a shape of that size."""
    shade = rng.choice(3, p=[0.55, 0.2, 0.25])
    if shade == 0:
        colour = tuple(float(v) for v in np.full(3, rng.uniform(200, 255)))
    elif shade == 1:
        colour = tuple(float(v) for v in np.full(3, rng.uniform(0, 70)))
    else:
        colour = tuple(float(v) for v in rng.uniform(0, 255, size=3))
    direction = rng.uniform(0, 2 * np.pi)
    thick = max(1.0, min(size_px * 0.06, 4.0))
    width = rng.uniform(1.0, thick) if name == "outline" else rng.uniform(0.8, 1.2 + thick)
    return EdgeStyle(
        name=name,
        colour=(colour[0], colour[1], colour[2]),
        opacity=float(rng.uniform(0.35, 1.0)),
        width_px=float(width),
        light=(float(np.cos(direction)), float(np.sin(direction))),
        side=int(rng.integers(-1, 2)),
    )


def paint_edge(window: Plane, alpha: Plane, style: EdgeStyle, strength: float = 1.0) -> Plane:
    """Paint an edge effect.

    Args:
        window: f32 [h, w, 3], BGR 0..255.
        alpha: f32 [h, w], the shape's coverage.
        strength: 0..1, scales the opacity (weak decoys).

    Returns:
        f32 [h, w, 3]; values may leave 0..255, the caller clips once at the end.
    """
    effect = _EFFECTS.get(style.name)
    return window if effect is None else effect(window, alpha, style, style.opacity * strength)


def blend(window: Plane, colour: object, weight: Plane) -> Plane:
    """Mix a colour (or another window) into a window with a weight per pixel."""
    return np.asarray(
        window + weight[..., None] * (np.asarray(colour, np.float32) - window), np.float32
    )


def _outline(window: Plane, alpha: Plane, style: EdgeStyle, opacity: float) -> Plane:
    thickness = max(1, round(style.width_px))
    inner = alpha if style.side > 0 else cv2.erode(alpha, ellipse_kernel(thickness))
    outer = alpha if style.side < 0 else cv2.dilate(alpha, ellipse_kernel(thickness))
    return blend(window, style.colour, (outer - inner) * np.float32(opacity))


def _glow(window: Plane, alpha: Plane, style: EdgeStyle, opacity: float) -> Plane:
    halo = np.minimum(soften(alpha, 1 + style.width_px) * 1.6, 1.0) * (1 - alpha)
    return blend(window, style.colour, halo * np.float32(opacity))


def _drop_shadow(window: Plane, alpha: Plane, style: EdgeStyle, opacity: float) -> Plane:
    dx, dy = (-1.5 * style.width_px * v for v in style.light)
    shadow = soften(shift(alpha, dx, dy), style.width_px) * (1 - alpha)
    return blend(window, (0.0, 0.0, 0.0), shadow * np.float32(0.8 * opacity))


def _inner_shadow(window: Plane, alpha: Plane, style: EdgeStyle, opacity: float) -> Plane:
    dx, dy = (-1.2 * style.width_px * v for v in style.light)
    shadow = (1 - soften(shift(alpha, dx, dy), style.width_px)) * alpha
    return blend(window, (0.0, 0.0, 0.0), shadow * np.float32(0.9 * opacity))


def _bevel(window: Plane, alpha: Plane, style: EdgeStyle, opacity: float) -> Plane:
    smooth = soften(alpha, 0.6 + 0.5 * style.width_px)
    dx, dy = style.light
    slope = shift(smooth, dx, dy) - shift(smooth, -dx, -dy)
    return np.asarray(window - (160 * opacity * slope * alpha)[..., None], np.float32)


_EFFECTS: dict[str, Callable[[Plane, Plane, EdgeStyle, float], Plane]] = {
    "outline": _outline,
    "glow": _glow,
    "shadow": _drop_shadow,
    "inner-shadow": _inner_shadow,
    "bevel": _bevel,
}
