"""AngleHead: how the gap is turned, from features that still hold its outline's direction."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from train.model.blocks import ConvNorm, conv_chain
from train.model.head import in_float32

WIDTH = 32
BLOCKS = 4
# From its stride of 16 to the maps' 4.
SCALE = 4


class AngleHead(nn.Module):
    """Strided 3×3 convolutions of stage 2's and of the fused features, blocks at stride 16, and a
    1×1 convolution to (sin, cos) of the gap's angle, the latter in float32.

    Takes stage 2's branch at stride 8, [B, fine, 32, 64], and LiteFPN's features
    [B, fused, 32, 64]; returns [B, 2, 64, 128], copies of what the coarser cells say. The fused
    features know what the gap is, but no longer which way its edges run.
    """

    def __init__(self, fine: int, fused: int, point_branch: bool) -> None:
        super().__init__()
        self.fine = ConvNorm(fine, WIDTH, 3, 2)
        self.fused = ConvNorm(fused, WIDTH, 3, 2)
        self.blocks = conv_chain([WIDTH] * (BLOCKS + 1), [1] * BLOCKS, point_branch)
        self.out = nn.Conv2d(WIDTH, 2, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, fine: Tensor, fused: Tensor) -> Tensor:
        y = self.blocks(functional.relu(self.fine(fine) + self.fused(fused)))
        return functional.interpolate(in_float32(self.out, y), scale_factor=SCALE, mode="nearest")
