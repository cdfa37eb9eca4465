"""ShapeHead: whole shapes, which only training asks for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.model.head import CELLS, HEATMAP_BIAS


class ShapeHead(nn.Conv2d):
    """A 1×1 convolution from the fused features [B, channels, 32, 64] to seven maps f32
    [B, 7, 64, 128].

    Channels: 0:3 logits of the coverage by gap, piece and decoys; 3:5 and 5:7 how far the gap's and
    the piece's point lies from the cell's centre (x, y), in units of the piece's size. Every cell
    of a shape then says something about its point, where a heatmap's peak is a cell or two; what is
    exported has no such head. It starts without chance, the same wherever a checkpoint of weights
    alone comes without one: nothing covered, all points here.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, CELLS * 7, 1)
        assert self.bias is not None
        with torch.no_grad():
            self.weight.zero_()
            self.bias.zero_()
            self.bias[: 3 * CELLS] = HEATMAP_BIAS

    def forward(self, features: Tensor) -> Tensor:
        return functional.pixel_shuffle(super().forward(features), 2).float()
