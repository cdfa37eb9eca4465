"""DualHead: both points' heatmaps and offsets from one joint convolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.model.blocks import RepConv

POINT_CHANNELS = 6
# Of the heatmap, in a cell of the features.
CELLS = 4
# Log odds of a cell being a peak before any training: the focal loss then starts calmly.
HEATMAP_BIAS = -2.9


class DualHead(nn.Module):
    """A 3×3 block and a 1×1 convolution to the points' six raw channels, the latter in float32.

    Takes [B, channels, 32, 64] and returns [B, 6, 64, 128]: the four cells within a coarse one have
    weights of their own (sub-pixel convolution).

    Channels: 0 gap logit, 1 slider logit, 2:4 gap offset (x, y), 4:6 slider offset (x, y).
    """

    def __init__(self, channels: int, point_branch: bool) -> None:
        super().__init__()
        self.block = RepConv(channels, channels, 1, point_branch)
        self.out = nn.Conv2d(channels, CELLS * POINT_CHANNELS, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        assert self.out.bias is not None
        with torch.no_grad():
            self.out.bias.zero_()
            self.out.bias[: 2 * CELLS] = HEATMAP_BIAS

    def forward(self, features: Tensor) -> Tensor:
        return functional.pixel_shuffle(in_float32(self.out, self.block(features)), 2)


def in_float32(last: nn.Conv2d, x: Tensor) -> Tensor:
    """A last convolution's answer; logits and offsets in bfloat16 would cost tenths of a pixel."""
    if torch.is_autocast_enabled(x.device.type):
        with torch.autocast(x.device.type, enabled=False):
            return last(x.float())
    return last(x)


def activate(raw: Tensor) -> dict[str, Tensor]:
    """Turns the network's raw channels [B, 8, 64, 128] into the five named outputs.

    ``heatmap_gap`` and ``heatmap_slider`` [B, 1, 64, 128] in 0..1; ``offset_gap`` and
    ``offset_slider`` [B, 2, 64, 128] in cells, x then y, within ±0.5; ``angle`` [B, 2, 64, 128],
    (sin, cos) unnormalised.
    """
    return {
        "heatmap_gap": torch.sigmoid(raw[:, 0:1]),
        "heatmap_slider": torch.sigmoid(raw[:, 1:2]),
        "offset_gap": raw[:, 2:4].clamp(-0.5, 0.5),
        "offset_slider": raw[:, 4:6].clamp(-0.5, 0.5),
        "angle": raw[:, 6:8],
    }
