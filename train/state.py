"""Everything a run carries from step to step, and how it goes into a checkpoint and back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from train import checkpoint
from train.config import Config, plain
from train.model import KeypointNet, build_model
from train.optim import build_ema, build_optimizer
from train.schedule import build_scheduler

# Settings that may differ when a run is resumed: they change no step that was made.
FREE_ON_RESUME = (
    "training.threads",
    "data.workers",
    "data.backgrounds",
    "validation",
    "checkpoints",
)


class TrainState:
    """Network, its moving average, optimiser, schedule and position of a run.

    `epoch` counts finished epochs; `step_in_epoch` the steps made since.
    """

    def __init__(self, config: Config, device: torch.device) -> None:
        training = config.training
        self.config, self.device = config, device
        self.amp = training.amp and supports_bfloat16(device)
        self.steps_per_epoch = max(1, config.data.pictures_per_epoch // training.batch_size)
        self.total_steps = self.steps_per_epoch * training.num_epochs
        torch.manual_seed(config.data.seed)
        model = build_model(config.model).to(device, memory_format=torch.channels_last)
        self.model: KeypointNet = model
        self.ema = build_ema(model, training.ema.decay) if training.ema.enabled else None
        self.optimizer = build_optimizer(model, training.optimizer)
        self.scheduler = build_scheduler(self.optimizer, self.steps_per_epoch, training)
        self.epoch = self.global_step = 0
        self.metrics: dict[str, float] = {"best_mae": math.inf}
        self._sums: dict[str, float] = {}
        self._counted = 0

    @property
    def step_in_epoch(self) -> int:
        return self.global_step - self.epoch * self.steps_per_epoch

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def means(self) -> dict[str, float]:
        """Mean losses over the steps of this epoch."""
        return {name: total / self._counted for name, total in self._sums.items()}

    @property
    def evaluated_model(self) -> KeypointNet:
        """What is validated, called best and exported: the moving average where there is one."""
        if self.ema is None:
            return self.model
        averaged = self.ema.module
        assert isinstance(averaged, KeypointNet)
        return averaged

    def step_made(self, losses: dict[str, float]) -> None:
        """Moves the schedule and the average on by one step and counts its losses."""
        self.scheduler.step()
        self.global_step += 1
        if (
            self.ema is not None
            and self.global_step % self.config.training.ema.update_interval == 0
        ):
            self.ema.update_parameters(self.model)
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._counted += 1

    def epoch_made(self) -> None:
        """Moves on to the next epoch; the means start afresh."""
        self.epoch += 1
        self._sums, self._counted = {}, 0

    def to_checkpoint(self) -> dict[str, Any]:
        """The checkpoint dict; what it holds is SPEC.md's list and the exact position."""
        return {
            "epoch": self.epoch,
            "global_step": self.global_step,
            "step_in_epoch": self.step_in_epoch,
            "loss_sums": dict(self._sums),
            "losses_counted": self._counted,
            "model_state_dict": self.model.state_dict(),
            "optimizer_state_dict": self.optimizer.state_dict(),
            "scheduler_state_dict": self.scheduler.state_dict(),
            "ema_state_dict": None if self.ema is None else self.ema.state_dict(),
            "metrics": dict(self.metrics),
            "config": plain(self.config),
            "random_state": checkpoint.random_state(),
        }

    def restore(self, path: str | Path) -> None:
        """Goes on where a checkpoint was written.

        Raises:
            CheckpointError: it cannot be read, or was made with settings that would make the
                continued run another one than the interrupted.
        """
        saved = checkpoint.load(path, self.device)
        if saved["optimizer_state_dict"] is None:
            raise checkpoint.CheckpointError(
                f"{path}: holds weights alone and cannot be resumed; start from it with --weights"
            )
        changed = _differences(plain(self.config), saved["config"])
        if changed:
            raise checkpoint.CheckpointError(
                f"{path}: made with other settings: {', '.join(changed)}"
            )
        checkpoint.restore_weights(self.model, saved["model_state_dict"], path)
        if self.ema is not None:
            checkpoint.restore_weights(self.ema, saved["ema_state_dict"], path)
        self.optimizer.load_state_dict(saved["optimizer_state_dict"])
        self.scheduler.load_state_dict(saved["scheduler_state_dict"])
        self.epoch, self.global_step = saved["epoch"], saved["global_step"]
        self._sums, self._counted = dict(saved["loss_sums"]), saved["losses_counted"]
        self.metrics = dict(saved["metrics"])
        checkpoint.restore_random_state(saved["random_state"])

    def start_from(self, path: str | Path) -> None:
        """Takes the weights (the averaged ones) of a checkpoint; everything else starts afresh.

        Raises:
            CheckpointError: it cannot be read or holds another network.
        """
        weights = checkpoint.load_model(path, self.device)[0].state_dict()
        checkpoint.restore_weights(self.model, weights, path)
        if self.ema is not None:
            checkpoint.restore_weights(self.evaluated_model, weights, path)


def supports_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is computed by the hardware; emulated, it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(
        capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16")
    )


def _differences(ours: Any, theirs: Any, key: str = "") -> list[str]:
    """Dotted names of settings that differ, those of `FREE_ON_RESUME` aside."""
    if key in FREE_ON_RESUME:
        return []
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return [] if ours == theirs else [key]
    names = dict.fromkeys([*ours, *theirs])
    return [
        found
        for name in names
        for found in _differences(
            ours.get(name), theirs.get(name), f"{key}.{name}" if key else str(name)
        )
    ]
