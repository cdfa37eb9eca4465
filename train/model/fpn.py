"""LiteFPN: a narrow top-down path that brings every stride to the finest one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from train.model.blocks import ConvNorm, RepConv


class LiteFPN(nn.Module):
    """1×1 laterals to ``channels``, nearest upsampling, sums, one smoothing convolution.

    Takes the backbone's branches, finest first; returns [B, channels, 64, 128].
    """

    def __init__(self, widths: Sequence[int], channels: int, point_branch: bool) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(ConvNorm(width, channels, 1) for width in widths)
        self.smooth = RepConv(channels, channels, 1, point_branch)

    def forward(self, branches: list[Tensor]) -> Tensor:
        total = self.laterals[-1](branches[-1])
        for level in range(len(branches) - 2, -1, -1):
            coarser = functional.interpolate(total, scale_factor=2, mode="nearest")
            total = self.laterals[level](branches[level]) + coarser
        return self.smooth(total)
