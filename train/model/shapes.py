"""ShapeHead: whole shapes, which only training asks for."""

from __future__ import annotations

from torch import Tensor, nn


class ShapeHead(nn.Conv2d):
    """A 1×1 convolution from the fused features to seven maps f32 [B, 7, 64, 128].

    Channels: 0:3 logits of the coverage by gap, piece and decoys; 3:5 and 5:7 how far the gap's and
    the piece's point lies from the cell's centre (x, y), in units of the piece's size. Every cell
    of a shape then says something about its point, where a heatmap's peak is a cell or two; what is
    exported has no such head. It starts at zero, so that it is the same wherever a checkpoint of
    weights alone comes without one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 7, 1)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features).float()
