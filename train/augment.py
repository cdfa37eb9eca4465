"""What varies in a picture every time it is shown, on its canvas; truth and shapes follow.

The picture part is changed first (the puzzle, then the camera) and the whole canvas moved last, so
that padding takes part in nothing.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geometry import CANVAS_WIDTH
from train.canvas import Item
from train.config import AugmentationConfig
from train.coverage import DECOY, Shapes, covered, moved
from train.synth.degrade import degrade
from train.synth.families import draw_family
from train.synth.gaps import draw_gap_style, paint_gap
from train.synth.noise import grain
from train.synth.patch import rasterise
from train.synth.scene import highlight
from train.synth.shapes import Outline, draw_outline
from train.targets import existing_points, size_px, transformed

UNCHANGED = AugmentationConfig(enabled=False)

Picture = NDArray[np.uint8]
Matrix = NDArray[np.float64]
_Rng = np.random.Generator

_TRIES = 12
LUMA = (0.299, 0.587, 0.114)  # of R, G, B (ITU-R BT.601)


def augment(
    canvas: Picture,
    truth: NDArray[np.float32],
    shapes: Shapes,
    config: AugmentationConfig,
    rng: _Rng,
) -> Item:
    """A picture varied as the configuration says; what is given stays as it is.

    `gap_rotation_prob` is the generator's alone: a gap once painted cannot be turned.

    canvas: u8 [H, W, 4], R, G, B and the picture's mask; pixel quantities of the configuration are
        those of a canvas 512 wide and shrink with it.
    truth: f32 [13], see `train.targets`. A point that is on the canvas stays on it.
    shapes: u8 [H/4, W/4, 3], see `train.coverage`.
    """
    if not config.enabled:
        return canvas, truth, shapes
    height, width = canvas.shape[:2]
    unit = width / CANVAS_WIDTH
    canvas, shapes = canvas.copy(), shapes.copy()
    left, top, columns, rows = cv2.boundingRect(cv2.extractChannel(canvas, 3))
    window = canvas[top : top + rows, left : left + columns]
    picture = np.asarray(cv2.cvtColor(window, cv2.COLOR_RGBA2RGB), np.uint8)
    puzzle = _Puzzle(picture, truth, (left, top))
    puzzle.vary(config, rng)
    painted = covered([np.add(o, (left, top)) for o in puzzle.decoys], (height, width))
    shapes[..., DECOY] = np.maximum(shapes[..., DECOY], painted)
    picture = _camera(puzzle.picture, config, unit, rng)
    cv2.mixChannels([picture], [window], [0, 0, 1, 1, 2, 2])  # the mask stays
    matrix = _geometry(truth, width, height, config, unit, rng)
    if matrix is None:
        return canvas, truth, shapes
    canvas = np.asarray(cv2.warpAffine(canvas, matrix, (width, height)), np.uint8)
    return canvas, transformed(truth, matrix), moved(shapes, matrix)


class _Puzzle:
    """The picture part u8 [H, W, 3] of a canvas, with its points and the outlines of decoys
    that are added, in the part's own pixels."""

    def __init__(
        self, picture: Picture, truth: NDArray[np.float32], corner: tuple[int, int]
    ) -> None:
        self.picture, self.size_px = picture, size_px(truth)
        self.points = {name: point - corner for name, point in existing_points(truth).items()}
        self.decoys: list[Outline] = []

    def vary(self, config: AugmentationConfig, rng: _Rng) -> None:
        """What the generator draws into its scenes, as far as a finished picture allows."""
        # Without both points nothing would tell a decoy from a gap.
        if len(self.points) == 2 and rng.random() < config.confusing_gap_prob:
            self._add_decoy(rng)
        if "gap" in self.points and rng.random() < config.gap_highlight_prob:
            highlight(rng, self.picture, self.points["gap"], self.size_px)
        if rng.random() < config.perlin_noise_prob:
            self.picture = degrade(rng, self.picture, ("perlin-noise",), perlin_probability=1.0)[0]

    def _add_decoy(self, rng: _Rng) -> None:
        """A darkened shape clear of both points, weaker where only its looks tell it from the gap;
        none where no free place is found."""
        height, width = self.picture.shape[:2]
        outline = draw_outline(rng, _family(rng, "shape")) * self.size_px * rng.uniform(0.8, 1.2)
        low = -outline.min(axis=0)
        high = np.maximum(low, [width - 1, height - 1] - outline.max(axis=0))
        # A gap may be turned, so that it reaches further than the piece's half side.
        clear = 0.75 * self.size_px + np.abs(outline).max() + 2
        for _ in range(_TRIES):
            centre = rng.uniform(low, high)
            if all(np.abs(centre - point).max() >= clear for point in self.points.values()):
                break
        else:
            return
        off_row = abs(centre[1] - self.points["gap"][1]) >= 0.3 * self.size_px
        strength = rng.uniform(0.6, 1.0) if off_row else rng.uniform(0.3, 0.6)
        style = draw_gap_style(rng, "darken", _family(rng, "gap_edge"), self.size_px)
        paint_gap(self.picture, rasterise(outline + centre, width, height, 12), style, strength)
        self.decoys.append(outline + centre)


def _family(rng: _Rng, kind: str) -> str:
    return draw_family(rng, kind, frozenset(), frozenset())


def _camera(picture: Picture, config: AugmentationConfig, unit: float, rng: _Rng) -> Picture:
    """Colours, then blur, then noise; `unit` is in canvas pixels."""
    amounts = (config.brightness, config.contrast, config.saturation, config.hue)
    if any(amounts):
        matrix = colour_matrix(*rng.uniform(-1, 1, 4) * amounts)
        picture = np.asarray(cv2.transform(picture, matrix))
    sigma = rng.uniform(*config.gaussian_blur) * unit
    if sigma > 0:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma))
    if config.gaussian_noise:
        level = 255 * rng.uniform(0, config.gaussian_noise)
        noise = grain(rng, picture.shape[1], picture.shape[0], 3) * np.float32(level)
        picture = np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U))
    return picture


def colour_matrix(brightness: float, contrast: float, saturation: float, hue: float) -> Matrix:
    """One affine map f64 [3, 4] of (R, G, B, 1): hue, saturation, contrast, brightness in turn.

    Hue turns colours about the grey axis by that part of the circle; saturation blends with the
    luma; contrast stretches about mid-grey, brightness multiplies. 0 leaves each as it is.
    """
    turn = 2 * math.pi * hue
    third = np.full((3, 3), 1 / 3)
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    hues = third + math.cos(turn) * (np.eye(3) - third) + math.sin(turn) * across
    colours = (1 + saturation) * np.eye(3) - saturation * np.tile(LUMA, (3, 1))
    linear = (1 + brightness) * (1 + contrast) * colours @ hues
    shift = np.full((3, 1), -(1 + brightness) * contrast * 127.5)
    return np.hstack([linear, shift])


def _geometry(
    truth: NDArray[np.float32],
    width: int,
    height: int,
    config: AugmentationConfig,
    unit: float,
    rng: _Rng,
) -> Matrix | None:
    """A flip, a turn and a scale about the canvas's centre and a shift, as f64 [2, 3] for
    `transformed`.

    None, for nothing at all, where no draw keeps the points on the canvas.
    """
    upside_down = rng.random() < config.vertical_flip_prob
    for _ in range(_TRIES):
        turn, scale = rng.uniform(*config.random_rotate), rng.uniform(*config.random_scale)
        centre = ((width - 1) / 2, (height - 1) / 2)
        matrix = np.asarray(cv2.getRotationMatrix2D(centre, turn, scale), np.float64)
        if upside_down:
            matrix = matrix @ [[1, 0, 0], [0, -1, height - 1], [0, 0, 1]]
        matrix[:, 2] += rng.uniform(*config.random_translate, 2) * unit
        points = existing_points(transformed(truth, matrix)).values()
        if all(np.all((p >= -0.5) & (p < (width - 0.5, height - 0.5))) for p in points):
            return None if np.array_equal(matrix, np.eye(2, 3)) else matrix
    return None
