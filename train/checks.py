"""The doctor's checks: each looks at one link between labels, targets, losses, network and decode.

A check returns a `Finding`; it does not raise for what it is there to find.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from train.answers import on_picture
from train.config import LossConfig
from train.data import network_input
from train.decode import decode
from train.losses import compute_losses
from train.model import KeypointNet, activate
from train.state import TrainState
from train.step import Batch, train_step
from train.targets import Targets, encode, field, points

# Of perfect maps: what float32 leaves of a point.
ROUND_TRIP_PX = 0.05
# Of perfect maps: L1 losses that are as good as none.
PERFECT_LOSS = 1e-3
# Gradient norms before clipping; a healthy network has 5 to 100.
VANISHED, EXPLODED = 1e-6, 1e3
# A component that keeps more than this of its first loss has not learned the batch.
STUCK = 0.8
# The loss must fall to this share of its first value, and points be found within this.
LEARNED, LEARNED_PX = 0.5, 10.0

Size = tuple[int, int]


@dataclass(frozen=True)
class Finding:
    """A check's verdict: what was seen and, where it failed, what to do."""

    check: str
    passed: bool
    seen: str
    advice: str = ""


def check_labels(canvas: Tensor, truth: Tensor) -> Finding:
    """Ranges of the labels of canvases u8 [B, H, W, 4] with truth f32 [B, 13]."""
    name, advice = "labels", "python -m train.validate_data names the bad samples of a data set"
    if not truth.isfinite().all():
        return Finding(name, False, "a label is not a finite number", advice)
    xy, exists = points(truth)
    outside = (exists > 0) & ~on_picture(xy, canvas)
    both = exists.min(dim=1).values > 0
    apart = (xy[:, 0] - xy[:, 1]).abs()[both]
    above = int((apart[:, 1] > apart[:, 0]).sum())
    if outside.any() or 2 * above > len(apart):
        swapped = on_picture(xy.flip(2), canvas)[exists > 0].all()
        seen = (
            f"{int(outside.sum())} of {int(exists.sum())} points lie outside their picture; in "
            f"{above} of {len(apart)} pictures gap and piece lie above each other, not on a row"
        )
        hint = "x and y look swapped: truth vectors hold x first" if swapped else advice
        return Finding(name, False, seen, hint)
    flags = torch.cat([exists, field(truth, "has_angle")[:, None]], dim=1)
    circle = field(truth, "sin") ** 2 + field(truth, "cos") ** 2
    sizes = torch.stack([field(truth, part) for part in ("size_x", "scale_x", "scale_y")])
    if not ((flags == 0) | (flags == 1)).all() or (sizes <= 0).any():
        return Finding(name, False, "a flag is neither 0 nor 1, or a size not above 0", advice)
    if (circle - 1).abs().max() > 1e-3:
        return Finding(name, False, "an angle's (sin, cos) is not of length 1", advice)
    return Finding(name, True, f"{int(exists.sum())} points of {len(truth)} pictures in range")


def check_round_trip(truth: Tensor, size: Size) -> Finding:
    """Whether the points of f32 [B, 13] survive encoding into maps of (rows, columns) and back."""
    name = "round trip"
    keypoints, angle = decode(activate(perfect_maps(encode(truth, size))), row_agreement=0.0)
    xy, exists = points(truth)
    here = exists > 0
    error_px = _distance(keypoints[..., :2], xy)[here].max().item() if here.any() else 0.0
    if error_px > ROUND_TRIP_PX or math.isnan(error_px):
        seen = f"a point comes back {error_px:.2f} canvas px from where it was"
        return Finding(name, False, seen, _what_moved(keypoints[..., :2], xy, here))
    turned = field(truth, "has_angle") > 0
    true = torch.stack([field(truth, "sin"), field(truth, "cos")], dim=1)
    if turned.any() and (angle - true)[turned].abs().max() > 1e-3:
        advice = "angle maps hold (sin, cos), in this order, read at the gap's cell"
        return Finding(name, False, "an angle comes back changed", advice)
    return Finding(name, True, f"{int(exists.sum())} points come back within {error_px:.4f} px")


def check_losses(truth: Tensor, size: Size, config: LossConfig) -> Finding:
    """Whether the losses are lowest for the right answer, channel by channel."""
    name, targets = "losses", encode(truth, size)
    right = _losses(perfect_maps(targets), targets, config)
    high = [part for part in ("offset", "angle") if not right[part] <= PERFECT_LOSS]
    exchanged = _losses(perfect_maps(targets)[:, [1, 0, 4, 5, 2, 3, 6, 7]], targets, config)
    high += [part for part in ("heatmap", "location") if not right[part] < exchanged[part]]
    if high:
        values = ", ".join(f"{part} {right[part]:.4f}" for part in high)
        advice = (
            "a loss reads other channels than the targets fill: 0 gap, 1 slider, 2:4 and 4:6 their "
            "offsets (x, y), 6:8 (sin, cos)"
        )
        return Finding(name, False, f"the perfect answer is not the best one: {values}", advice)
    return Finding(name, True, "the perfect answer has the lowest losses")


def check_outputs(model: KeypointNet, canvas: Tensor) -> Finding:
    """Ranges of the five named outputs for canvases u8 [B, H, W, 4]."""
    name, advice = "outputs", "look at train.model.activate and the head's last layer"
    with torch.no_grad():
        outputs = model.eval()(network_input(canvas))
    limits = {"heatmap_gap": (0, 1), "heatmap_slider": (0, 1), "angle": (-math.inf, math.inf)}
    limits |= dict.fromkeys(("offset_gap", "offset_slider"), (-0.5, 0.5))
    if outputs.keys() != limits.keys():
        return Finding(name, False, f"the outputs are {', '.join(outputs)}", advice)
    for output, (low, high) in limits.items():
        values = outputs[output]
        if not values.isfinite().all():
            return Finding(name, False, f"{output} is not finite", "lower the learning rate")
        if values.min() < low or values.max() > high:
            seen = f"{output} runs from {values.min():.3f} to {values.max():.3f}"
            return Finding(name, False, f"{seen}, allowed is {low:g} to {high:g}", advice)
        if values.flatten(2).std(dim=2).max() == 0:
            return Finding(name, False, f"{output} is the same everywhere: a dead layer", advice)
    peak = max(outputs[f"heatmap_{point}"].max().item() for point in ("gap", "slider"))
    return Finding(name, True, f"all five in range, highest heatmap value {peak:.3f}")


def check_gradients(state: TrainState, batch: Batch) -> list[Finding]:
    """Norms of the gradient: of each loss component, and of the whole loss in each part."""
    model = state.model.train()
    canvas, truth = batch
    raw = model.forward_raw(network_input(canvas))
    losses = compute_losses(raw, encode(truth, _size(raw)), state.config.loss)
    of_parts = _gradients(model, losses["loss"])
    frozen = [name for name, gradient in of_parts.items() if gradient is None]
    norms = {
        part: _norm([of_parts[name] for name in of_parts if name.split(".")[0] == part])
        for part in dict.fromkeys(name.split(".")[0] for name in of_parts)
    }
    # In the order of LossConfig; a component that weighs nothing is switched off on purpose.
    weights = {name: getattr(state.config.loss, name).weight for name in losses if name != "loss"}
    of_losses = {
        name: weight * _norm(_gradients(model, losses[name]).values())
        for name, weight in weights.items()
        if weight
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
    stuck = [part for part in parts if last[part] > max(STUCK * first[part], PERFECT_LOSS)]
    course = ", ".join(f"{part} {first[part]:.3f} → {last[part]:.3f}" for part in first)
    advice = "targets or decode of that component are wrong, or its gradient is cut off"
    stuck_seen = f"stuck: {', '.join(stuck)} ({course})" if stuck else course
    findings = [Finding("loss components move", not stuck, stuck_seen, advice if stuck else "")]
    return [*findings, _judge_learned(state, batch, last["loss"] / first["loss"])]


def _judge_learned(state: TrainState, batch: Batch, left: float) -> Finding:
    canvas, truth = batch
    with torch.no_grad():
        keypoints, _ = decode(activate(state.model.forward_raw(network_input(canvas))))
    xy, exists = points(truth)
    asked = exists.clone()
    asked[:, 0] *= 1 - field(truth, "ambiguous")
    errors = _distance(keypoints[..., :2], xy)[asked > 0]
    middle = errors.median().item() if errors.numel() else 0.0
    seen = f"{left:.0%} of the loss is left, median error {middle:.2f} canvas px"
    advice = ""
    if left > LEARNED:
        advice = "more --steps, or look at the components above"
    elif not middle <= LEARNED_PX:
        advice = "the loss falls but the points are wrong: decode does not undo what encode does"
    return Finding("learning one batch", not advice, seen, advice)


def perfect_maps(targets: Targets) -> Tensor:
    """The raw output f32 [B, 8, H/4, W/4] that says what the targets say."""
    logits = torch.logit(targets.heatmap, eps=1e-4)
    size = targets.heatmap.shape[2:]
    angle = targets.angle.flatten(2)[..., None].expand(-1, -1, *size)
    return torch.cat([logits, targets.offset.flatten(1, 2), angle], dim=1)


def _distance(found: Tensor, true: Tensor) -> Tensor:
    return torch.linalg.vector_norm(found - true, dim=2)


def _what_moved(found: Tensor, true: Tensor, here: Tensor) -> str:
    """A likely reason why points [B, 2, 2] come back elsewhere."""
    explanations = {
        "x and y are swapped between encode and decode": found.flip(2),
        "gap and slider are exchanged between the targets' channels and decode": found.flip(1),
    }
    for explanation, restored in explanations.items():
        if (_distance(restored, true)[here] <= ROUND_TRIP_PX).all():
            return explanation
    for axis, letter in enumerate("xy"):
        ratio = ((found + 0.5) / (true + 0.5))[..., axis][here]
        if ratio.std() < 0.05 and abs(ratio.mean() - 1) > 0.05:
            return f"{letter} comes back times {ratio.mean():.3g}: a division by the wrong size"
    return "decode does not undo encode: compare both with runtime.geometry"


def _losses(raw: Tensor, targets: Targets, config: LossConfig) -> dict[str, float]:
    return {name: loss.item() for name, loss in compute_losses(raw, targets, config).items()}


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


def _size(raw: Tensor) -> Size:
    return raw.shape[2], raw.shape[3]
