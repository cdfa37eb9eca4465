"""The doctor's checks of a network in training: gradients, and one batch learned by heart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from train.checks import PERFECT_LOSS, Finding, distance, has_shapes, size_of
from train.config import LossConfig
from train.coverage import ShapeTargets, encode_shapes
from train.data import Batch, network_input
from train.decode import decode
from train.losses import compute_losses
from train.model import KeypointNet, activate
from train.state import TrainState
from train.step import train_step
from train.targets import encode, field, points

# Gradient norms before clipping; a healthy network has 5 to 100.
VANISHED, EXPLODED = 1e-6, 1e3
# A component that keeps more than this of its first loss has not learned the batch. The head of
# shapes, which starts at zero, gets going later.
STUCK, STUCK_SHAPES = 0.8, 0.95
# The loss must fall to this share of its first value, and points be found within this.
LEARNED, LEARNED_PX = 0.5, 10.0


def check_gradients(state: TrainState, batch: Batch) -> list[Finding]:
    """Norms of the gradient: of each loss component, and of the whole loss in each part."""
    model, config = state.model.train(), state.config.loss
    canvas, truth, _ = batch
    shapes = encode_shapes(*batch)
    raw, maps = model.forward_training(network_input(canvas))
    losses = compute_losses(raw, maps, encode(truth, size_of(batch)), shapes, config)
    weights = _weights(config, shapes)
    of_losses = {
        name: weight * _norm(_gradients(model, losses[name]).values())
        for name, weight in weights.items()
    }
    of_parts = _gradients(model, losses["loss"])
    if not weights.keys() & {"shape", "centre"}:
        of_parts = {name: g for name, g in of_parts.items() if not name.startswith("shapes.")}
    frozen = [name for name, gradient in of_parts.items() if gradient is None]
    norms = {
        part: _norm([of_parts[name] for name in of_parts if name.split(".")[0] == part])
        for part in dict.fromkeys(name.split(".")[0] for name in of_parts)
    }
    by_part = _judge_norms("gradients by network part", norms, "frozen or cut off from the loss")
    if frozen and by_part.passed:
        seen = f"no gradient reaches {', '.join(frozen[:3])}" + " …" * (len(frozen) > 3)
        advice = "frozen (requires_grad) or cut off from the loss: let it train"
        by_part = Finding(by_part.check, False, seen, advice)
    return [
        _judge_norms("gradients by loss component", of_losses, "no weight moves it"),
        by_part,
    ]


def check_learning(state: TrainState, batch: Batch, steps: int) -> list[Finding]:
    """Whether the network can learn one batch by heart, and which loss component cannot.

    state: a fresh one, trained here by `train_step` for that many steps.
    """
    name = "learning one batch"
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for number in range(steps):
        try:
            step = train_step(state, [batch])
        except FloatingPointError as error:
            advice = "lower training.optimizer.lr or training.gradient_clip"
            return [Finding(name, False, f"step {number + 1}: {error}", advice)]
        state.step_made(step.losses, step.updated)
        first, last = first or step.losses, step.losses
    parts = [part for part in first if part != "loss" and getattr(state.config.loss, part).weight]
    limits = dict.fromkeys(parts, STUCK) | dict.fromkeys(("shape", "centre"), STUCK_SHAPES)
    stuck = [p for p in parts if last[p] > max(limits[p] * first[p], PERFECT_LOSS)]
    course = ", ".join(f"{part} {first[part]:.3f} → {last[part]:.3f}" for part in first)
    advice = "targets or decode of that component are wrong, or its gradient is cut off"
    stuck_seen = f"stuck: {', '.join(stuck)} ({course})" if stuck else course
    findings = [Finding("loss components move", not stuck, stuck_seen, advice if stuck else "")]
    return [*findings, _judge_learned(state, batch, last["loss"] / first["loss"])]


def _judge_learned(state: TrainState, batch: Batch, left: float) -> Finding:
    canvas, truth, _ = batch
    with torch.no_grad():
        keypoints, _ = decode(activate(state.model.forward_raw(network_input(canvas))))
    xy, exists = points(truth)
    asked = exists.clone()
    asked[:, 0] *= 1 - field(truth, "ambiguous")
    errors = distance(keypoints[..., :2], xy)[asked > 0]
    middle = errors.median().item() if errors.numel() else 0.0
    seen = f"{left:.0%} of the loss is left, median error {middle:.2f} canvas px"
    advice = ""
    if left > LEARNED:
        advice = "more --steps, or look at the components above"
    elif not middle <= LEARNED_PX:
        advice = "the loss falls but the points are wrong: decode does not undo what encode does"
    return Finding("learning one batch", not advice, seen, advice)


def _weights(config: LossConfig, shapes: ShapeTargets) -> dict[str, float]:
    """Of the components that the batch can teach; one that weighs nothing is off on purpose."""
    weights = {name: getattr(config, name).weight for name in LossConfig.model_fields}
    if not has_shapes(shapes):
        weights |= {"shape": 0.0, "centre": 0.0}
    return {name: weight for name, weight in weights.items() if weight}


def _gradients(model: KeypointNet, loss: Tensor) -> dict[str, Tensor | None]:
    """A loss's gradient for every weight; None for those that it does not reach."""
    weights = dict(model.named_parameters())
    moved = [weight for weight in weights.values() if weight.requires_grad]
    if not (moved and loss.requires_grad):
        return dict.fromkeys(weights)
    found = torch.autograd.grad(loss, moved, retain_graph=True, allow_unused=True)
    by_weight = dict(zip(moved, found, strict=True))
    return {name: by_weight.get(weight) for name, weight in weights.items()}


def _norm(gradients: Iterable[Tensor | None]) -> float:
    return math.hypot(*(g.norm().item() for g in gradients if g is not None))


def _judge_norms(check: str, norms: Mapping[str, float], vanished: str) -> Finding:
    seen = ", ".join(f"{name} {norm:.3g}" for name, norm in norms.items())
    still = [name for name, norm in norms.items() if norm < VANISHED]
    wild = [name for name, norm in norms.items() if not norm <= EXPLODED]
    if wild:
        advice = f"{', '.join(wild)} explodes: check the scale of weights, inputs and loss weights"
        return Finding(check, False, seen, advice)
    if still:
        return Finding(check, False, seen, f"{', '.join(still)}: {vanished}")
    return Finding(check, True, seen)
