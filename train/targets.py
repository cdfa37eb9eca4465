"""Truth as the network learns it: points on the canvas to heatmaps, offsets and angles.

One picture's truth is a float32 vector of `TRUTH_FIELDS` (what a worker sends with its canvas);
`encode` turns a batch of them into targets on the training device.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.geometry import HEATMAP_HEIGHT, HEATMAP_WIDTH, STRIDE, Letterbox
from train.synth import Sample

TRUTH_FIELDS = (
    "gap_x",  # canvas pixels, as slider_x and both y
    "gap_y",
    "slider_x",
    "slider_y",
    "has_gap",
    "has_slider",
    "sin",
    "cos",
    "has_angle",
    "ambiguous",
    "size_x",  # the piece's longer side in canvas pixels
    "scale_x",  # canvas pixels per picture pixel
    "scale_y",
)
_FIELD = {name: column for column, name in enumerate(TRUTH_FIELDS)}

# The peak's width grows with the piece: the centre of a large one is harder to tell, and its
# neighbours are less wrong. In cells; an eighth of the piece between the two limits.
SIGMA_CELLS = (1.25, 2.5)
SIGMA_PER_SIZE = 0.125
# Of the bell that says which cell: narrow, but a point between two cells belongs to both.
SHARE_SIGMA_CELLS = 0.5
# A neighbour of the peak may win the argmax when the point lies near their border; it then points
# back as far as its ±0.5 allows.
NEIGHBOUR_WEIGHT = 0.2


@dataclass(frozen=True)
class Targets:
    """What one batch should say. Points are ordered gap, slider (axis of size 2).

    Sizes are those of the contract's canvas; a smaller one has smaller maps.

    heatmap: f32 [B, 2, 64, 128], exactly 1 on the nearest cell of each point, 0 without a point.
    heatmap_weight: f32 [B, 2, 1, 1]; 0 for the gap of an ambiguous picture, which has no answer.
    toward: f32 [B, 2, 2, 64, 128], (x, y) in cells from each cell's centre to the point.
    share: f32 [B, 2, 64, 128], a narrow bell on the 3×3 cells around each point, summing to 1.
    offset: f32 [B, 2, 2, 64, 128], (x, y) in cells within ±0.5, where offset_weight is not 0.
    offset_weight: f32 [B, 2, 1, 64, 128]; 1 on the peak, less on its eight neighbours.
    angle: f32 [B, 2, 1, 1], (sin, cos); angle_weight: f32 [B, 1, 64, 128], 3×3 cells at the gap.
    """

    heatmap: Tensor
    heatmap_weight: Tensor
    toward: Tensor
    share: Tensor
    offset: Tensor
    offset_weight: Tensor
    angle: Tensor
    angle_weight: Tensor


def truth_vector(sample: Sample, letterbox: Letterbox) -> NDArray[np.float32]:
    """A sample's truth on its canvas, float32 [13] in the order of `TRUTH_FIELDS`."""
    has_gap, has_slider = sample.gap_picture_xy is not None, sample.slider_picture_xy is not None
    gap = letterbox.to_canvas(sample.gap_picture_xy or (0.0, 0.0))
    slider = letterbox.to_canvas(sample.slider_picture_xy or (0.0, 0.0))
    angle = radians(sample.angle_deg or 0.0)
    ambiguous = sample.difficulty == "ambiguous"
    has_angle = sample.angle_deg is not None and has_gap
    size_x = sample.piece_size_px * letterbox.scale_x
    row = (*gap, *slider, has_gap, has_slider, sin(angle), cos(angle), has_angle, ambiguous)
    return np.array((*row, size_x, letterbox.scale_x, letterbox.scale_y), np.float32)


def existing_points(truth: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Canvas points f64 [2] by name ("gap", "slider"), those that a truth vector [13] has."""
    return {
        name: truth[_FIELD[f"{name}_x"] :][:2].astype(np.float64)
        for name in ("gap", "slider")
        if truth[_FIELD[f"has_{name}"]]
    }


def size_px(truth: NDArray[np.float32]) -> float:
    """The piece's longer side on the canvas, from a truth vector [13]."""
    return float(truth[_FIELD["size_x"]])


def transformed(truth: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """The truth vector [13] of a canvas that was moved, turned, scaled or mirrored.

    matrix: f64 [2, 3], a similarity: old canvas points (x, y, 1) to new ones. The angle stays, as
    it is the gap's against the piece, and both turn; mirrored, it is the opposite one.
    """
    result = truth.copy()
    for name, point in existing_points(truth).items():
        result[_FIELD[f"{name}_x"] :][:2] = matrix[:, :2] @ point + matrix[:, 2]
    determinant = np.linalg.det(matrix[:, :2])
    factor = np.sqrt(abs(determinant))
    for name in ("size_x", "scale_x", "scale_y"):
        result[_FIELD[name]] *= factor
    result[_FIELD["sin"]] *= np.sign(determinant)
    return result


def column(name: str) -> int:
    """Where a field stands in a truth vector."""
    return _FIELD[name]


def field(truth: Tensor, name: str) -> Tensor:
    """One field of a batch of truth vectors [B, 13], as [B]."""
    return truth[:, _FIELD[name]]


def points(truth: Tensor) -> tuple[Tensor, Tensor]:
    """Canvas points f32 [B, 2, 2] (gap then slider; x, y) and whether each exists, f32 [B, 2]."""
    return truth[:, :4].reshape(-1, 2, 2), truth[:, 4:6]


def encode(
    truth: Tensor, heatmap_size: tuple[int, int] = (HEATMAP_HEIGHT, HEATMAP_WIDTH)
) -> Targets:
    """Targets for truth vectors f32 [B, 13], on the same device.

    heatmap_size: rows and columns of the maps; fewer for canvases smaller than the contract's.
    """
    height, width = heatmap_size
    points_canvas_xy, exists = points(truth)
    last_cell = truth.new_tensor([width - 1, height - 1])
    position = (points_canvas_xy + 0.5) / STRIDE - 0.5  # in cells, 0 at the first one's centre
    cell = torch.minimum((position + 0.5).floor().clamp(min=0), last_cell)
    columns = torch.arange(width, device=truth.device, dtype=torch.float32)
    rows = torch.arange(height, device=truth.device, dtype=torch.float32)
    dx = columns.reshape(1, 1, 1, -1) - cell[..., 0, None, None]
    dy = rows.reshape(1, 1, -1, 1) - cell[..., 1, None, None]
    here = exists[..., None, None]
    size_cells = field(truth, "size_x") / STRIDE
    sigma = (SIGMA_PER_SIZE * size_cells).clamp(*SIGMA_CELLS).reshape(-1, 1, 1, 1)
    near = ((dx.abs() <= 1) & (dy.abs() <= 1)).float() * here
    peak = ((dx == 0) & (dy == 0)).float() * here
    clear = 1 - field(truth, "ambiguous")
    toward_x = position[..., 0, None, None] - columns.reshape(1, 1, 1, -1)
    toward_y = position[..., 1, None, None] - rows.reshape(1, 1, -1, 1)
    toward = torch.stack(torch.broadcast_tensors(toward_x, toward_y), dim=2)
    bell = torch.exp(-(toward_x**2 + toward_y**2) / (2 * SHARE_SIGMA_CELLS**2)) * near
    return Targets(
        heatmap=torch.exp(-(dx**2 + dy**2) / (2 * sigma**2)) * here,
        heatmap_weight=torch.stack([clear, torch.ones_like(clear)], 1)[..., None, None],
        toward=toward,
        share=bell / bell.sum(dim=(2, 3), keepdim=True).clamp(min=torch.finfo(bell.dtype).tiny),
        offset=toward.clamp(-0.5, 0.5),
        offset_weight=(peak + NEIGHBOUR_WEIGHT * (near - peak))[:, :, None],
        angle=torch.stack([field(truth, "sin"), field(truth, "cos")], 1)[..., None, None],
        angle_weight=near[:, :1] * field(truth, "has_angle").reshape(-1, 1, 1, 1),
    )
