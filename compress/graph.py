"""The deployed graph: a canvas of bytes in, two decoded points and an angle out.

The decode follows the geometry contract (`runtime.geometry.decode`) step by step, from operations
that every engine computes alike: no TopK and no ArgMax, whose ties engines break differently.
It differs from `train.decode`, which serves batches, in what it spares an engine: one picture, and
only the chosen cells are cut out of the raw maps.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime.geometry import HEATMAP_HEIGHT, HEATMAP_WIDTH, RIVAL_DISTANCE_CELLS, STRIDE
from train.decode import row_support
from train.model import KeypointNet, activate

CELLS = HEATMAP_HEIGHT * HEATMAP_WIDTH
RAW_NAMES = ("heatmap_gap", "heatmap_slider", "offset_gap", "offset_slider", "angle")


def joint_scores(heatmaps: Tensor, row_agreement: float) -> Tensor:
    """Weigh each heatmap by the best value the other one has near the same row.

    heatmaps: f32 [1, 2, 64, 128], gap then slider, 0..1.
    row_agreement: the exponent lambda; 0 switches the prior off.
    Returns f32 [1, 2, 64, 128]: h * R ** lambda (`train.decode.row_support` of the other map).
    """
    support = row_support(heatmaps, row_agreement)
    return heatmaps * torch.cat([support[:, 1:], support[:, :1]], dim=1)


def decode(heatmaps: Tensor, raw: Tensor, row_agreement: float) -> tuple[Tensor, Tensor]:
    """Read two points from one picture's maps as `runtime.geometry.decode` does.

    heatmaps: f32 [1, 2, 64, 128], gap then slider, 0..1.
    raw: f32 [1, 8, 64, 128], the network's raw maps; offsets and angle are taken from it.
    row_agreement: see `joint_scores`.
    Returns keypoints f32 [1, 2, 4] (rows gap and slider; columns canvas x, canvas y in pixels,
    score, rival) and the angle f32 [1, 2] (sin, cos) at the gap's cell.
    """
    joint = joint_scores(heatmaps, row_agreement)
    flat = joint.flatten(2)
    best = flat.amax(2, keepdim=True)
    # The maximum always survives its own suppression, so the choice needs none: it is the
    # smallest index that holds the maximum. Indices as floats are exact and quicker on CPUs.
    index = torch.arange(CELLS, dtype=torch.float32, device=raw.device)
    chosen = torch.where(flat == best, index, float(CELLS)).amin(2)
    row = torch.floor(chosen / HEATMAP_WIDTH)
    column = chosen - row * HEATMAP_WIDTH
    rival = _best_rival(joint, row, column) / best[:, :, 0].clamp(min=1e-12)

    cells = chosen.long()
    score = heatmaps.flatten(2).gather(2, cells.unsqueeze(2))[:, :, 0]
    # Picking cells before anything is split or clamped spares the engine work on whole maps;
    # with channels last, the layout convolutions write, it even is a plain copy of two rows.
    picked = raw.permute(0, 2, 3, 1).reshape(CELLS, -1).index_select(0, cells[0])
    at_cell = activate(picked.t().reshape(1, -1, 1, 2))
    gap, slider = at_cell["offset_gap"][:, :, 0, 0], at_cell["offset_slider"][:, :, 0, 1]
    offset = torch.stack([gap, slider], dim=1)
    points_canvas_xy = (torch.stack([column, row], dim=2) + 0.5 + offset) * STRIDE - 0.5
    keypoints = torch.cat([points_canvas_xy, torch.stack([score, rival], dim=2)], dim=2)
    return keypoints, at_cell["angle"][:, :, 0, 0]


def _best_rival(joint: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The best joint score of a 3 x 3 local maximum that is no shoulder of the chosen cell.

    joint: f32 [1, 2, 64, 128]; row, column: f32 [1, 2], the chosen cells. Returns f32 [1, 2].
    """
    survives = joint == functional.max_pool2d(joint, 3, 1, 1)
    far_row = _far(HEATMAP_HEIGHT, row).unsqueeze(3)
    far_column = _far(HEATMAP_WIDTH, column).unsqueeze(2)
    return torch.where(survives & (far_row | far_column), joint, 0.0).amax((2, 3))


def _far(size: int, centre: Tensor) -> Tensor:
    """Which of `size` indices are rival-far from each centre f32 [1, 2]: bool [1, 2, size]."""
    indices = torch.arange(size, dtype=torch.float32, device=centre.device)
    return (indices - centre.unsqueeze(2)).abs() >= RIVAL_DISTANCE_CELLS


class _ByteGraph(nn.Module):
    """A folded network that takes bytes: u8 [1, 256, 512, 4], channels R, G, B, mask."""

    def __init__(self, net: KeypointNet) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).eval()
        self.dtype = next(p.dtype for p in net.parameters() if p.is_floating_point())

    def raw(self, canvas: Tensor) -> Tensor:
        # Scale, then transpose: the other way round OpenVINO really moves the FP32 input about.
        pixels = (canvas.float() / 255.0).permute(0, 3, 1, 2)
        # In the network's own type, and from the logits on in FP32 whatever that is.
        return self.net.forward_raw(pixels.to(self.dtype)).float()


class DeployedGraph(_ByteGraph):
    """Canvas u8 [1, 256, 512, 4] to keypoints f32 [1, 2, 4] and angle f32 [1, 2]; see `decode`."""

    def __init__(self, net: KeypointNet, row_agreement: float) -> None:
        super().__init__(net)
        self.row_agreement = row_agreement

    def forward(self, canvas: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.raw(canvas)
        # As `activate` does, in one piece: its separate maps cost as much as the whole decode.
        return decode(torch.sigmoid(raw[:, :2]), raw, self.row_agreement)


class RawGraph(_ByteGraph):
    """Canvas u8 [1, 256, 512, 4] to the five named maps, in the order of RAW_NAMES."""

    def forward(self, canvas: Tensor) -> tuple[Tensor, ...]:
        maps = activate(self.raw(canvas))
        return tuple(maps[name] for name in RAW_NAMES)
