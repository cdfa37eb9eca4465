"""Paints one picture: background, gap, decoys, piece, furniture, wear and tear."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from train.synth.background import choose_background
from train.synth.degrade import degrade
from train.synth.families import allowed_families, draw_family
from train.synth.furniture import add_furniture
from train.synth.gaps import GapStyle, draw_gap_style, paint_gap
from train.synth.layout import Layout, draw_layout
from train.synth.patch import Plane, rasterise
from train.synth.photos import Backgrounds
from train.synth.pieces import draw_piece_style, paint_piece
from train.synth.sample import Sample, SynthOptions

Picture = npt.NDArray[np.uint8]

# Raised whenever a change alters the pictures of a seed: fixed test sets name their version.
GENERATOR_VERSION = 1

_PAD_PX = 12  # room around a shape for glows and shadows
_NOISY_SIGMA = 5.0  # grey levels of noise from which a picture counts as "noise"
_FAINT_CONTRAST = 15.0  # grey levels below which a gap counts as "low-contrast"
_EDGE_PX = 3.0  # a gap this near the border counts as "edge"


def render(
    seed: int,
    index: int,
    options: SynthOptions | None = None,
    backgrounds: Backgrounds | None = None,
) -> Sample:
    """Picture number `index` of the stream `seed`: the same bits in any process.

    Args:
        seed, index: non-negative; every pair is an independent picture.
        options: what to draw; the training distribution by default.
        backgrounds: photographs to paint on; procedural backgrounds alone without.
    """
    options = options or SynthOptions()
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))
    width, height = _draw_size(rng, options)
    source, background = choose_background(
        rng, width, height, backgrounds, options.photo_probability
    )
    has_gap = rng.random() >= options.no_gap_probability
    has_piece = rng.random() >= options.no_piece_probability
    layout = draw_layout(rng, width, height, options, has_gap and has_piece)
    families = {
        kind: draw_family(rng, kind, options.leave_out, options.require)
        for kind in ("gap_fill", "gap_edge", "piece_edge", "piece_tone")
    }
    boxes = _boxes(layout, has_gap, has_piece)
    wants_furniture = rng.random() < options.furniture_probability
    furniture_below = wants_furniture and rng.random() < 0.5
    furniture: list[str] = []
    if furniture_below:
        furniture = _furnish(rng, source, options, boxes)
    picture = source.copy()
    contrast = 255.0
    if has_gap:
        style = draw_gap_style(rng, families["gap_fill"], families["gap_edge"], layout.size_px)
        contrast = _paint_gaps(picture, layout, style)
    if has_gap and rng.random() < options.highlight_probability:
        _highlight(rng, picture, layout.gap_xy, layout.size_px)
    if has_piece:
        _paint_slider(rng, picture, source, layout, families)
    if wants_furniture and not furniture_below:
        furniture = _furnish(rng, picture, options, boxes)
    picture, wear = degrade(rng, picture, options.degradations)
    families |= {
        "shape": layout.shape,
        "background": background,
        "furniture": "+".join(furniture),
        "effects": "+".join(wear.names),
    }
    angle_known = has_gap and has_piece and layout.angle_defined
    return Sample(
        picture=picture,
        gap_picture_xy=_point(layout.gap_xy) if has_gap else None,
        slider_picture_xy=_point(layout.slider_xy) if has_piece else None,
        angle_deg=layout.angle_deg if angle_known else None,
        difficulty=_difficulty(
            layout, has_gap, has_piece, wear.noise_sigma, contrast, picture.shape[:2]
        ),
        families=families,
        piece_size_px=layout.size_px,
    )


def _draw_size(rng: np.random.Generator, options: SynthOptions) -> tuple[int, int]:
    low, high = options.width_px
    width = round(low * (high / low) ** rng.random())
    return width, max(1, round(width / rng.uniform(*options.aspect)))


def _point(xy: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(xy[0]), float(xy[1])


def _boxes(
    layout: Layout, has_gap: bool, has_piece: bool
) -> list[tuple[float, float, float, float]]:
    """Tight boxes (x0, y0, x1, y1) of what furniture must leave visible."""
    shown = [layout.gap_picture_xy] * has_gap + [layout.slider_picture_xy] * has_piece
    return [
        (float(o[:, 0].min()), float(o[:, 1].min()), float(o[:, 0].max()), float(o[:, 1].max()))
        for o in shown
    ]


def _furnish(
    rng: np.random.Generator,
    picture: Picture,
    options: SynthOptions,
    boxes: list[tuple[float, float, float, float]],
) -> list[str]:
    allowed = allowed_families("furniture", options.leave_out, options.require)
    return add_furniture(rng, picture, allowed, boxes)


def _paint_gaps(picture: Picture, layout: Layout, style: GapStyle) -> float:
    """Dim the picture if the style asks for it, then paint decoys and gap; the gap's contrast."""
    height, width = picture.shape[:2]
    if style.dim < 1:
        np.multiply(picture, style.dim, out=picture, casting="unsafe")
    for decoy in layout.decoys:
        patch = rasterise(decoy.outline_picture_xy, width, height, _PAD_PX)
        paint_gap(picture, patch, style, decoy.strength)
    return paint_gap(picture, rasterise(layout.gap_picture_xy, width, height, _PAD_PX), style)


def _paint_slider(
    rng: np.random.Generator,
    picture: Picture,
    source: Picture,
    layout: Layout,
    families: dict[str, str],
) -> None:
    height, width = picture.shape[:2]
    style = draw_piece_style(rng, families["piece_edge"], families["piece_tone"], layout.size_px)
    patch = rasterise(layout.slider_picture_xy, width, height, _PAD_PX)
    cos, sin = np.cos(np.radians(layout.angle_deg)), np.sin(np.radians(layout.angle_deg))
    rotation = np.array([[cos, sin], [-sin, cos]])  # anticlockwise as seen, y down
    offset = layout.gap_xy - rotation @ layout.slider_xy
    paint_piece(picture, source, patch, style, np.column_stack([rotation, offset]))


def _highlight(
    rng: np.random.Generator, picture: Picture, gap_xy: npt.NDArray[np.float64], size_px: float
) -> None:
    """A soft bright spot at or near the gap, in place."""
    height, width = picture.shape[:2]
    x, y = gap_xy + rng.normal(0, 0.6 * size_px, size=2)
    radius = size_px * rng.uniform(0.4, 1.2)
    dx = (np.arange(width, dtype=np.float32) - np.float32(x)) / np.float32(radius)
    dy = (np.arange(height, dtype=np.float32) - np.float32(y)) / np.float32(radius)
    weight: Plane = np.exp(-(dx * dx))[None, :] * np.exp(-(dy * dy))[:, None]
    weight *= np.float32(rng.uniform(0.2, 0.6))
    picture[:] = (picture + weight[..., None] * (255 - picture.astype(np.float32))).astype(np.uint8)


def _difficulty(
    layout: Layout,
    has_gap: bool,
    has_piece: bool,
    noise: float,
    contrast: float,
    shape: tuple[int, ...],
) -> str:
    """The first of `DIFFICULTIES` that applies."""
    outline = layout.gap_picture_xy
    margin = min(
        outline.min(), shape[1] - 1 - outline[:, 0].max(), shape[0] - 1 - outline[:, 1].max()
    )
    tests = {
        "negative": not has_gap,
        "ambiguous": layout.ambiguous,
        "confusing": bool(layout.decoys),
        "rotated": has_piece and layout.angle_deg != 0,
        "noise": noise >= _NOISY_SIGMA,
        "low-contrast": contrast < _FAINT_CONTRAST,
        "edge": margin < _EDGE_PX,
        "normal": True,
    }
    return next(name for name, applies in tests.items() if applies)
