import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.config import EdgeConfig
from train.model import KeypointNet, absorb_norms, activate, build_model, fold
from train.model.blocks import ConvNorm, RepConv

SMALL = EdgeConfig(
    widths=(4, 6, 8, 10),
    stem_width=4,
    stage2=((1, 0),),
    stage3=((1, 1, 1),),
    stage4=((0, 1, 1, 1), (1, 0, 1, 1)),
    fpn_width=8,
    point_branch=True,
)


def lived_in(model: nn.Module) -> nn.Module:
    """Random batch-norm statistics and scales, as if it had been trained."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.3, generator=generator)
    return model.eval()


def small_net(**changes: object) -> KeypointNet:
    torch.manual_seed(0)
    model = build_model(SMALL.model_copy(update=changes))
    lived_in(model)
    return model


@pytest.fixture(scope="module")
def canvas() -> Tensor:
    return torch.rand(2, 4, 256, 512, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "changes", [{}, {"row_context": False, "row_attention": False}, {"point_branch": False}]
)
@torch.no_grad()
def test_the_folded_network_gives_the_same_outputs(
    changes: dict[str, bool], canvas: Tensor
) -> None:
    model = small_net(**changes)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = fold(model)
    raw = model.forward_raw(canvas)
    assert raw.std() > 0.01
    assert torch.allclose(folded.forward_raw(canvas), raw, atol=1e-4)
    kinds = {type(module) for module in folded.modules()}
    assert not kinds & {nn.BatchNorm2d, RepConv, ConvNorm}
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("point_branch", [True, False])
@torch.no_grad()
def test_a_network_that_absorbed_its_norms_gives_the_same_outputs(
    point_branch: bool, canvas: Tensor
) -> None:
    model = small_net(point_branch=point_branch)
    expected = model.forward_raw(canvas)
    absorb_norms(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    torch.testing.assert_close(model.forward_raw(canvas), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(fold(model).forward_raw(canvas), expected, atol=1e-4, rtol=1e-4)
    built = build_model(
        SMALL.model_copy(update={"batch_norm": False, "point_branch": point_branch})
    )
    built.load_state_dict(model.state_dict())
    torch.testing.assert_close(built.eval().forward_raw(canvas), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_shape_head_is_there_for_training_alone(canvas: Tensor) -> None:
    model = small_net()
    assert model.shapes is not None
    raw, maps = model.forward_training(canvas)
    assert torch.equal(raw, model.forward_raw(canvas))
    assert maps.shape == (2, 7, 64, 128)
    assert not maps[:, 3:].any()
    assert maps[:, :3].sigmoid().mean() == pytest.approx(0.052, abs=0.001)
    model.shapes.weight.normal_(generator=torch.Generator().manual_seed(4))
    seen: list[Tensor] = []
    model.fpn.register_forward_hook(lambda _net, _input, out: seen.append(out))
    maps = model.forward_training(canvas)[1]
    # Out, row and column within the coarse cell, in.
    per_cell = model.shapes.weight.reshape(7, 2, 2, 8)
    expected = torch.einsum("oyxi,bihw->bohywx", per_cell, seen[0]).reshape(2, 7, 64, 128)
    expected[:, :3] -= 2.9
    torch.testing.assert_close(maps, expected, atol=1e-4, rtol=1e-4)
    folded = fold(model)
    assert folded.shapes is None
    assert not [name for name in folded.state_dict() if "shapes" in name]
    assert model.shapes is not None


@torch.no_grad()
def test_the_angle_is_told_from_stage_2_and_from_the_fused_features(canvas: Tensor) -> None:
    """Either changes it, and nothing else; sixteen cells of a coarse one say the same."""
    model = small_net()
    raw = model.forward_raw(canvas)
    coarse = raw[:, 6:, ::4, ::4]
    assert torch.equal(raw[:, 6:], coarse.repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert coarse.std(dim=(2, 3)).min() > 0
    for layer in (model.angle.fine, model.angle.fused):
        layer.conv.weight.mul_(2)
        changed = model.forward_raw(canvas)
        assert torch.equal(changed[:, :6], raw[:, :6])
        assert not torch.equal(changed[:, 6:], raw[:, 6:])
        layer.conv.weight.div_(2)
    blind = torch.zeros(2, 8, 32, 64)
    fine = torch.randn(2, 6, 32, 64, generator=torch.Generator().manual_seed(6))
    told = model.angle(fine, blind)
    by_hand = functional.conv2d(fine, *model.angle.fine.kernel_and_bias(), stride=2, padding=1)
    by_hand = functional.relu(by_hand + model.angle.fused(blind))
    for block in model.angle.blocks:
        by_hand = block(by_hand)
    torch.testing.assert_close(told[:, :, ::4, ::4], model.angle.out(by_hand))


@torch.no_grad()
def test_outputs_have_the_documented_names_shapes_and_ranges(canvas: Tensor) -> None:
    model = small_net()
    model.head.out.weight.normal_(0, 3, generator=torch.Generator().manual_seed(5))
    raw = model.forward_raw(canvas)
    assert raw.shape == (2, 8, 64, 128)
    outputs = model(canvas)
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    assert shapes == {
        "heatmap_gap": (2, 1, 64, 128),
        "heatmap_slider": (2, 1, 64, 128),
        "offset_gap": (2, 2, 64, 128),
        "offset_slider": (2, 2, 64, 128),
        "angle": (2, 2, 64, 128),
    }
    assert torch.equal(outputs["heatmap_gap"], torch.sigmoid(raw[:, 0:1]))
    assert torch.equal(outputs["heatmap_slider"], torch.sigmoid(raw[:, 1:2]))
    for name, first in (("offset_gap", 2), ("offset_slider", 4)):
        assert raw[:, first : first + 2].abs().max() > 0.5
        assert torch.equal(outputs[name], raw[:, first : first + 2].clamp(-0.5, 0.5))
    assert torch.equal(outputs["angle"], raw[:, 6:8])
    assert all(torch.equal(value, outputs[name]) for name, value in activate(raw).items())


@torch.no_grad()
def test_fresh_heatmaps_start_low() -> None:
    outputs = build_model(SMALL).eval()(torch.rand(1, 4, 256, 512))
    for name in ("heatmap_gap", "heatmap_slider"):
        assert outputs[name].mean() == pytest.approx(0.052, abs=0.02)


def test_raw_outputs_stay_float32_under_autocast(canvas: Tensor) -> None:
    model = small_net()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        raw = model.forward_raw(canvas)
    assert raw.dtype == torch.float32
    # A bfloat16 last layer would leave every value with eight bits of mantissa.
    assert not torch.equal(raw, raw.bfloat16().float())


@torch.no_grad()
def test_a_small_canvas_gives_small_maps(canvas: Tensor) -> None:
    small = functional.avg_pool2d(canvas, 2)
    assert small_net().forward_raw(small).shape == (2, 8, 32, 64)


@torch.no_grad()
def test_the_two_points_see_each_other_only_through_the_row_blocks() -> None:
    """A change at the left edge moves the outputs at the right edge, 500 pixels away."""
    x = torch.rand(1, 4, 256, 512, generator=torch.Generator().manual_seed(4))
    moved = x.clone()
    moved[..., 100:140, 8:48] = 0
    for context, attention in ((True, False), (False, True), (False, False)):
        model = small_net(
            row_context=context,
            row_attention=attention,
            stage3=((0, 0, 0),),
            stage4=((0, 1, 1, 0),),
        )
        delta = (model.forward_raw(moved) - model.forward_raw(x)).abs()
        assert bool(delta[..., 29:31, -4:].max() > 0) is (context or attention)


@torch.no_grad()
def test_dropout_hides_whole_channels_of_the_fused_features_in_training(canvas: Tensor) -> None:
    model = small_net(dropout=0.5).train()
    fused, shown = [], []
    model.fpn.register_forward_hook(lambda _net, _given, out: fused.append(out))
    model.head.register_forward_pre_hook(lambda _net, given: shown.append(given[0]))
    model.forward_raw(canvas)
    kept = (shown[0] == 2 * fused[0]).flatten(2).all(dim=2)
    hidden = (shown[0] == 0).flatten(2).all(dim=2)
    assert (kept | hidden).all()
    assert not kept.all()
    assert not hidden.all()


@torch.no_grad()
def test_dropout_changes_nothing_that_is_exported(canvas: Tensor) -> None:
    with_dropout, without = small_net(dropout=0.5), small_net()
    assert torch.equal(with_dropout.forward_raw(canvas), without.forward_raw(canvas))
    assert with_dropout.state_dict().keys() == without.state_dict().keys()


def test_gradients_reach_every_parameter(canvas: Tensor) -> None:
    model = small_net().train()
    raw, maps = model.forward_training(canvas)
    (raw.square().sum() + maps.sum()).backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


def test_the_default_network_keeps_within_its_budget() -> None:
    model = fold(build_model(EdgeConfig()))
    assert sum(p.numel() for p in model.parameters()) <= 3_300_000
