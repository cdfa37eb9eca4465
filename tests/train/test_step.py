"""One step against gradients taken by hand, and what a step refuses."""

import math
from pathlib import Path

import pytest
import torch
from torch.amp import GradScaler

from tests.train.fakes import FakePictures
from tests.train.small import small_config
from train import data
from train.coverage import encode_shapes
from train.data import Batch
from train.decode import decode
from train.losses import compute_losses
from train.model import activate
from train.state import TrainState
from train.step import backward, train_step
from train.targets import encode, points

CPU = torch.device("cpu")


def batches(count: int, size: int = 2) -> list[Batch]:
    return list(data.loader(FakePictures(), 0, count * size, size, 0))


def trained(tmp_path: Path, **training: object) -> TrainState:
    state = TrainState(small_config(tmp_path, training=training), CPU)
    state.to_training_mode()
    return state


def gradient_norm(state: TrainState) -> float:
    gradients = [weight.grad for weight in state.model.parameters() if weight.grad is not None]
    return math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))


def test_a_step_follows_the_mean_gradient_of_its_batches(tmp_path: Path) -> None:
    sgd = {"type": "SGD", "lr": 0.1, "momentum": 0, "nesterov": False, "weight_decay": 0}
    at_once = {"type": "StepLR", "warmup_epochs": 0}
    state = trained(
        tmp_path, optimizer=sgd, scheduler=at_once, gradient_clip=1e6, accumulation_steps=3
    )
    plain = trained(tmp_path)
    shown = batches(3)
    losses = []
    for batch in shown:  # gradients add up on their own
        canvas, truth, _ = batch
        raw, maps = plain.model.forward_training(data.network_input(canvas))
        shapes = encode_shapes(*batch)
        found = compute_losses(raw, maps, encode(truth), shapes, plain.config.loss)
        found["loss"].backward()
        losses.append({name: value.item() for name, value in found.items()})
    norm = gradient_norm(plain) / 3
    with torch.no_grad():
        for weight in plain.model.parameters():
            assert weight.grad is not None
            weight -= 0.1 / 3 * weight.grad
    step = train_step(state, shown)
    assert step.updated
    assert step.gradient_norm == pytest.approx(norm, rel=1e-4)
    for name in ("loss", "heatmap", "location", "expected", "offset", "angle", "shape", "centre"):
        assert step.losses[name] == pytest.approx(sum(of[name] for of in losses) / 3, rel=1e-5)
    for ours, theirs in zip(state.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5)


def test_gradients_are_clipped_and_their_norm_before_is_told(tmp_path: Path) -> None:
    loose, tight = trained(tmp_path, gradient_clip=1e6), trained(tmp_path, gradient_clip=1e-3)
    whole = train_step(loose, batches(1)).gradient_norm
    assert whole == pytest.approx(gradient_norm(loose))
    assert train_step(tight, batches(1)).gradient_norm == whole
    assert gradient_norm(tight) == pytest.approx(1e-3, rel=1e-2)


def test_the_update_is_measured_where_asked_for(tmp_path: Path) -> None:
    state = trained(tmp_path)
    assert train_step(state, batches(1)).update_ratio is None
    before = torch.cat([weight.detach().flatten().clone() for weight in state.model.parameters()])
    step = train_step(state, batches(1), measure_update=True)
    after = torch.cat([weight.detach().flatten() for weight in state.model.parameters()])
    expected = float((after - before).norm() / before.norm())
    assert step.update_ratio == pytest.approx(expected, rel=1e-5)


def test_frozen_parts_stay_as_they_are_to_the_statistics(tmp_path: Path) -> None:
    parts = ["stem", "stage2", "stage3", "stage4", "fpn", "angle", "shapes"]
    state = trained(tmp_path, freeze=parts)
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    for _ in range(2):
        train_step(state, batches(1))
        state.step_made({})
    for values in (state.model.state_dict(), state.evaluated_model.state_dict()):
        moved = {name for name, value in values.items() if not torch.equal(value, before[name])}
        assert {name.split(".")[0] for name in moved} == {"head"}
        # What the head has of its own is all learned, its batch norms' statistics as well.
        assert len(moved) == len([name for name in before if name.startswith("head.")])


def refused(state: TrainState, shown: list[Batch]) -> str:
    before = [weight.detach().clone() for weight in state.model.parameters()]
    with pytest.raises(FloatingPointError) as caught:
        train_step(state, shown)
    for old, new in zip(before, state.model.parameters(), strict=True):
        assert torch.equal(old.nan_to_num(), new.nan_to_num())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("layer", "bias", "named"),  # one of a channel's four cells in the first head
    [
        ("head", 0, "heatmap nan, location nan, expected nan"),
        ("head", 4 * 3, "expected nan, offset nan"),
        ("angle", 1, "angle nan"),
    ],
)
def test_a_loss_that_is_not_finite_is_named_with_its_place(
    tmp_path: Path, layer: str, bias: int, named: str
) -> None:
    state = trained(tmp_path)
    state.global_step, state.epoch = 4, 1
    with torch.no_grad():
        state.model.get_submodule(layer).out.bias[bias] = float("nan")
    message = refused(state, batches(1))
    assert message == (
        f"epoch 2, batch 2 (pictures 2 to 3 of the epoch): a loss is not finite: {named}"
    )


def test_the_batch_of_a_step_is_named(tmp_path: Path) -> None:
    state = trained(tmp_path, accumulation_steps=3)
    shown = batches(3)
    shown[1][1][:, 6] = float("inf")  # the angle's sine
    message = refused(state, shown)
    assert message == (
        "epoch 1, batch 2 (pictures 2 to 3 of the epoch): a loss is not finite: angle nan"
    )


def test_a_gradient_that_is_not_finite_is_named(tmp_path: Path) -> None:
    state = trained(tmp_path, accumulation_steps=2)
    weight = state.model.stage4.transition.full.conv.weight
    weight.register_hook(lambda gradient: gradient * float("inf"))
    message = refused(state, batches(2))
    assert message == (
        "epoch 1, batch 2 (pictures 0 to 3 of the epoch): "
        "the gradient of stage4.transition.full.conv.weight is not finite"
    )


def overflowing(tmp_path: Path, scale: float) -> TrainState:
    """float16's scaler, which does not need a GPU, and a gradient that overflows."""
    state = trained(tmp_path)
    state.scaler = GradScaler("cpu", init_scale=scale)
    weight = state.model.head.out.weight
    weight.register_hook(lambda gradient: torch.full_like(gradient, float("inf")))
    return state


def test_a_step_that_the_scaler_skips_is_no_error_and_moves_nothing(tmp_path: Path) -> None:
    state = overflowing(tmp_path, scale=1024.0)
    before = {name: value.clone() for name, value in state.model.named_parameters()}
    schedule = state.scheduler.state_dict()
    step = train_step(state, batches(1))
    assert not step.updated
    assert not math.isfinite(step.gradient_norm)
    assert math.isfinite(step.losses["loss"])
    assert state.scaler.get_scale() == 512
    state.step_made(step.losses, step.updated)
    assert state.global_step == 1  # its pictures are not shown again
    assert state.scheduler.state_dict() == schedule
    assert state.ema is not None
    assert int(state.ema.n_averaged) == 0
    for name, value in state.model.named_parameters():
        assert torch.equal(value, before[name])


def test_a_gradient_that_no_scale_helps_is_an_error(tmp_path: Path) -> None:
    assert "the gradient of head.out.weight" in refused(overflowing(tmp_path, 1.0), batches(1))


def test_a_scaled_step_is_the_plain_one(tmp_path: Path) -> None:
    plain, scaled = trained(tmp_path), trained(tmp_path)
    scaled.scaler = GradScaler("cpu", init_scale=2.0**10)
    expected, step = (train_step(state, batches(1)) for state in (plain, scaled))
    assert step.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-5)
    for ours, theirs in zip(plain.model.parameters(), scaled.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_in_float32(tmp_path: Path) -> None:
    state = trained(tmp_path)
    exact = backward(state, batches(1)[0], 1.0)["loss"]
    state.autocast_dtype = torch.bfloat16
    seen = []
    state.model.fpn.register_forward_hook(lambda _net, _input, out: seen.append(out.dtype))
    losses = backward(state, batches(1)[0], 1.0)
    assert seen == [torch.bfloat16]
    assert losses["loss"].dtype == torch.float32
    assert float(losses["loss"]) == pytest.approx(float(exact), rel=0.05)
    assert {weight.dtype for weight in state.model.parameters()} == {torch.float32}


def test_one_batch_can_be_learned_by_heart(tmp_path: Path) -> None:
    state = trained(tmp_path, num_epochs=70)
    shown = list(data.loader(FakePictures(canvas_scale=2), 0, 2, 2, 0))
    first = train_step(state, shown).losses["loss"]
    state.step_made({})
    for _ in range(150):
        last = train_step(state, shown).losses["loss"]
        state.step_made({})
    assert last < first / 5  # the cross-entropy of a point between cells never ends at 0
    canvas, truth, _ = shown[0]
    with torch.no_grad():
        keypoints, _ = decode(activate(state.model.forward_raw(data.network_input(canvas))))
    assert (keypoints[..., :2] - points(truth)[0]).norm(dim=2).max() < 3
