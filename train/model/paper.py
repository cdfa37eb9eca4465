"""The backbone of the `paper` kind: the blocks and the layout of Lite-HRNet-18.

Here to be compared with: it has few multiplications, and many operations that cost memory traffic
instead. Source: Yu et al., "Lite-HRNet: A Lightweight High-Resolution Network", 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.model.blocks import ConvNorm

# Of the bottlenecks that compute the channel weights.
CROSS_REDUCTION, SPATIAL_REDUCTION = 8, 4


def shuffle(x: Tensor) -> Tensor:
    """Interleaves the two halves of the channels, so that the next split mixes them."""
    return x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


def separable(in_channels: int, out_channels: int, stride: int, relu: bool = True) -> nn.Sequential:
    """A depthwise 3×3 convolution, then a 1×1 one."""
    return nn.Sequential(
        ConvNorm(in_channels, in_channels, 3, stride, groups=in_channels),
        ConvNorm(in_channels, out_channels, 1, relu=relu),
    )


class PaperStem(nn.Module):
    """A strided convolution, then a shuffle block that halves the resolution again."""

    def __init__(self, out_channels: int, inner: int) -> None:
        super().__init__()
        half = inner // 2
        self.conv = ConvNorm(4, inner, 3, 2, relu=True)
        self.plain = separable(half, half, 2)
        self.expanded = nn.Sequential(
            ConvNorm(half, inner, 1, relu=True), separable(inner, half, 2)
        )
        self.out = separable(inner, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.conv(x).chunk(2, dim=1)
        return self.out(shuffle(torch.cat([self.plain(first), self.expanded(second)], dim=1)))


class CrossResolutionWeighting(nn.Module):
    """Weighs every branch's channels, cell by cell, by what all branches hold there."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths, total = list(widths), sum(widths)
        bottleneck = total // CROSS_REDUCTION
        self.reduce = ConvNorm(total, bottleneck, 1, relu=True)
        self.expand = ConvNorm(bottleneck, total, 1)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        last = len(branches) - 1
        pooled = [
            functional.avg_pool2d(branch, 2 ** (last - level)) if level < last else branch
            for level, branch in enumerate(branches)
        ]
        weights = self.expand(self.reduce(torch.cat(pooled, dim=1))).sigmoid()
        return [
            branch * functional.interpolate(weight, scale_factor=2 ** (last - level))
            if level < last
            else branch * weight
            for level, (branch, weight) in enumerate(
                zip(branches, weights.split(self.widths, dim=1), strict=True)
            )
        ]


class SpatialWeighting(nn.Module):
    """Weighs the channels by their means over the map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // SPATIAL_REDUCTION)
        self.reduce = nn.Conv2d(channels, inner, 1)
        self.expand = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * self.expand(self.reduce(mean).relu()).sigmoid()


class ConditionalBlock(nn.Module):
    """Conditional channel weighting: weights take the place of a shuffle block's 1×1 convolutions.

    Half of every branch's channels pass; the others are weighed across the resolutions, convolved
    depthwise and weighed by their means.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        halves = [width // 2 for width in widths]
        self.cross = CrossResolutionWeighting(halves)
        self.depthwise = nn.ModuleList(ConvNorm(half, half, 3, groups=half) for half in halves)
        self.spatial = nn.ModuleList(SpatialWeighting(half) for half in halves)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        passed, weighed = zip(*(branch.chunk(2, dim=1) for branch in branches), strict=True)
        weighed = self.cross(list(weighed))
        return [
            shuffle(torch.cat([keep, spatial(depthwise(x))], dim=1))
            for keep, x, depthwise, spatial in zip(
                passed, weighed, self.depthwise, self.spatial, strict=True
            )
        ]


class FullExchange(nn.Module):
    """Gives every branch all others' features: ReLU of the sum over all resolutions."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        fused = []
        for paths in self.paths:
            assert isinstance(paths, nn.ModuleList)
            total = reduce(torch.add, (path(x) for path, x in zip(paths, branches, strict=True)))
            fused.append(functional.relu(total))
        return fused


def _path(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """From one branch to another: copies of a projection, nothing, or strided convolutions."""
    if source == target:
        return nn.Identity()
    if source > target:
        scale = 2 ** (source - target)
        return nn.Sequential(ConvNorm(widths[source], widths[target]), nn.Upsample(None, scale))
    steps = [separable(widths[source], widths[source], 2) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, separable(widths[source], widths[target], 2, relu=False))


class PaperStage(nn.Module):
    """Opens one more branch at half the resolution; then modules of blocks and an exchange."""

    def __init__(self, widths: Sequence[int], modules: int, blocks: int) -> None:
        super().__init__()
        self.transition = separable(widths[-2], widths[-1], 2)
        self.units = nn.ModuleList(
            nn.ModuleDict(
                {
                    "blocks": nn.ModuleList(ConditionalBlock(widths) for _ in range(blocks)),
                    "exchange": FullExchange(widths),
                }
            )
            for _ in range(modules)
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        branches = [*branches, self.transition(branches[-1])]
        for unit in self.units:
            assert isinstance(unit, nn.ModuleDict)
            for block in unit["blocks"]:
                branches = block(branches)
            branches = unit["exchange"](branches)
        return branches
