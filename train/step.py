"""One step of training: losses, their mean gradient over batches and ranks, what is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from train import data, distributed
from train.data import Batch
from train.state import TrainState


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        losses: "loss" and its components, means over the step's batches.
        gradient_norm: over all weights, before clipping; not finite where float16 overflowed.
        update_ratio: |Δw| / |w| over all weights, where it was asked for.
    """

    losses: dict[str, float]
    gradient_norm: float
    update_ratio: float | None

    @property
    def updated(self) -> bool:
        """Whether the weights moved: they do not where float16 overflowed."""
        return math.isfinite(self.gradient_norm)


def train_step(state: TrainState, batches: Sequence[Batch], measure_update: bool = False) -> Step:
    """One step of the optimiser on the mean gradient of the batches, as many on every rank.

    batches: (canvas u8 [B, H, W, 4], truth f32 [B, 13], shapes u8 [B, H/4, W/4, 3]) each.

    Raises:
        FloatingPointError: a loss or the gradient is not finite; on every rank, if on one. The
            weights are as they were.
    """
    state.optimizer.zero_grad(set_to_none=True)
    found = []
    for number, batch in enumerate(batches, start=1):
        with state.network.averaging(number == len(batches)):
            found.append(backward(state, batch, 1 / len(batches)))
    losses = _mean_losses(state, found)
    weights = [weight for weight in state.model.parameters() if weight.requires_grad]
    before = [weight.detach().clone() for weight in weights] if measure_update else None
    norm = apply_gradient(state)
    ratio = None
    if before is not None:
        change = [new.detach() - old for new, old in zip(weights, before, strict=True)]
        ratio = float(get_total_norm(change) / get_total_norm(before))
    return Step(losses, norm, ratio)


def backward(state: TrainState, batch: Batch, share: float) -> dict[str, Tensor]:
    """Adds `share` of one batch's gradient to what is there; returns its losses."""
    batch = tuple(tensor.to(state.device, non_blocking=True) for tensor in batch)
    amp, x = state.autocast_dtype, data.network_input(batch[0])
    with torch.autocast(state.device.type, amp, enabled=amp is not None):
        answer = state.network(x)
    losses = state.losses(x, answer, batch)
    state.scaler.scale(losses["loss"] * share).backward()
    return {name: value.detach() for name, value in losses.items()}


def apply_gradient(state: TrainState) -> float:
    """Clips the gradient and moves the weights; returns its norm before clipping.

    With float16 a norm that is not finite means that the scaler leaves the weights alone and
    halves its scale, which is in order as long as that is above 1.

    Raises:
        FloatingPointError: the norm is not finite, and no scale is to blame.
    """
    state.scaler.unscale_(state.optimizer)
    weights = list(state.model.parameters())
    norm = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    scaled = state.scaler.is_enabled() and state.scaler.get_scale() > 1
    if not norm.isfinite() and not scaled:
        name = _first_infinite(state)
        raise FloatingPointError(f"{_place(state)}: the gradient of {name} is not finite")
    clip_grads_with_norm_(weights, state.config.training.gradient_clip, norm)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    return float(norm)


def _mean_losses(state: TrainState, found: Sequence[dict[str, Tensor]]) -> dict[str, float]:
    """The step's losses, from those of each batch of this rank."""
    names = list(found[0])
    table = torch.stack([torch.stack(list(losses.values())) for losses in found])
    table = distributed.mean(table).cpu()  # what is not finite on one rank is so on all
    for number, row in enumerate(table.tolist()):
        pairs = zip(names, row, strict=True)
        bad = {name: value for name, value in pairs if not math.isfinite(value)}
        if len(bad) > 1:
            bad.pop("loss", None)  # the sum says nothing that its components do not
        if bad:
            named = ", ".join(f"{name} {value}" for name, value in bad.items())
            raise FloatingPointError(f"{_place(state, number)}: a loss is not finite: {named}")
    return dict(zip(names, table.mean(dim=0).tolist(), strict=True))


def _place(state: TrainState, batch: int | None = None) -> str:
    """Where the run is, by the pictures shown: the step's batch number `batch`, or all of them."""
    batches = state.config.training.accumulation_steps
    size = state.pictures_per_step // batches
    first = state.step_in_epoch * batches + (batch or 0)
    last = first + (batches if batch is None else 1)
    return (
        f"epoch {state.epoch + 1}, batch {last} "
        f"(pictures {first * size} to {last * size - 1} of the epoch)"
    )


def _first_infinite(state: TrainState) -> str:
    for name, weight in state.model.named_parameters():
        if weight.grad is not None and not weight.grad.isfinite().all():
            return str(name)
    return "all weights together"
