"""LiteFPN: a narrow top-down path that brings every stride to the finest one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from train.model.blocks import ConvNorm, RepConv, SubCellUpsample


class LiteFPN(nn.Module):
    """1×1 laterals to ``channels``, sub-cell upsampling, sums, one smoothing convolution.

    Takes the backbone's branches, finest first; returns [B, channels, 64, 128].
    """

    def __init__(self, widths: Sequence[int], channels: int, point_branch: bool) -> None:
        super().__init__()
        *finer, coarsest = widths
        self.laterals = nn.ModuleList(ConvNorm(width, channels, 1) for width in finer)
        inputs = [channels] * (len(finer) - 1) + [coarsest]
        self.up = nn.ModuleList(SubCellUpsample(width, channels) for width in inputs)
        self.smooth = RepConv(channels, channels, 1, point_branch)

    def forward(self, branches: list[Tensor]) -> Tensor:
        total = branches[-1]
        for level in range(len(branches) - 2, -1, -1):
            total = self.laterals[level](branches[level]) + self.up[level](total)
        return self.smooth(total)
