"""LiteFPN: a narrow path that brings every stride to stride 8."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from train.model.blocks import ConvNorm, RepConv, SubCellUpsample


class LiteFPN(nn.Module):
    """Sums of every stride's features in ``channels`` at stride 8, and one smoothing convolution.

    1×1 laterals; sub-cell upsampling of what is coarser, a strided 3×3 convolution of what is
    finer. Takes the backbone's branches, finest first; returns [B, channels, 32, 64].
    """

    def __init__(self, widths: Sequence[int], channels: int, point_branch: bool) -> None:
        super().__init__()
        finest, *middle, coarsest = widths
        self.down = ConvNorm(finest, channels, 3, 2)
        self.laterals = nn.ModuleList(ConvNorm(width, channels, 1) for width in middle)
        inputs = [channels] * (len(middle) - 1) + [coarsest]
        self.up = nn.ModuleList(SubCellUpsample(width, channels) for width in inputs)
        self.smooth = RepConv(channels, channels, 1, point_branch)

    def forward(self, branches: list[Tensor]) -> Tensor:
        finest, *middle, total = branches
        for level in range(len(middle) - 1, -1, -1):
            total = self.laterals[level](middle[level]) + self.up[level](total)
        return self.smooth(functional.relu(total + self.down(finest)))
