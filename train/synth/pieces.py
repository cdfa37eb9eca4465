"""How a piece looks: the cut-out picture, its tone and what runs along its edge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from train.synth.edges import EdgeStyle, blend, draw_edge, paint_edge
from train.synth.patch import Patch, Plane, soften

# A piece must change the pixels it covers by this many grey levels on average, or by this share of
# the local texture's deviation if that is more; else it gets an outline, or nobody could see it.
_MIN_CONTRAST = 14.0
_MIN_CONTRAST_OF_TEXTURE = 0.5


@dataclass(frozen=True)
class PieceStyle:
    """Attributes: tone family, its amount (0..1) and colour, opacity, mask softness, edge."""

    tone: str
    amount: float
    colour: tuple[float, ...]
    softness_px: float
    edge: EdgeStyle


def draw_piece_style(rng: np.random.Generator, edge: str, tone: str, size_px: float) -> PieceStyle:
    """Random parameters of a piece for the given families (see `families`)."""
    return PieceStyle(
        tone=tone,
        amount=float(rng.uniform(0, 1)),
        colour=tuple(rng.uniform(0, 255, size=3).tolist()),
        softness_px=float(rng.uniform(0.4, 1.2)) if rng.random() < 0.25 else 0.0,
        edge=draw_edge(rng, edge.removeprefix("piece-"), size_px),
    )


def paint_piece(
    picture: npt.NDArray[np.uint8],
    source: npt.NDArray[np.uint8],
    patch: Patch,
    style: PieceStyle,
    picture_to_source: npt.NDArray[np.float64],
) -> None:
    """Paste the cut-out piece into a picture, in place.

    Args:
        picture: u8 [H, W, 3], BGR.
        source: u8 [H, W, 3], the picture the piece was cut from.
        patch: where the piece lies.
        picture_to_source: f64 [2, 3], affine map from picture to source coordinates.
    """
    before = picture[patch.window].astype(np.float32)
    alpha = soften(patch.alpha, style.softness_px)
    before = _surrounded(before, alpha, style.edge)
    after = _covered(before, _cut_out(source, patch, picture_to_source), alpha, style)
    inside = patch.alpha > 0.5
    if inside.any() and _is_hidden(before[inside], after[inside]):
        colour = (255.0,) * 3 if before.mean() < 128 else (30.0,) * 3
        visible = replace(style.edge, name="outline", opacity=0.9, colour=colour)
        after = paint_edge(after, alpha, visible)
    picture[patch.window] = np.clip(after, 0, 255).astype(np.uint8)


def pasted(before: Plane, content: Plane, alpha: Plane, style: PieceStyle) -> Plane:
    """A window f32 [h, w, 3] under a piece of that content (another window) and coverage f32
    [h, w], as its style alone has it."""
    return _covered(_surrounded(before, alpha, style.edge), content, alpha, style)


def _surrounded(before: Plane, alpha: Plane, edge: EdgeStyle) -> Plane:
    """With what lies around the piece, and so below it."""
    return paint_edge(before, alpha, edge) if edge.name in ("shadow", "glow") else before


def _covered(before: Plane, content: Plane, alpha: Plane, style: PieceStyle) -> Plane:
    opacity = 0.75 + 0.2 * style.amount if style.tone == "tone-faded" else 1.0
    after = blend(before, _toned(content, style), alpha * np.float32(opacity))
    edge = style.edge
    return paint_edge(after, alpha, edge) if edge.name in ("outline", "bevel") else after


def _is_hidden(before: Plane, after: Plane) -> bool:
    floor = max(_MIN_CONTRAST, _MIN_CONTRAST_OF_TEXTURE * float(before.std()))
    return bool(np.abs(after - before).mean() < floor)


def _cut_out(
    source: npt.NDArray[np.uint8], patch: Patch, picture_to_source: npt.NDArray[np.float64]
) -> Plane:
    """The source's pixels under the patch: f32 [h, w, 3]."""
    height, width = patch.alpha.shape
    matrix = picture_to_source.copy()
    matrix[:, 2] += matrix[:, :2] @ [patch.left, patch.top]
    pixels = cv2.warpAffine(
        source,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(pixels, np.float32)


def _toned(content: Plane, style: PieceStyle) -> Plane:
    if style.tone == "tone-tint":
        weight = np.full(content.shape[:2], 0.1 + 0.3 * style.amount, np.float32)
        return blend(content, style.colour, weight)
    if style.tone == "tone-bright":
        return content * np.float32(1.1 + 0.35 * style.amount) + np.float32(15)
    if style.tone == "tone-dark":
        return content * np.float32(0.9 - 0.35 * style.amount)
    return content
