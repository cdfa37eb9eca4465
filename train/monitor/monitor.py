"""The one place the training loop reports to."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from train import history
from train.config import Config
from train.metrics import ValidationReport
from train.monitor.console import Console
from train.monitor.progress import Means, Progress
from train.monitor.tensorboard import Board
from train.state import TrainState


class NullMonitor:
    """The calls a training loop makes, with nothing written: for every process but the first."""

    @property
    def wants_update_ratio(self) -> bool:
        """Whether `step` should be told how far the coming step moves the weights."""
        return False

    @contextmanager
    def epoch(self) -> Iterator[None]:
        """Around the steps of one epoch, or of what is left of it after resuming."""
        yield

    def step(
        self,
        losses: dict[str, float],
        gradient_norm: float,
        update_ratio: float | None,
        data_s: float,
        batch_s: float,
    ) -> None:
        """Call after the optimiser's step and before the scheduler's, whose rates it reads.

        losses: "loss" and its components.
        gradient_norm: over all weights, before clipping.
        update_ratio: |Δw| / |w| over all weights where `wants_update_ratio` asked for it.
        data_s, batch_s: seconds spent waiting for data, and by the whole step, that included.
        """

    def validated(self, report: ValidationReport) -> None:
        """Call after a validation, with its report."""

    def epoch_done(self, metrics: dict[str, float], is_best: bool) -> None:
        """Call at the end of an epoch, before its checkpoints, while gradients are still there.

        metrics: "train_loss", "best_mae" and those of the last validation, which are left out where
            this epoch had none.
        """

    def close(self) -> None:
        """Writes out what is left; nothing may be called afterwards."""


class Monitor(NullMonitor):
    """Console and TensorBoard of a run.

    Writes `training_YYYYMMDD.log`, `history.jsonl` and the folder `tensorboard` into `save_dir`.

    Steps are counted from 1 over the whole run: a resumed run goes on on the same axis, and what
    an interrupted one wrote beyond its checkpoint no longer shows.

    state: its `epoch` and `global_step` are read when an epoch starts, its `optimizer` at every
    report, its `model` (the bare network) for histograms and the graph.
    """

    def __init__(self, config: Config, save_dir: Path, state: TrainState) -> None:
        self._config, self._save_dir, self._state = config, save_dir, state
        self._epoch, self._step = state.epoch, state.global_step
        self._total_steps = config.training.num_epochs * state.steps_per_epoch
        self._losses, self._others = Means(), Means()
        self._rates = self._read_rates()
        self._epoch_began, self._validated = time.monotonic(), False
        self._steps_made, self._steps_took_s = 0, 0.0
        self._console = Console(save_dir)
        self._board: Board | None = None
        if config.monitor.tensorboard:
            self._board = Board(
                save_dir / "tensorboard", config, state.model, state.epoch, state.global_step
            )

    @property
    def wants_update_ratio(self) -> bool:
        return self._reports_at(self._step + 1)

    @contextmanager
    def epoch(self) -> Iterator[None]:
        self._epoch, self._step = self._state.epoch + 1, self._state.global_step
        self._rates = self._read_rates()
        self._epoch_began, self._validated = time.monotonic(), False
        steps = self._state.steps_per_epoch
        label = f"epoch {self._epoch}/{self._config.training.num_epochs}"
        self._console.open_bar(label, self._step - self._state.epoch * steps, steps)
        try:
            yield
        finally:
            self._console.close_bar()
            self._report()

    def step(
        self,
        losses: dict[str, float],
        gradient_norm: float,
        update_ratio: float | None,
        data_s: float,
        batch_s: float,
    ) -> None:
        self._step += 1
        self._steps_made += 1
        self._steps_took_s += batch_s
        self._rates = self._read_rates()
        self._losses.add(losses)
        others = {"gradient_norm": gradient_norm, "data_s": data_s, "batch_s": batch_s}
        if update_ratio is not None:
            others["update_ratio"] = update_ratio
        # A float16 step that overflows has no norm, is skipped, and would hide the others' mean.
        self._others.add({name: value for name, value in others.items() if math.isfinite(value)})
        self._console.step(losses, self._rate, self._eta_s)
        if self._reports_at(self._step):
            self._report()

    def validated(self, report: ValidationReport) -> None:
        self._validated = True
        self._console.validated(report)
        if self._board is not None:
            self._board.validated(self._epoch, self._step, report)

    def epoch_done(self, metrics: dict[str, float], is_best: bool) -> None:
        fresh = {n: v for n, v in metrics.items() if self._validated or not n.startswith("val_")}
        self._console.epoch_done(self._epoch, fresh, is_best)
        seconds = time.monotonic() - self._epoch_began
        history.append(self._save_dir, self._epoch, self._rate, seconds, fresh)
        if self._board is not None:
            self._board.epoch_done(self._epoch, self._step, metrics["train_loss"])

    def close(self) -> None:
        self._console.close()
        if self._board is not None:
            self._board.close()

    def _report(self) -> None:
        """Reports the steps made since the last report, if any."""
        if not self._losses:
            return
        progress = Progress(
            epoch=self._epoch,
            step=self._step,
            rates=self._rates,
            losses=self._losses.take(),
            eta_s=self._eta_s,
            **self._others.take(),
        )
        self._console.report(progress)
        if self._board is not None:
            self._board.report(progress)

    def _reports_at(self, step: int) -> bool:
        interval = self._config.monitor.report_interval
        return step % interval == 0 or step % self._state.steps_per_epoch == 0

    def _read_rates(self) -> dict[str, float]:
        groups = self._state.optimizer.param_groups
        return {group.get("name", str(n)): float(group["lr"]) for n, group in enumerate(groups)}

    @property
    def _rate(self) -> float:
        return next(iter(self._rates.values()))

    @property
    def _eta_s(self) -> float:
        """From the steps this process made."""
        return (self._total_steps - self._step) * self._steps_took_s / self._steps_made
