"""Losses on the raw outputs, in float32."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from runtime.geometry import STRIDE
from train.config import LossConfig
from train.coverage import ShapeTargets, encode_shapes
from train.decode import row_support
from train.targets import Targets, encode

# Raw maps f32 [B, 8, H, W] and what the shape head says f32 [B, 7, H, W], where there is one.
Answer = tuple[Tensor, Tensor | None]

# Few cells belong to a shape: those count so much more.
COVERED_WEIGHT = 3.0
# Of `expected_error`: the power that scores are raised to, and tau in canvas pixels.
CHOICE_SHARPNESS = 3.0
ERROR_SCALE_PX = 6.0


def focal_heatmap_loss(
    logits: Tensor, target: Tensor, weight: Tensor, alpha: float = 2.0, beta: float = 4.0
) -> Tensor:
    """CenterNet's penalty-reduced focal loss, summed and divided by the number of peaks (≥ 1).

    logits, target: f32 [B, C, H, W]; a cell is a peak where the target is exactly 1.
    weight: broadcasts over both; 0 leaves a map out.
    Source: Zhou et al., "Objects as Points", 2019, equation 1.
    """
    log_p, log_not_p = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    peak = (target == 1).float() * weight
    positive = peak * (alpha * log_not_p).exp() * log_p
    negative = (weight - peak) * (1 - target) ** beta * (alpha * log_p).exp() * log_not_p
    return -(positive + negative).sum() / peak.sum().clamp(min=1)


def location_loss(logits: Tensor, share: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of "which cell": the softmax over a map against the point's share of each cell.

    Each map holds one point, so its cells compete: a decoy's peak costs as long as it is not well
    below the point's, where the focal loss has long gone quiet; so does a peak that is a cell off.

    logits: f32 [B, C, H, W]; share: the same shape, summing to 1 over a map with a point, else 0.
    weight: f32 [B, C, 1, 1]; 0 leaves a map out. Averaged over the maps that have a point.
    """
    log_share = functional.log_softmax(logits.flatten(2), dim=2)
    target = share.flatten(2) * weight.flatten(2)
    return -(target * log_share).sum() / target.sum().clamp(min=1)


def expected_error(raw: Tensor, targets: Targets) -> Tensor:
    """How wrong the decode is expected to be, from 0 to 1: what the answer's accuracy hangs on.

    The joint scores that the decode (`train.decode`, row agreement 1) takes the best of, sharpened
    and shared out as chances of the cells; for each cell the Geman-McClure error e² / (e² + tau²)
    of the point that it gives. Unlike a cross-entropy it forgets points that cannot be found, and
    is steepest where two cells are about equal. Averaged over the maps that have a point; 0
    without.
    raw: f32 [B, 8, H, W].
    Source: minimum risk training (Shen et al., "Minimum Risk Training for Neural Machine
    Translation", 2016), over all answers instead of sampled ones.
    """
    asked = (targets.share.sum(dim=(2, 3)) > 0) * targets.heatmap_weight[:, :, 0, 0]
    scores = functional.logsigmoid(raw[:, :2])
    # A map without a point is read and not taught: it would learn to point where the other does.
    heard = torch.where(asked[:, :, None, None] > 0, scores, scores.detach())
    support = row_support(heard[:, 1:], 1.0), row_support(heard[:, :1], 1.0)
    joint = scores + torch.cat(support, dim=1)
    chance = functional.softmax(CHOICE_SHARPNESS * joint.flatten(2), dim=2)
    offset = raw[:, 2:6].unflatten(1, (2, 2)).clamp(-0.5, 0.5)
    squared_px = ((targets.toward - offset) * STRIDE).square().sum(dim=2).flatten(2)
    error = (chance * squared_px / (squared_px + ERROR_SCALE_PX**2)).sum(dim=2)
    return (error * asked).sum() / asked.sum().clamp(min=1)


def picture_losses(raw: Tensor, targets: Targets) -> Tensor:
    """How far each picture's heatmaps are from what they should say, f32 [B]: its focal loss, and
    the Kullback-Leibler divergence between its points' shares and the softmax over their maps.

    Unlike the cross-entropy of `location_loss`, that is 0 wherever in its cell a point lies.
    raw: f32 [B, 8, H, W].
    """
    logits, weight = raw[:, :2], targets.heatmap_weight
    log_share = functional.log_softmax(logits.flatten(2), dim=2)
    share = targets.share.flatten(2) * weight.flatten(2)
    divergence = functional.kl_div(log_share, share, reduction="none").sum(dim=(1, 2))
    focal = [
        focal_heatmap_loss(logits[i, None], targets.heatmap[i, None], weight[i, None])
        for i in range(len(raw))
    ]
    return divergence / share.sum(dim=(1, 2)).clamp(min=1) + torch.stack(focal)


def weighted_l1(predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Σ weight·|predicted − target| / Σ weight, summed over the two components; 0 without weight.

    predicted, target: [..., 2, H, W]; weight: [..., 1, H, W].
    """
    total, weights = (weight * (predicted - target).abs()).sum(), weight.sum()
    # Not clamped to a tiny number: the gradient, its inverse, would not be finite.
    return total / torch.where(weights > 0, weights, 1.0)


def angle_loss(predicted: Tensor, target: Tensor, weight: Tensor, power: int) -> Tensor:
    """|predicted − target| ** power, summed over sine and cosine: the weighted mean over each gap's
    cells, then over the gaps, so that a large gap counts no more than a small one.

    predicted: f32 [B, 2, H, W]; target: f32 [B, 2, 1, 1]; weight: f32 [B, 1, H, W], all 0 where a
    picture's angle is not defined. 0 without any.
    """
    weights = weight.sum(dim=(1, 2, 3))
    error = (weight * (predicted - target).abs() ** power).sum(dim=(1, 2, 3))
    return (error / weights.clamp(min=1)).sum() / (weights > 0).sum().clamp(min=1)


def shape_loss(logits: Tensor, coverage: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy of coverage, covered parts counting `COVERED_WEIGHT` times.

    logits, coverage: f32 [B, 3, H, W]; weight: f32 [B, 1, H, W]. A weighted mean over cells and
    shapes; 0 without weight.
    """
    entropy = functional.binary_cross_entropy_with_logits(
        logits, coverage, pos_weight=logits.new_tensor(COVERED_WEIGHT), reduction="none"
    )
    return (entropy * weight).sum() / (logits.shape[1] * weight.sum()).clamp(min=1)


def batch_losses(answer: Answer, batch: Sequence[Tensor], config: LossConfig) -> dict[str, Tensor]:
    """`compute_losses` of a network's answer to a batch (canvases, truths, shapes; see
    `train.data.loader`), all on the same device."""
    canvas, truth, shapes = batch
    raw, maps = answer
    targets = encode(truth, (raw.shape[2], raw.shape[3]))
    return compute_losses(raw, maps, targets, encode_shapes(canvas, truth, shapes), config)


def angle_weight(targets: Targets, shapes: ShapeTargets) -> Tensor:
    """Which cells say how the gap is turned, f32 [B, 1, H, W]: those around its point, and all that
    it covers where its outline is known."""
    defined = targets.angle_weight.amax(dim=(1, 2, 3), keepdim=True)
    return torch.maximum(targets.angle_weight, defined * shapes.centre_weight[:, 0])


def compute_losses(
    raw: Tensor, maps: Tensor | None, targets: Targets, shapes: ShapeTargets, config: LossConfig
) -> dict[str, Tensor]:
    """The components (named as in `LossConfig`) and their weighted sum, "loss".

    raw: f32 [B, 8, 64, 128] and maps: f32 [B, 7, 64, 128] as `forward_training` gives them;
    without maps "shape" and "centre" are 0.
    """
    focal, heatmap_weight = config.heatmap, targets.heatmap_weight
    parts = {
        "heatmap": focal_heatmap_loss(
            raw[:, :2], targets.heatmap, heatmap_weight, focal.alpha, focal.beta
        ),
        "location": location_loss(raw[:, :2], targets.share, heatmap_weight),
        "expected": expected_error(raw, targets),
        "offset": weighted_l1(
            raw[:, 2:6].unflatten(1, (2, 2)), targets.offset, targets.offset_weight
        ),
        "angle": angle_loss(
            raw[:, 6:8], targets.angle, angle_weight(targets, shapes), config.angle.power
        ),
        "shape": raw.new_zeros(()),
        "centre": raw.new_zeros(()),
    }
    if maps is not None:
        parts["shape"] = shape_loss(maps[:, :3], shapes.mask, shapes.mask_weight)
        centre = maps[:, 3:7].unflatten(1, (2, 2))
        parts["centre"] = weighted_l1(centre, shapes.centre, shapes.centre_weight)
    weighted = [getattr(config, name).weight * part for name, part in parts.items()]
    return {"loss": torch.stack(weighted).sum(), **parts}
