from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from tests.train.model.test_model import lived_in
from train.model.blocks import ConvNorm, RepConv, RowAttention, RowContext, SubCellUpsample


@pytest.mark.parametrize(
    "block",
    [
        RepConv(6, 6),
        RepConv(6, 6, point_branch=False),
        RepConv(6, 10, stride=2),
        RepConv(6, 10, stride=2, point_branch=False),
        ConvNorm(6, 9),
        ConvNorm(6, 9, 3, 2),
        ConvNorm(6, 6, (3, 1), relu=True),
    ],
)
@torch.no_grad()
def test_a_block_folds_into_the_same_function(block: RepConv | ConvNorm) -> None:
    lived_in(block)
    x = torch.randn(2, 6, 12, 16, generator=torch.Generator().manual_seed(2))
    folded = block.folded().eval()
    assert torch.allclose(folded(x), block(x), atol=1e-5)
    assert sum(isinstance(m, nn.Conv2d) for m in folded.modules()) == 1
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())


@pytest.mark.parametrize(
    ("build", "rows"),
    [(lambda: RowContext(5), [6, 7, 8]), (lambda: RowAttention(5, row_cells=32), [7])],
)
@torch.no_grad()
def test_a_row_block_reaches_the_whole_row_and_little_else(
    build: Callable[[], nn.Module], rows: list[int]
) -> None:
    torch.manual_seed(0)
    block = build()
    lived_in(block)
    x = torch.randn(1, 5, 16, 32, generator=torch.Generator().manual_seed(1))
    moved = x.clone()
    moved[..., 7, 2] += 5
    changed = (block(moved) != block(x)).any(dim=1)[0]
    assert changed.any(dim=1).nonzero().flatten().tolist() == rows
    assert changed[7].all()


@pytest.mark.parametrize("columns", [8, 4])
@torch.no_grad()
def test_row_attention_against_loops(columns: int) -> None:
    """On a canvas of half the size, a step of one cell is as far as two were."""
    block = RowAttention(6, row_cells=8, heads=2, head_channels=3)
    lived_in(block)
    block.distance_bias.normal_(0, 1, generator=torch.Generator().manual_seed(2))
    x = torch.randn(2, 6, 3, columns, generator=torch.Generator().manual_seed(1))
    packed = block.query_key_value(x).reshape(2, 3, 2, 3, 3, columns)
    seen = torch.zeros(2, 6, 3, columns)
    for b, head, row, column in np.ndindex(2, 2, 3, columns):
        query, key, value = packed[b, :, head, :, row]
        scores = [
            float(query[:, column] @ key[:, other]) / 3**0.5
            + float(block.distance_bias[head, (other - column) * (8 // columns) + 7])
            for other in range(columns)
        ]
        share = torch.tensor(scores).softmax(0)
        seen[b, head * 3 : head * 3 + 3, row, column] = value @ share
    torch.testing.assert_close(block(x), x + block.project(seen), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_sub_cell_upsampling_gives_every_finer_cell_a_projection_of_its_own() -> None:
    block = SubCellUpsample(5, 3)
    lived_in(block)
    x = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(1))
    weight, bias = block.project.kernel_and_bias()
    per_cell = weight.reshape(3, 2, 2, 5)  # out, row and column within the coarse cell, in
    expected = torch.einsum("oyxi,bihw->bohywx", per_cell, x).reshape(2, 3, 8, 12)
    expected += bias.reshape(3, 2, 2).tile(1, 4, 6)
    torch.testing.assert_close(block(x), expected)


def test_fresh_row_attention_changes_nothing() -> None:
    x = torch.randn(1, 6, 3, 7)
    assert torch.equal(RowAttention(6, row_cells=7)(x), x)
