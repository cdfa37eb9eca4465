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


def weighted_l1(predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Σ weight·|predicted − target| / Σ weight, summed over the two components; 0 without weight.

    predicted, target: [..., 2, H, W]; weight: [..., 1, H, W].
    """
    total = (weight * (predicted - target).abs()).sum()
    return total / weight.sum().clamp(min=torch.finfo(torch.float32).tiny)


def compute_losses(raw: Tensor, targets: Targets, config: LossConfig) -> dict[str, Tensor]:
    """The components and their weighted sum: "heatmap", "offset", "angle" and "loss".

    raw: f32 [B, 8, 64, 128] as the network's `forward_raw` gives it.
    """
    heatmap = focal_heatmap_loss(
        raw[:, :2],
        targets.heatmap,
        targets.heatmap_weight,
        config.heatmap.alpha,
        config.heatmap.beta,
    )
    offset = weighted_l1(raw[:, 2:6].unflatten(1, (2, 2)), targets.offset, targets.offset_weight)
    angle = weighted_l1(raw[:, 6:8], targets.angle, targets.angle_weight)
    loss = (
        config.heatmap.weight * heatmap
        + config.offset.weight * offset
        + config.angle.weight * angle
    )
    return {"loss": loss, "heatmap": heatmap, "offset": offset, "angle": angle}
