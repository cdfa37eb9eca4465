"""How a gap looks: what fills it and what runs along its edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from train.synth.edges import EdgeStyle, blend, draw_edge, paint_edge
from train.synth.noise import fractal_noise
from train.synth.patch import Patch, Plane, ellipse_kernel, soften

# A gap must change its pixels by this many grey levels on average, or by this share of the local
# texture's deviation (up to a limit): below, the point is invisible and the label a lie.
MIN_CONTRAST = 14.0
MIN_CONTRAST_OF_TEXTURE = 0.5
MAX_FLOOR = 36.0
FAINT_SHARE = (
    0.6  # of what other gaps must show, for the family that is meant to be almost invisible
)
_MIN_OUTLINE_CONTRAST = 45.0

Fill = Callable[[Plane, "GapStyle"], Plane]


@dataclass(frozen=True)
class GapStyle:
    """Drawn once per picture; decoys use it too, at another strength.

    Attributes:
        fill: family name of the filling.
        opacity: 0..1, of the filling.
        colours: two BGR colours, 0..255.
        softness_px: sigma by which the mask's edge is blurred (0 = hard).
        texture_seed: seeds whatever texture the filling has.
        edge: the edge effect.
        dim: by what the whole picture was multiplied before the gap was painted (1 = not at all);
            a spotlight gap shows the picture undimmed.
    """

    fill: str
    opacity: float
    colours: tuple[tuple[float, ...], tuple[float, ...]]
    softness_px: float
    texture_seed: int
    edge: EdgeStyle
    dim: float


def draw_gap_style(rng: np.random.Generator, fill: str, edge: str, size_px: float) -> GapStyle:
    """Random parameters of a gap for the given families (see `families`)."""
    if fill == "outline-only" and edge == "gap-plain":
        edge = "gap-outline"
    low, high = _OPACITY[fill]
    edge_style = draw_edge(rng, edge.removeprefix("gap-"), size_px)
    if fill in ("outline-only", "faint"):
        opacity = rng.uniform(0.5, 1.0) if fill == "outline-only" else rng.uniform(0.15, 0.45)
        edge_style = replace(edge_style, opacity=float(opacity))
    return GapStyle(
        fill=fill,
        opacity=float(rng.uniform(low, high)),
        colours=(_colour(rng), _colour(rng)),
        softness_px=float(rng.uniform(0.4, 1.6)) if rng.random() < 0.3 else 0.0,
        texture_seed=int(rng.integers(2**31)),
        edge=edge_style,
        dim=float(rng.uniform(0.35, 0.75)) if fill == "spotlight" else 1.0,
    )


def paint_gap(
    picture: npt.NDArray[np.uint8], patch: Patch, style: GapStyle, strength: float = 1.0
) -> float:
    """Paint a gap into a picture, in place.

    Args:
        picture: u8 [H, W, 3], BGR.
        strength: 0..1, scales the effect; decoys may be weaker than the gap.

    Returns:
        the mean absolute change of the gap's pixels in grey levels, its contrast.
    """
    before = picture[patch.window].astype(np.float32)
    alpha = soften(patch.alpha, style.softness_px)
    inside = patch.alpha > 0.5
    after = overlaid(before, alpha, style, strength)
    if style.edge.name == "outline":
        ring = cv2.morphologyEx(patch.alpha, cv2.MORPH_GRADIENT, ellipse_kernel(2))
        if _contrast(before, after, ring > 0.5) < strength * _MIN_OUTLINE_CONTRAST:
            after = overlaid(before, alpha, _other_outline(style, before), strength)
    else:
        wanted = strength * (FAINT_SHARE if style.fill == "faint" else 1.0)
        after = _made_visible(before, after, alpha, inside, wanted)
    picture[patch.window] = np.clip(after, 0, 255).astype(np.uint8)
    return _contrast(before, after, inside)


def overlaid(before: Plane, alpha: Plane, style: GapStyle, strength: float) -> Plane:
    """A window f32 [h, w, 3] with a gap of coverage f32 [h, w], as its style alone has it."""
    filled = blend(before, _FILLS[style.fill](before, style), alpha * (style.opacity * strength))
    return paint_edge(filled, alpha, style.edge, strength)


def _other_outline(style: GapStyle, before: Plane) -> GapStyle:
    """The style with an outline that stands out from what is there."""
    colour = (255.0,) * 3 if before.mean() < 128 else (0.0,) * 3
    return replace(style, edge=replace(style.edge, colour=colour, opacity=0.8))


def _made_visible(
    before: Plane, after: Plane, alpha: Plane, inside: npt.NDArray[np.bool_], wanted: float
) -> Plane:
    """`after`, darkened or lightened further where it hardly differs from `before`.

    wanted: 0..1, the share of the usual least contrast that this gap must have.
    """
    texture = float(before[inside].std()) if inside.any() else 0.0
    floor = wanted * max(MIN_CONTRAST, min(MIN_CONTRAST_OF_TEXTURE * texture, MAX_FLOOR))
    contrast = _contrast(before, after, inside)
    if contrast >= floor:
        return after
    brightness = float(after[inside].mean()) if inside.any() else 128.0
    dark = brightness > 90
    share = min(0.9, (floor - contrast + 4) / (brightness if dark else 255 - brightness))
    return blend(after, 0.0 if dark else 255.0, alpha * np.float32(share))


def _contrast(before: Plane, after: Plane, inside: npt.NDArray[np.bool_]) -> float:
    if not inside.any():
        return 0.0
    return float(np.abs(np.clip(after, 0, 255) - before)[inside].mean())


def _colour(rng: np.random.Generator) -> tuple[float, ...]:
    if rng.random() < 0.5:
        return tuple(np.full(3, rng.uniform(0, 255)).tolist())
    return tuple(rng.uniform(0, 255, size=3).tolist())


# --- fillings: window and style in, the colour or window that is mixed in out --------------------


def _dark(window: Plane, style: GapStyle) -> Plane:
    tone = 0.25 * np.asarray(style.colours[0], np.float32)
    # Half of all dark gaps are plain black glass, the others slightly coloured.
    return np.full_like(window, tone if style.texture_seed % 2 else 0.0)


def _light(window: Plane, style: GapStyle) -> Plane:
    return np.full_like(window, 255.0)


def _flat(window: Plane, style: GapStyle) -> Plane:
    return np.full_like(window, np.asarray(style.colours[0], np.float32))


def _blur(window: Plane, style: GapStyle) -> Plane:
    tone = 0.75 + 0.5 * (style.texture_seed % 101) / 100
    return soften(window, 2 + max(window.shape[:2]) * 0.08) * np.float32(tone)


def _noise(window: Plane, style: GapStyle) -> Plane:
    rng = np.random.default_rng(style.texture_seed)
    height, width = window.shape[:2]
    if rng.random() < 0.5:
        grain = int(rng.integers(1, 4))
        shape = (-(-height // grain), -(-width // grain), int(rng.choice([1, 3])))
        small = rng.integers(0, 256, size=shape, dtype=np.uint8)
        large = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.broadcast_to(large.reshape(height, width, -1), window.shape).astype(np.float32)
    field = fractal_noise(rng, width, height, 4, 0.6)[..., None]
    first, second = (np.asarray(colour, np.float32) for colour in style.colours)
    return np.asarray(first + field * (second - first), np.float32)


def _gradient(window: Plane, style: GapStyle) -> Plane:
    height, width = window.shape[:2]
    angle = 2 * np.pi * (style.texture_seed % 360) / 360
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    ramp = ((x + y) / 2.83 + 0.5)[..., None]
    first, second = (np.asarray(colour, np.float32) for colour in style.colours)
    return np.asarray(first + ramp * (second - first), np.float32)


def _undimmed(window: Plane, style: GapStyle) -> Plane:
    return window / np.float32(style.dim)


_FILLS: dict[str, Fill] = {
    "darken": _dark,
    "lighten": _light,
    "tint": _flat,
    "blur-fill": _blur,
    "noise-fill": _noise,
    "gradient-fill": _gradient,
    "solid": _flat,
    "faint": _flat,
    "outline-only": _dark,
    "spotlight": _undimmed,
}

_OPACITY: dict[str, tuple[float, float]] = {
    "darken": (0.25, 0.8),
    "lighten": (0.2, 0.92),
    "tint": (0.3, 0.75),
    "blur-fill": (0.8, 1.0),
    "noise-fill": (0.35, 1.0),
    "gradient-fill": (0.4, 1.0),
    "solid": (0.75, 1.0),
    "faint": (0.06, 0.16),
    "outline-only": (0.0, 0.06),
    "spotlight": (0.7, 1.0),
}
