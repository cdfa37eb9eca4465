"""A generated scene taken apart into layers on the canvas, of which new puzzles are made.

What the generator paints on a gap or a piece is, but for blurred fillings, a linear function of
every pixel: gain · before + add. Painting on two flat windows yields both planes, and they can be
laid over any background, at any place. A blurred filling becomes a change of tone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH, Letterbox
from train.synth import Backgrounds, SynthOptions
from train.synth.gaps import FAINT_SHARE, GapStyle, overlaid
from train.synth.layout import other_shape
from train.synth.patch import Plane, rasterise, soften
from train.synth.pieces import PieceStyle, pasted
from train.synth.scene import PAD_PX, Scene, draw_scene
from train.synth.shapes import Outline
from train.synth.visible import along
from train.targets import TRUTH_FIELDS, truth_vector

PATCH = 160  # side of a patch, canvas pixels; the anchor is its pixel (80, 80)
CONTOUR = 48  # points kept of an outline
LOOK = ("dim", "share", "sin", "cos", "has_angle", "size", "scale", "outlined")

# What a slot of the bank holds: name -> shape and type; patches lie around a shape's anchor.
FIELDS: dict[str, tuple[tuple[int, ...], type]] = {
    "picture": ((CANVAS_HEIGHT, CANVAS_WIDTH, 3), np.uint8),  # R, G, B, as the generator made it
    "truth": ((len(TRUTH_FIELDS),), np.float32),
    "background": ((CANVAS_HEIGHT, CANVAS_WIDTH, 3), np.uint8),  # without gap and piece
    "rect": ((4,), np.float32),  # the picture on the canvas: x0, y0, x1, y1, ends excluded
    "gap": ((PATCH, PATCH, 4), np.float16),  # add R, G, B and gain - 1
    "other": ((PATCH, PATCH, 4), np.float16),  # the same look in another shape, for decoys
    "piece": ((PATCH, PATCH, 5), np.float16),  # add R, G, B, gain - 1, share of the content
    "cover": ((PATCH, PATCH, 2), np.uint8),  # coverage by gap and by piece
    "contour": ((2, CONTOUR, 4), np.float32),  # of gap and piece: x, y from the anchor, normal
    "box": ((3, 4), np.float32),  # tight, of gap, piece and other shape, from their anchors
    "look": ((len(LOOK),), np.float32),
}

_LEVEL = 100.0
_MARGIN_PX = 4


def draw_layers(
    seed: int, index: int, options: SynthOptions, backgrounds: Backgrounds | None
) -> dict[str, NDArray[Any]] | None:
    """`render`'s picture `index` of the stream `seed` and its layers, as `FIELDS` names them.

    None where a shape does not fit into its patch.
    """
    scene, painted = draw_scene(seed, index, options, backgrounds)
    sample, layout, gap_style = scene.sample(painted), scene.layout, scene.gap_style
    box = Letterbox(*sample.picture.shape[1::-1])
    scale = box.scale_x
    rng = np.random.default_rng([seed, index, 0, 4])  # the last number: a stream of its own
    outlines = (layout.gap_outline, layout.piece_outline, _decoy_outline(rng, scene))
    if max(np.abs(o).max() for o in outlines) * scale > PATCH / 2 - _MARGIN_PX:
        return None
    ground, _ = scene.ground()
    gap, piece, other = (_window_of(outline) for outline in outlines)
    cover = [np.rint(255 * _on_canvas(window.alpha, window, scale)) for window in (gap, piece)]
    return {
        "picture": box.render(sample.picture)[..., :3],
        "truth": truth_vector(sample, box),
        "background": box.render(ground)[..., :3],
        "rect": np.array([box.left, box.top, box.left + box.width, box.top + box.height]),
        "gap": _gap_planes(gap, gap_style, scale),
        "other": _gap_planes(other, gap_style, scale),
        "piece": _piece_planes(piece, scene.piece_style, scale),
        "cover": np.stack(cover, axis=2),
        "contour": np.stack([_contour(outline, scale) for outline in outlines[:2]]),
        "box": scale * np.stack([np.concatenate([o.min(0), o.max(0)]) for o in outlines]),
        "look": _look(scene, scale),
    }


def _decoy_outline(rng: np.random.Generator, scene: Scene) -> Outline:
    layout = scene.layout
    unit = layout.piece_outline / layout.size_px
    return other_shape(rng, unit, layout.gap_outline, scene.options)


def _look(scene: Scene, scale: float) -> NDArray[np.float64]:
    layout, style = scene.layout, scene.gap_style
    angle = np.radians(layout.angle_deg)
    look = {
        "dim": style.dim,
        "share": FAINT_SHARE if style.fill == "faint" else 1.0,
        "sin": np.sin(angle),
        "cos": np.cos(angle),
        "has_angle": layout.angle_defined,
        "size": layout.size_px * scale,
        "scale": scale,
        "outlined": style.edge.name == "outline",
    }
    return np.array([look[name] for name in LOOK])


@dataclass(frozen=True)
class _Window:
    """A shape's coverage f32 [h, w] in a window of its own, and its anchor there (x, y)."""

    alpha: Plane
    anchor_xy: NDArray[np.float64]


def _window_of(outline: Outline) -> _Window:
    half = int(np.ceil(np.abs(outline).max())) + PAD_PX + 2
    anchor_xy = np.array([half, half], np.float64)
    # So much padding that the window is all of the plane.
    alpha = rasterise(outline + anchor_xy, 2 * half, 2 * half, 2 * half).alpha
    return _Window(alpha, anchor_xy)


def _on_canvas(planes: Plane, window: _Window, scale: float) -> Plane:
    """A window's planes as a patch, `scale` times as large."""
    shift = PATCH / 2 - scale * window.anchor_xy
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return np.asarray(cv2.warpAffine(planes, matrix, (PATCH, PATCH)), np.float32)


def _linear(paint: Callable[[Plane], Plane], window: _Window) -> tuple[Plane, Plane]:
    """What `paint` adds to a window, f32 [h, w, 3] in R, G, B, and by what it multiplies it."""
    shape = (*window.alpha.shape, 3)
    add = paint(np.zeros(shape, np.float32))
    gain = (paint(np.full(shape, _LEVEL, np.float32)) - add).mean(axis=2) / _LEVEL
    return add[..., ::-1], gain


def _gap_planes(window: _Window, style: GapStyle, scale: float) -> NDArray[np.float16]:
    alpha = soften(window.alpha, style.softness_px)
    add, gain = _linear(lambda before: overlaid(before, alpha, style, 1.0), window)
    return _on_canvas(np.dstack([add, gain - 1]), window, scale).astype(np.float16)


def _piece_planes(window: _Window, style: PieceStyle, scale: float) -> NDArray[np.float16]:
    alpha = soften(window.alpha, style.softness_px)
    nothing = np.zeros((*alpha.shape, 3), np.float32)
    add, gain = _linear(lambda before: pasted(before, nothing, alpha, style), window)
    _, share = _linear(lambda content: pasted(nothing, content, alpha, style), window)
    return _on_canvas(np.dstack([add, gain - 1, share]), window, scale).astype(np.float16)


def _contour(outline: Outline, scale: float) -> NDArray[np.float64]:
    points, normals = along(outline)
    return np.hstack([points * scale, normals])[:: len(points) // CONTOUR]
