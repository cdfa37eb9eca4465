"""Learning-rate schedules: torch's own, moved on after every step, behind a linear warm-up."""

from __future__ import annotations

from math import ceil
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from train.config import (
    Config,
    CosineConfig,
    ExponentialConfig,
    PlateauConfig,
    SchedulerConfig,
    StepConfig,
    WarmRestartsConfig,
)


class Schedule:
    """Sets the rate of every parameter group of `optimizer`, as `config.training.scheduler` says.

    The configuration counts in epochs, the schedule in steps; the plateau counts validations.
    """

    def __init__(self, optimizer: Optimizer, steps_per_epoch: int, config: Config) -> None:
        chosen, full = config.training.scheduler, config.training.optimizer.lr
        self._warmup_steps = steps = round(chosen.warmup_epochs * steps_per_epoch)
        start = chosen.warmup_lr / full
        warmup = [LinearLR(optimizer, start, total_iters=steps)] if steps else []
        rest = config.training.num_epochs * steps_per_epoch - steps
        after = _after_warmup(optimizer, chosen, steps_per_epoch, rest)
        self._per_step = SequentialLR(optimizer, [*warmup, after], [steps] * len(warmup))
        self._plateau: ReduceLROnPlateau | None = None
        if isinstance(chosen, PlateauConfig):
            patience = ceil(chosen.patience / config.validation.interval)
            self._plateau = ReduceLROnPlateau(
                optimizer, factor=chosen.factor, patience=patience, min_lr=chosen.min_lr
            )

    def step_made(self) -> None:
        """Moves on by one step of the optimiser."""
        self._per_step.step()

    def validated(self, mae_px: float) -> None:
        """Tells of a validation's mean error: a plateau lowers the rate once warm-up is over."""
        if self._plateau is not None and self._per_step.last_epoch >= self._warmup_steps:
            self._plateau.step(mae_px)

    def state_dict(self) -> dict[str, Any]:
        """Plain values, without the optimiser, whose rates are in its own state."""
        plateau = None if self._plateau is None else self._plateau.state_dict()
        return {"per_step": self._per_step.state_dict(), "plateau": plateau}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts back what `state_dict` of a schedule of the same configuration gave."""
        self._per_step.load_state_dict(state["per_step"])
        if self._plateau is not None:
            self._plateau.load_state_dict(state["plateau"])


def _after_warmup(
    optimizer: Optimizer, chosen: SchedulerConfig, steps_per_epoch: int, steps: int
) -> LRScheduler:
    match chosen:
        case WarmRestartsConfig():
            cycle = chosen.T_0 * steps_per_epoch
            return CosineAnnealingWarmRestarts(optimizer, cycle, chosen.T_mult, chosen.eta_min)
        case CosineConfig():
            return CosineAnnealingLR(optimizer, max(1, steps), chosen.eta_min)
        case StepConfig():
            return StepLR(optimizer, chosen.step_size * steps_per_epoch, chosen.gamma)
        case ExponentialConfig():
            return ExponentialLR(optimizer, chosen.gamma ** (1 / steps_per_epoch))
        case PlateauConfig():
            return ExponentialLR(optimizer, 1.0)  # validations alone move it
