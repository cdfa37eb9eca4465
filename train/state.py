"""Everything a run carries from step to step, and how it goes into a checkpoint and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.amp import GradScaler

from train import checkpoint, distributed
from train.checkpoint import CheckpointError
from train.config import Config, ConfigError, parse_config, plain
from train.losses import Answer, batch_losses
from train.model import KeypointNet, absorb_norms, build_model
from train.optim import build_ema, build_optimizer
from train.resources import autocast_dtype
from train.schedule import Schedule

# Settings that may differ when a run is resumed: they change no step that was made.
FREE_ON_RESUME = (
    "training.threads",
    "data.workers",
    "data.backgrounds",
    "data.dataset",
    "data.validation_dataset",
    "data.cache",
    "data.cache_gib",
    "data.compose.gib",
    "data.compose.processes",
    "validation",
    "checkpoints",
    "monitor",
)


class TrainState:
    """Network, its moving average, optimiser, schedule and position of a run.

    `epoch` counts finished epochs; `step_in_epoch` the steps made since. `steps_per_epoch` whole
    steps of `pictures_per_step` (of all processes and batches) fit into an epoch's pictures.
    `shown`: numbers of the only distinct pictures that are shown; None for all.
    """

    def __init__(
        self, config: Config, device: torch.device, model: KeypointNet | None = None
    ) -> None:
        """config: without a None that `resources.resolved` fills.

        model: what to train; a fresh network of the configuration when None.

        Raises:
            ConfigError: an epoch's pictures do not make one step.
        """
        training, pictures = config.training, config.data.pictures_per_epoch
        assert training.batch_size is not None
        assert pictures is not None
        self.config, self.device, self.batch_size = config, device, training.batch_size
        self.pictures_per_step = self.batch_size * training.accumulation_steps * distributed.world()
        self.steps_per_epoch = pictures // self.pictures_per_step
        if self.steps_per_epoch == 0:
            raise ConfigError(
                f"data.pictures_per_epoch = {pictures}: a step alone takes {self.pictures_per_step}"
            )
        self.total_steps = self.steps_per_epoch * training.num_epochs
        torch.manual_seed(config.data.seed)
        model = build_model(config.model) if model is None else model
        self.model = model.to(device, memory_format=torch.channels_last)
        for name in training.freeze:
            self.model.get_submodule(name).requires_grad_(False)
        torch.manual_seed(config.data.seed + distributed.rank())  # dropout differs between ranks
        self.ema = build_ema(self.model, training.ema.decay) if training.ema.enabled else None
        self.network = distributed.Network(self.model)
        self.optimizer = build_optimizer(self.model, training.optimizer)
        self.scheduler = Schedule(self.optimizer, self.steps_per_epoch, config)
        self.autocast_dtype = autocast_dtype(device, training.amp)
        self.scaler = GradScaler(device.type, enabled=self.autocast_dtype is torch.float16)
        self.epoch = self.global_step = 0
        self.shown: NDArray[np.int64] | None = None
        self.metrics: dict[str, float] = {"best_mae": math.inf}
        self._sums: dict[str, float] = {}
        self._counted = 0

    def to_training_mode(self) -> None:
        """As `model.train()`; batch norms of frozen parts keep their statistics."""
        self.model.train()
        for name in self.config.training.freeze:
            self.model.get_submodule(name).eval()

    @property
    def step_in_epoch(self) -> int:
        return self.global_step - self.epoch * self.steps_per_epoch

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

    def losses(self, x: Tensor, answer: Answer, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        """What a step makes smaller: "loss" and its components.

        x: f32 [B, 4, H, W], the network's input; answer: what `forward_training` says of it;
        batch: canvases, truths and shapes, see `train.data.loader`.
        """
        return batch_losses(answer, batch, self.config.loss)

    def step_made(self, losses: dict[str, float], updated: bool = True) -> None:
        """Counts a step and its losses; where it `updated` the weights, schedule and average move.

        A step whose float16 gradients overflowed does not.
        """
        self.global_step += 1
        if updated:
            self.scheduler.step_made()
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

    def agree(self) -> None:
        """Gives every rank the same batch-norm statistics; the weights are the same already."""
        distributed.average_buffers(self.model)
        if self.ema is not None:
            distributed.average_buffers(self.ema)

    def to_checkpoint(self) -> dict[str, Any]:
        """The checkpoint: the documented keys and the exact position. Every rank must call it."""
        self.agree()
        random_states = distributed.of_all_ranks(checkpoint.random_state())
        return {
            "epoch": self.epoch,
            "global_step": self.global_step,
            "step_in_epoch": self.step_in_epoch,
            "loss_sums": dict(self._sums),
            "losses_counted": self._counted,
            "model_state_dict": self.model.state_dict(),
            "optimizer_state_dict": self.optimizer.state_dict(),
            "scheduler_state_dict": self.scheduler.state_dict(),
            "scaler_state_dict": self.scaler.state_dict(),
            "ema_state_dict": None if self.ema is None else self.ema.state_dict(),
            "metrics": dict(self.metrics),
            "shown": None if self.shown is None else torch.from_numpy(self.shown),
            "config": plain(self.config),
            "random_state": random_states[0],
            "other_random_states": random_states[1:],
        }

    def restore(self, path: str | Path) -> None:
        """Goes on where a checkpoint was written.

        Raises:
            CheckpointError: it cannot be read, or was made with settings that would make the
                continued run another one than the interrupted.
        """
        saved = checkpoint.load(path)
        if saved["optimizer_state_dict"] is None:
            raise CheckpointError(
                f"{path}: holds weights alone and cannot be resumed; start from it with --weights"
            )
        try:
            self._check_settings(saved, path)
            self._restore(saved, path)
        except CheckpointError:
            raise
        except (ConfigError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(f"{path}: cannot be resumed by this version: {reason}") from error

    def start_from(self, path: str | Path) -> None:
        """Takes the weights (the averaged ones) of a checkpoint; everything else starts afresh.

        A network without batch norms absorbs the checkpoint's.

        Raises:
            CheckpointError: it cannot be read or holds another network.
        """
        net, _ = checkpoint.load_model(path)
        if not self.config.model.batch_norm:
            absorb_norms(net)
        weights = net.state_dict()
        checkpoint.restore_weights(self.model, weights, path)
        if self.ema is not None:
            checkpoint.restore_weights(self.evaluated_model, weights, path)

    def _check_settings(self, saved: dict[str, Any], path: str | Path) -> None:
        changed = _differences(plain(self.config), plain(parse_config(saved["config"])))
        if changed:
            raise CheckpointError(f"{path}: made with other settings: {', '.join(changed)}")
        processes = 1 + len(saved["other_random_states"])
        if processes != distributed.world():
            raise CheckpointError(
                f"{path}: made by {processes} processes, this run has {distributed.world()}"
            )

    def _restore(self, saved: dict[str, Any], path: str | Path) -> None:
        checkpoint.restore_weights(self.model, saved["model_state_dict"], path)
        if self.ema is not None:
            checkpoint.restore_weights(self.ema, saved["ema_state_dict"], path)
        self.optimizer.load_state_dict(saved["optimizer_state_dict"])
        self.scheduler.load_state_dict(saved["scheduler_state_dict"])
        if saved["scaler_state_dict"]:  # empty from a machine without float16
            self.scaler.load_state_dict(saved["scaler_state_dict"])
        self.epoch, self.global_step = saved["epoch"], saved["global_step"]
        self._sums, self._counted = dict(saved["loss_sums"]), saved["losses_counted"]
        self.metrics = dict(saved["metrics"])
        if saved.get("shown") is not None:  # older checkpoints do not say
            self.shown = saved["shown"].numpy()
        random_states = [saved["random_state"], *saved["other_random_states"]]
        checkpoint.restore_random_state(random_states[distributed.rank()])


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
