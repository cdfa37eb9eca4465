"""Whether an object can be seen in a finished picture: what its label is worth."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from train.synth.patch import ellipse_kernel, rasterise
from train.synth.shapes import Outline

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_POINTS = 96  # looked at along an outline
# Pairs of places across an outline, px from it, that may show its step: an edge, or a drawn line.
STEPS_PX = ((-1.5, 1.5), (-1.5, 0.0), (0.0, 1.5), (-4.0, 0.0), (0.0, 4.0))
AROUND_PX = (-8.0, -5.0, 0.0, 5.0, 8.0)  # where the texture is sampled, across the outline
TEXTURE_FACTOR = 1.5
STEP_LEVELS = 6.0
CONTOUR_SHARE = 0.5
# Grey levels by which an object changes its pixels: the least, and what texture asks for.
LEAST_CHANGE = 9.0
DISGUISE_OF_SPREAD = 0.4
MOST_DISGUISE = 22.0


def stands_out(
    picture: Picture, bare: Picture, outline: Outline, noise_sigma: float, share: float = 1.0
) -> bool:
    """Whether an object's pixels and its contour differ enough from the picture without it.

    Pixels: their mean change is a number of grey levels, more where texture or noise hides it.
    Contour: along half of the outline the step across it is larger than the steps that the texture
    makes at the same place. A patch of leaves on leaves passes the first test and fails the second.

    Args:
        picture, bare: u8 [H, W, 3], with and without the object, all else equal.
        outline: f64 [N, 2], picture pixels.
        noise_sigma: of the noise in both, grey levels.
        share: 0..1, of the grey levels and of the contour that are enough otherwise. The texture
            must be outdone all the same.
    """
    change, spread = _mean_change(picture, bare, outline)
    disguise = min(DISGUISE_OF_SPREAD * spread, MOST_DISGUISE) + 0.5 * noise_sigma
    if change < share * max(LEAST_CHANGE, disguise):
        return False
    return contour_share(picture, bare, outline, share) >= share * CONTOUR_SHARE


def contour_share(picture: Picture, bare: Picture, outline: Outline, share: float = 1.0) -> float:
    """The share of an outline's points, of those inside the picture, that show a step there.

    1 where hardly any of the outline lies inside: its pixels alone decide then.
    """
    points, normals = along(outline)
    height, width = picture.shape[:2]
    inside = np.all((points >= 0) & (points <= (width - 1, height - 1)), axis=1)
    if inside.sum() < _POINTS // 8:
        return 1.0
    (step,) = _steps(picture, points, normals, (0.0,))
    texture = _steps(bare, points, normals, AROUND_PX).mean(axis=0)
    seen = step > TEXTURE_FACTOR * texture + share * STEP_LEVELS
    return float(seen[inside].mean())


def _mean_change(picture: Picture, bare: Picture, outline: Outline) -> tuple[float, float]:
    """Mean change in grey levels over the object and a rim of a pixel, and the texture's spread."""
    height, width = bare.shape[:2]
    patch = rasterise(outline, width, height, 2)
    covered = cv2.dilate(patch.alpha, ellipse_kernel(1)) > 0.5
    hidden = bare[patch.window].astype(np.float32)[covered]
    change = np.abs(picture[patch.window].astype(np.float32)[covered] - hidden).mean()
    return float(change), float(hidden.std())


def along(outline: Outline) -> tuple[Floats, Floats]:
    """Points at equal distances along a closed outline and the unit normals there, [96, 2] each."""
    closed = np.vstack([outline, outline[:1]])
    edges = np.diff(closed, axis=0)
    lengths = np.maximum(np.hypot(edges[:, 0], edges[:, 1]), 1e-9)
    reached = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0, reached[-1], _POINTS, endpoint=False)
    edge = np.clip(np.searchsorted(reached, at, "right") - 1, 0, len(lengths) - 1)
    tangents = edges[edge] / lengths[edge, None]
    points = closed[edge] + tangents * (at - reached[edge])[:, None]
    return points, np.column_stack([tangents[:, 1], -tangents[:, 0]])


def _steps(
    picture: Picture, points: Floats, normals: Floats, offsets: Sequence[float]
) -> npt.NDArray[np.float32]:
    """The largest difference over `STEPS_PX` at every point moved by each offset along its normal:
    mean over the channels, f32 [offsets, 96]."""
    distances = sorted({distance for pair in STEPS_PX for distance in pair})
    moved = np.add.outer(offsets, distances)
    at = (points + normals * moved[..., None, None]).astype(np.float32)
    rows = at.reshape(-1, len(points), 2)
    seen = cv2.remap(
        picture,
        rows[..., 0],
        rows[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).reshape(*at.shape[:3], 3)
    levels = dict(zip(distances, seen.astype(np.float32).swapaxes(0, 1), strict=True))
    differences = [np.abs(levels[a] - levels[b]).mean(axis=2) for a, b in STEPS_PX]
    return np.asarray(np.max(differences, axis=0), np.float32)
