"""The decode of runtime.geometry for a batch of outputs, in torch and for maps of any size.

Only elementwise operations, reductions and max pooling: a traced graph gives the same answer on
every engine, ties included.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from runtime.geometry import RIVAL_DISTANCE_CELLS, STRIDE


def row_support(heatmap: Tensor, row_agreement: float) -> Tensor:
    """R ** row_agreement: [B, 1, 64, 128] to [B, 1, 64, 1]; see runtime.geometry.decode."""
    strongest = heatmap.amax(dim=3, keepdim=True)
    spread = functional.max_pool2d(strongest, (3, 1), stride=1, padding=(1, 0))
    if row_agreement == 1.0:
        return spread
    return spread**row_agreement


def decode_point(heatmap: Tensor, support: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """One point of every picture.

    heatmap: [B, 1, 64, 128]; support: the other point's `row_support`; offset: [B, 2, 64, 128].
    Returns (canvas x, canvas y, score, rival) [B, 4] and the chosen cell as a one-hot f32 map
    [B, 1, 64, 128].
    """
    fused = heatmap * support
    height, width = heatmap.shape[2:]
    index = torch.arange(height * width, device=heatmap.device, dtype=torch.float32)
    index = index.reshape(1, 1, height, width)
    best = fused.amax(dim=(2, 3), keepdim=True)
    # The smallest index among the maxima: the first in row-major order.
    first = torch.where(fused == best, index, float(height * width)).amin(dim=(2, 3), keepdim=True)
    chosen = (index == first).float()
    row = torch.floor(first / width)
    column = first - row * width
    rows = torch.floor(index / width)
    columns = index - rows * width
    distance = torch.maximum((rows - row).abs(), (columns - column).abs())
    survives = fused == functional.max_pool2d(fused, 3, stride=1, padding=1)
    others = torch.where(survives & (distance >= RIVAL_DISTANCE_CELLS), fused, 0.0)
    rival = others.amax(dim=(2, 3)) / best.flatten(1).clamp(min=1e-12)
    moved = (offset * chosen).sum(dim=(2, 3))
    cell = torch.cat([column.flatten(1), row.flatten(1)], dim=1)
    xy = (cell + 0.5 + moved) * STRIDE - 0.5
    score = (heatmap * chosen).sum(dim=(2, 3))
    return torch.cat([xy, score, rival], dim=1), chosen


def decode(outputs: dict[str, Tensor], row_agreement: float = 1.0) -> tuple[Tensor, Tensor]:
    """The network's five outputs to keypoints f32 [B, 2, 4] and angle f32 [B, 2].

    As runtime.geometry.decode, for a batch: keypoints row 0 is the gap, row 1 the slider; columns
    are canvas x, canvas y (pixels), score, rival; angle is (sin, cos) at the gap's cell.
    """
    heatmap_gap, heatmap_slider = outputs["heatmap_gap"], outputs["heatmap_slider"]
    gap, chosen = decode_point(
        heatmap_gap, row_support(heatmap_slider, row_agreement), outputs["offset_gap"]
    )
    slider, _ = decode_point(
        heatmap_slider, row_support(heatmap_gap, row_agreement), outputs["offset_slider"]
    )
    angle = (outputs["angle"] * chosen).sum(dim=(2, 3))
    return torch.stack([gap, slider], dim=1), angle
