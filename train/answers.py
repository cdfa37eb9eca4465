"""What a validation keeps of every picture."""

from __future__ import annotations

import torch
from torch import Tensor

from train.targets import field, points

# A point that scores less is refused, unless a bundle says otherwise.
MIN_SCORE = 0.25
# What is kept of every picture after its losses, in this order.
COLUMNS = (
    *("gap_error_px", "gap_exists", "gap_answered", "gap_score"),
    *("slider_error_px", "slider_exists", "slider_answered", "slider_score"),
    *("clear", "angle_deg", "true_angle_deg", "turned"),
)


def answers(keypoints: Tensor, angle: Tensor, truth: Tensor, canvas: Tensor) -> list[Tensor]:
    """The values [B] of `COLUMNS` for decoded keypoints [B, 2, 4] and angle [B, 2]."""
    true_canvas_xy, exists = points(truth)
    scale = torch.stack([field(truth, "scale_x"), field(truth, "scale_y")], dim=1)
    errors_px = torch.linalg.vector_norm(
        (keypoints[..., :2] - true_canvas_xy) / scale[:, None], dim=2
    )
    answered = (keypoints[..., 2] >= MIN_SCORE) & on_picture(keypoints[..., :2], canvas)
    of_points = torch.stack([errors_px, exists, answered.float(), keypoints[..., 2]], dim=2)
    sine, cosine = field(truth, "sin"), field(truth, "cos")
    return [
        *of_points.flatten(1).unbind(dim=1),
        1 - field(truth, "ambiguous"),
        torch.rad2deg(torch.atan2(angle[:, 0], angle[:, 1])),
        torch.rad2deg(torch.atan2(sine, cosine)),
        field(truth, "has_angle") * (sine != 0),
    ]


def on_picture(points_canvas_xy: Tensor, canvas: Tensor) -> Tensor:
    """Whether points [B, 2, 2] lie on the picture rather than its padding, bool [B, 2]."""
    height, width = canvas.shape[1:3]
    column, row = (points_canvas_xy + 0.5).floor().long().unbind(dim=2)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    picture = torch.arange(len(canvas), device=canvas.device)[:, None]
    mask = canvas[picture, row.clamp(0, height - 1), column.clamp(0, width - 1), 3]
    return inside & (mask > 0)
