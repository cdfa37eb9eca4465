"""The high-resolution backbone: up to four parallel branches at strides 4, 8, 16 and 32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from train.model.blocks import ConvNorm, CopyUpsample, RepConv, SubCellUpsample, conv_chain

# (level, width) -> what a unit's branch at that level runs before its blocks.
RowBlocks = Callable[[int, int], list[nn.Module]]


def no_row_blocks(_level: int, _width: int) -> list[nn.Module]:
    """For stages whose cells do not look along their rows."""
    return []


class Exchange(nn.Module):
    """Gives every branch its neighbours' features: ReLU(own + finer one down + coarser one up).

    Only neighbours, because each further pair costs memory traffic and brings little.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(ConvNorm(fine, coarse, 3, 2) for fine, coarse in pairs)
        # The finest branch is told in copies: cells of its own would cost more than they bring.
        self.up = nn.ModuleList(
            SubCellUpsample(coarse, fine) if level else CopyUpsample(coarse, fine)
            for level, (fine, coarse) in enumerate(pairs)
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        fused = []
        for level, own in enumerate(branches):
            total = own
            if level > 0:
                total = total + self.down[level - 1](branches[level - 1])
            if level + 1 < len(branches):
                total = total + self.up[level](branches[level + 1])
            fused.append(functional.relu(total))
        return fused


class Unit(nn.Module):
    """On every branch what ``row_blocks`` gives and then its blocks; then an exchange."""

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        point_branch: bool,
        row_blocks: RowBlocks,
        exchange: bool,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList()
        for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            chain = conv_chain([width] * (count + 1), [1] * count, point_branch)
            self.branches.append(nn.Sequential(*row_blocks(level, width), *chain))
        self.exchange = Exchange(widths) if exchange else nn.Identity()

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        done = [run(x) for run, x in zip(self.branches, branches, strict=True)]
        return list(self.exchange(done))


class Stage(nn.Module):
    """Opens one more branch at half the resolution, then runs its units.

    ``last_exchange`` is false for the stage before LiteFPN, whose sums do the same work.
    """

    def __init__(
        self,
        widths: Sequence[int],
        units: Sequence[Sequence[int]],
        point_branch: bool,
        row_blocks: RowBlocks = no_row_blocks,
        last_exchange: bool = True,
    ) -> None:
        super().__init__()
        self.transition = RepConv(widths[-2], widths[-1], 2, point_branch)
        self.units = nn.ModuleList(
            Unit(widths, blocks, point_branch, row_blocks, last_exchange or n < len(units) - 1)
            for n, blocks in enumerate(units)
        )

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        branches = [*branches, self.transition(branches[-1])]
        for unit in self.units:
            branches = unit(branches)
        return branches
