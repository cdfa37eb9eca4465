import pytest
import torch
from torch import Tensor, nn

from tests.train.model.test_model import lived_in
from train.config import PaperConfig
from train.model import KeypointNet, build_model, fold
from train.model.blocks import ConvNorm
from train.model.paper import (
    ConditionalBlock,
    CrossResolutionWeighting,
    FullExchange,
    SpatialWeighting,
    shuffle,
)

SMALL = PaperConfig(widths=(8, 16, 24, 32), stem_width=8, modules=(1, 2, 1), blocks=1, fpn_width=8)


def small_net() -> KeypointNet:
    torch.manual_seed(0)
    model = build_model(SMALL)
    lived_in(model)
    return model


def random(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def test_the_whole_has_the_references_number_of_parameters() -> None:
    count = sum(p.numel() for p in fold(build_model(PaperConfig())).parameters())
    assert count == pytest.approx(3.28e6, rel=0.061)


@torch.no_grad()
def test_it_has_the_networks_outputs_and_folds_into_the_same_function() -> None:
    model, canvas = small_net(), random(2, 4, 256, 512)
    raw = model.forward_raw(canvas)
    assert raw.shape == (2, 8, 64, 128)
    assert raw.std() > 0.01
    folded = fold(model)
    torch.testing.assert_close(folded.forward_raw(canvas), raw, atol=1e-4, rtol=1e-4)
    assert not {type(module) for module in folded.modules()} & {nn.BatchNorm2d, ConvNorm}


def test_gradients_reach_every_parameter() -> None:
    model = small_net().train()
    raw, maps = model.forward_training(random(2, 4, 128, 256))
    (raw.square().sum() + maps.sum()).backward()
    # Of small bottlenecks all units may happen to be off: their gradients are there, and 0.
    grads = {name: weight.grad for name, weight in model.named_parameters()}
    assert [name for name, grad in grads.items() if grad is None] == []
    assert sum(bool(grad.any()) for grad in grads.values()) > 0.95 * len(grads)


def test_shuffle_against_torchs() -> None:
    x = random(2, 6, 3, 5)
    assert torch.equal(shuffle(x), nn.ChannelShuffle(2)(x))


@torch.no_grad()
def test_cross_resolution_weights_against_loops() -> None:
    """A cell's weights come from all branches' means over the coarsest cell that it lies in."""
    block = CrossResolutionWeighting([8, 16])
    lived_in(block)
    fine, coarse = random(1, 8, 4, 6), random(1, 16, 2, 3)
    found = block([fine, coarse])
    for row in range(2):
        for column in range(3):
            window = fine[..., 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            cell = coarse[..., row : row + 1, column : column + 1]
            seen = torch.cat([window.mean(dim=(2, 3), keepdim=True), cell], dim=1)
            weights = block.expand(block.reduce(seen)).sigmoid()
            torch.testing.assert_close(
                found[0][..., 2 * row : 2 * row + 2, 2 * column : 2 * column + 2],
                window * weights[:, :8],
            )
            torch.testing.assert_close(
                found[1][..., row : row + 1, column : column + 1], cell * weights[:, 8:]
            )


@torch.no_grad()
def test_spatial_weights_are_one_for_each_channel() -> None:
    torch.manual_seed(0)
    block, x = SpatialWeighting(8), random(2, 8, 3, 4)
    weights = block(x) / x
    assert torch.allclose(weights, weights[:, :, :1, :1].expand_as(weights))
    assert len(set(weights[:, :, 0, 0].flatten().tolist())) == 16


@torch.no_grad()
def test_half_of_the_channels_pass_a_block() -> None:
    block = ConditionalBlock([8, 16])
    lived_in(block)
    branches = [random(1, 8, 4, 4), random(1, 16, 2, 2)]
    for given, got in zip(branches, block(branches), strict=True):
        assert torch.equal(got[:, ::2], given[:, : given.shape[1] // 2])
        assert not torch.equal(got[:, 1::2], given[:, given.shape[1] // 2 :])


@torch.no_grad()
def test_every_branch_hears_of_every_other() -> None:
    exchange = FullExchange([4, 6, 8])
    lived_in(exchange)
    branches = [random(1, 4, 8, 8), random(1, 6, 4, 4), random(1, 8, 2, 2)]
    before = exchange(branches)
    for source in range(3):
        moved = [x + 3 * (level == source) for level, x in enumerate(branches)]
        changed = [not torch.equal(a, b) for a, b in zip(exchange(moved), before, strict=True)]
        assert all(changed)
