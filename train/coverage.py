"""Whole shapes on the canvas: how much of every cell the gap, the piece and the decoys cover.

A map of them is u8 [H/4, W/4, 3] in the order of `KINDS`, 255 for a cell covered entirely; all 0
where a picture's outlines are not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH, STRIDE, Letterbox
from train.synth import Sample
from train.synth.patch import rasterise
from train.synth.shapes import Outline
from train.targets import field, points

KINDS = ("gap", "slider", "decoy")  # of `Sample.outlines_picture_xy`
DECOY = KINDS.index("decoy")
# Cells covered by more than this say where the shape's point is.
MOSTLY = 0.5

Shapes = NDArray[np.uint8]


def coverage_of(sample: Sample, letterbox: Letterbox, canvas_scale: int = 1) -> Shapes:
    """The shapes of a sample in the cells of its canvas, or of one `canvas_scale` times smaller."""
    cells = STRIDE * canvas_scale
    planes = [
        covered(
            [letterbox.to_canvas(o) for o in sample.outlines_picture_xy.get(kind, ())],
            (CANVAS_HEIGHT, CANVAS_WIDTH),
            cells,
        )
        for kind in KINDS
    ]
    return np.stack(planes, axis=2)


def covered(
    outlines_canvas_xy: Sequence[Outline], size: tuple[int, int], cell_px: int = STRIDE
) -> Shapes:
    """Coverage by any of the outlines of a canvas's cells, u8 [rows, columns].

    outlines_canvas_xy: f64 [N, 2] each, canvas pixels. size: the canvas's (height, width).
    """
    height, width = size
    cells = (width // cell_px, height // cell_px)
    if not outlines_canvas_xy:
        return np.zeros(cells[::-1], np.uint8)
    plane = np.zeros(size, np.float32)
    for outline in outlines_canvas_xy:
        patch = rasterise(outline, width, height, 0)
        window = plane[patch.window]
        np.maximum(window, patch.alpha, out=window)
    mean = cv2.resize(plane, cells, interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(255 * mean), np.uint8)


def moved(shapes: Shapes, matrix: NDArray[np.float64]) -> Shapes:
    """The shapes of a canvas that was transformed.

    matrix: f64 [2, 3], old canvas points (x, y, 1) to new ones.
    """
    # A cell's centre lies at (cell + 1/2) · stride − 1/2.
    centre = (STRIDE - 1) / 2
    shift = (matrix[:, :2].sum(axis=1) * centre + matrix[:, 2] - centre) / STRIDE
    in_cells = np.column_stack([matrix[:, :2], shift])
    return np.asarray(cv2.warpAffine(shapes, in_cells, shapes.shape[1::-1]), np.uint8)


@dataclass(frozen=True)
class ShapeTargets:
    """What a batch's shapes should say. Sizes are those of the contract's canvas.

    mask: f32 [B, 3, 64, 128], coverage in 0..1, in the order of `KINDS`.
    mask_weight: f32 [B, 1, 64, 128], how much of a cell is picture and not padding; 0 all over
        where a picture shows a point and its outlines are not known.
    centre: f32 [B, 2, 2, 64, 128], from the cell to the gap's and the piece's point (x, y), in
        units of the piece's size.
    centre_weight: f32 [B, 2, 1, 64, 128], 1 where the shape covers most of the cell.
    """

    mask: Tensor
    mask_weight: Tensor
    centre: Tensor
    centre_weight: Tensor


def encode_shapes(canvas: Tensor, truth: Tensor, shapes: Tensor) -> ShapeTargets:
    """Targets for canvases u8 [B, H, W, 4], truth f32 [B, 13] and shapes u8 [B, H/4, W/4, 3], on
    the same device."""
    mask = shapes.permute(0, 3, 1, 2).float() / 255
    points_canvas_xy, exists = points(truth)
    unknown = (exists.amax(dim=1) > 0) & (mask[:, :DECOY].amax(dim=(1, 2, 3)) == 0)
    inside = functional.avg_pool2d(canvas[:, None, :, :, 3].float() / 255, STRIDE)
    columns, rows = (
        (torch.arange(count, device=truth.device) + 0.5) * STRIDE - 0.5
        for count in (mask.shape[3], mask.shape[2])
    )
    # [B, 2, 2, rows, columns]
    cell_xy = torch.stack(torch.broadcast_tensors(columns[None, :], rows[:, None]))
    size_px = field(truth, "size_x").clamp(min=STRIDE).reshape(-1, 1, 1, 1, 1)
    centre = (points_canvas_xy[..., None, None] - cell_xy) / size_px
    mostly = (mask[:, :DECOY] > MOSTLY).float() * exists[..., None, None]
    return ShapeTargets(
        mask=mask,
        mask_weight=inside * (~unknown).float().reshape(-1, 1, 1, 1),
        centre=centre,
        centre_weight=mostly[:, :, None],
    )
