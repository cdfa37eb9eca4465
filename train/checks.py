"""The doctor's checks of what stands still: labels, targets, losses, the network's outputs, decode.

Those of a network in training are in `train.learning`. A check returns a `Finding`; it does not
raise for what it is there to find.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from train.answers import on_picture
from train.config import LossConfig
from train.coverage import DECOY, ShapeTargets, encode_shapes
from train.data import Batch, network_input
from train.decode import decode
from train.losses import compute_losses
from train.model import KeypointNet, activate
from train.targets import Targets, encode, field, points

# Of perfect maps: what float32 leaves of a point.
ROUND_TRIP_PX = 0.05
# Of perfect maps: L1 losses that are as good as none.
PERFECT_LOSS = 1e-3

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


def check_shapes(batch: Batch) -> Finding:
    """Whether the shapes of a batch lie about their points."""
    name, shapes = "shapes", encode_shapes(*batch)
    if not has_shapes(shapes):
        return Finding(name, True, "no outlines are known: shapes are not learned")
    away = (shapes.centre.abs().amax(dim=2, keepdim=True) > 1) & (shapes.centre_weight > 0)
    wrong = int(away.flatten(2).any(dim=2).sum())
    known = int(shapes.centre_weight.flatten(2).any(dim=2).sum())
    if wrong:
        seen = f"{wrong} of {known} shapes reach further from their point than the piece is large"
        advice = "outlines and points do not belong together, or the piece's size is wrong"
        return Finding(name, False, seen, advice)
    return Finding(name, True, f"{known} shapes lie about their points")


def check_round_trip(truth: Tensor, size: Size) -> Finding:
    """Whether the points of f32 [B, 13] survive encoding into maps of (rows, columns) and back."""
    name = "round trip"
    keypoints, angle = decode(activate(perfect_maps(encode(truth, size))), row_agreement=0.0)
    xy, exists = points(truth)
    here = exists > 0
    error_px = distance(keypoints[..., :2], xy)[here].max().item() if here.any() else 0.0
    if error_px > ROUND_TRIP_PX or math.isnan(error_px):
        seen = f"a point comes back {error_px:.2f} canvas px from where it was"
        return Finding(name, False, seen, _what_moved(keypoints[..., :2], xy, here))
    turned = field(truth, "has_angle") > 0
    true = torch.stack([field(truth, "sin"), field(truth, "cos")], dim=1)
    if turned.any() and (angle - true)[turned].abs().max() > 1e-3:
        advice = "angle maps hold (sin, cos), in this order, read at the gap's cell"
        return Finding(name, False, "an angle comes back changed", advice)
    return Finding(name, True, f"{int(exists.sum())} points come back within {error_px:.4f} px")


def check_losses(batch: Batch, config: LossConfig) -> Finding:
    """Whether the losses are lowest for the right answer, channel by channel."""
    name, targets, shapes = "losses", encode(batch[1], size_of(batch)), encode_shapes(*batch)
    raw, maps = perfect_maps(targets), perfect_shapes(shapes)
    right = _losses(raw, maps, targets, shapes, config)
    high = [part for part in ("offset", "angle", "centre") if not right[part] <= PERFECT_LOSS]
    swapped = raw[:, [1, 0, 4, 5, 2, 3, 6, 7]], maps[:, [1, 0, 2, 5, 6, 3, 4]]
    exchanged = _losses(*swapped, targets, shapes, config)
    parts = ["heatmap", "location"] + ["shape"] * has_shapes(shapes)
    high += [part for part in parts if not right[part] < exchanged[part]]
    if high:
        values = ", ".join(f"{part} {right[part]:.4f}" for part in high)
        advice = (
            "a loss reads other channels than the targets fill: 0 gap, 1 slider, 2:4 and 4:6 their "
            "offsets (x, y), 6:8 (sin, cos); of the shape head 0:3 gap, slider and decoys, 3:5 and "
            "5:7 the ways to the points (x, y)"
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


def perfect_maps(targets: Targets) -> Tensor:
    """The raw output f32 [B, 8, H/4, W/4] that says what the targets say."""
    logits = torch.logit(targets.heatmap, eps=1e-4)
    size = targets.heatmap.shape[2:]
    angle = targets.angle.flatten(2)[..., None].expand(-1, -1, *size)
    return torch.cat([logits, targets.offset.flatten(1, 2), angle], dim=1)


def perfect_shapes(shapes: ShapeTargets) -> Tensor:
    """The shape head's maps f32 [B, 7, H/4, W/4] that say what the targets say."""
    return torch.cat([torch.logit(shapes.mask, eps=1e-4), shapes.centre.flatten(1, 2)], dim=1)


def has_shapes(shapes: ShapeTargets) -> bool:
    """Whether the gap's or the piece's outline of any picture is known."""
    return bool(shapes.mask[:, :DECOY].any())


def distance(found: Tensor, true: Tensor) -> Tensor:
    """Of points f32 [B, 2, 2] each, as [B, 2]."""
    return torch.linalg.vector_norm(found - true, dim=2)


def _what_moved(found: Tensor, true: Tensor, here: Tensor) -> str:
    """A likely reason why points [B, 2, 2] come back elsewhere."""
    explanations = {
        "x and y are swapped between encode and decode": found.flip(2),
        "gap and slider are exchanged between the targets' channels and decode": found.flip(1),
    }
    for explanation, restored in explanations.items():
        if (distance(restored, true)[here] <= ROUND_TRIP_PX).all():
            return explanation
    for axis, letter in enumerate("xy"):
        ratio = ((found + 0.5) / (true + 0.5))[..., axis][here]
        if ratio.std() < 0.05 and abs(ratio.mean() - 1) > 0.05:
            return f"{letter} comes back times {ratio.mean():.3g}: a division by the wrong size"
    return "decode does not undo encode: compare both with runtime.geometry"


def _losses(
    raw: Tensor, maps: Tensor, targets: Targets, shapes: ShapeTargets, config: LossConfig
) -> dict[str, float]:
    losses = compute_losses(raw, maps, targets, shapes, config)
    return {name: loss.item() for name, loss in losses.items()}


def size_of(batch: Batch) -> Size:
    """Rows and columns of a batch's maps."""
    return batch[2].shape[1], batch[2].shape[2]
