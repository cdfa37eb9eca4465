"""Losses on the raw outputs, in float32."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train.config import LossConfig
from train.targets import Targets


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


def weighted_l1(predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Σ weight·|predicted − target| / Σ weight, summed over the two components; 0 without weight.

    predicted, target: [..., 2, H, W]; weight: [..., 1, H, W].
    """
    total = (weight * (predicted - target).abs()).sum()
    return total / weight.sum().clamp(min=torch.finfo(torch.float32).tiny)


def compute_losses(raw: Tensor, targets: Targets, config: LossConfig) -> dict[str, Tensor]:
    """The components ("heatmap", "location", "offset", "angle") and their weighted sum, "loss".

    raw: f32 [B, 8, 64, 128] as the network's `forward_raw` gives it.
    """
    heatmap = focal_heatmap_loss(
        raw[:, :2],
        targets.heatmap,
        targets.heatmap_weight,
        config.heatmap.alpha,
        config.heatmap.beta,
    )
    location = location_loss(raw[:, :2], targets.share, targets.heatmap_weight)
    offset = weighted_l1(raw[:, 2:6].unflatten(1, (2, 2)), targets.offset, targets.offset_weight)
    angle = weighted_l1(raw[:, 6:8], targets.angle, targets.angle_weight)
    loss = (
        config.heatmap.weight * heatmap
        + config.location.weight * location
        + config.offset.weight * offset
        + config.angle.weight * angle
    )
    parts = {"heatmap": heatmap, "location": location, "offset": offset, "angle": angle}
    return {"loss": loss, **parts}
