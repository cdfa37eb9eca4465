"""Learning-rate schedules as functions of the step: a linear warm-up, then cosines."""

from __future__ import annotations

from math import cos, pi

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from train.config import CosineConfig, TrainingConfig, WarmRestartsConfig


def learning_rate(step: int, steps_per_epoch: int, config: TrainingConfig) -> float:
    """The rate of the optimiser's step number `step` (from 0).

    The warm-up is linear from `warmup_lr` to `lr`; the cosine then falls from `lr` to `eta_min`,
    once over the remaining epochs or in cycles of T_0, T_0·T_mult, … epochs (Loshchilov and
    Hutter, "SGDR", 2017).
    """
    schedule, peak = config.scheduler, config.optimizer.lr
    epoch = step / steps_per_epoch - schedule.warmup_epochs
    if epoch < 0:
        done = 1 + epoch / schedule.warmup_epochs
        return schedule.warmup_lr + (peak - schedule.warmup_lr) * done
    return schedule.eta_min + (peak - schedule.eta_min) * 0.5 * (
        1 + cos(pi * _cycle_position(epoch, schedule, config.num_epochs))
    )


def _cycle_position(
    epoch: float, schedule: WarmRestartsConfig | CosineConfig, num_epochs: int
) -> float:
    if isinstance(schedule, CosineConfig):
        length = num_epochs - schedule.warmup_epochs
        return min(1.0, epoch / length) if length > 0 else 1.0
    length = float(schedule.T_0)
    while epoch >= length:
        epoch -= length
        length *= schedule.T_mult
    return epoch / length


def build_scheduler(optimizer: Optimizer, steps_per_epoch: int, config: TrainingConfig) -> LambdaLR:
    """A scheduler to be stepped after every optimiser step."""
    peak = config.optimizer.lr
    return LambdaLR(optimizer, lambda step: learning_rate(step, steps_per_epoch, config) / peak)
