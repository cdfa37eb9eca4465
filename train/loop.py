"""The training run; read `run` first, then downwards."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import torch

from train import data, distributed
from train.compose.stream import composed_batches
from train.config import Config, ConfigError
from train.data import Batch
from train.folder import CheckpointFolder
from train.generated import GeneratedPictures
from train.hardest import hardest
from train.losses import batch_losses
from train.metrics import ValidationMetrics, ValidationReport
from train.monitor import Monitor, NullMonitor
from train.resources import resolved
from train.source import Source
from train.state import TrainState
from train.step import train_step
from train.stop import StopFlag

log = logging.getLogger("train")

VALIDATION_BATCH = 32


def run(
    config: Config,
    training_source: Source,
    validation_source: Source,
    stop: StopFlag,
    resume: Path | None = None,
    weights: Path | None = None,
) -> bool:
    """Trains to the configured number of epochs, or until `stop` is set on any rank.

    Every process of a group calls it with the same arguments. Returns whether the run came to its
    end; an interrupted one continues from its folder's `last.pth`, bit for bit on a CPU.

    Raises:
        ConfigError: an epoch is shorter than a step; the hardest pictures are asked for without
            weights that could tell.
        CheckpointError: `resume` cannot be continued with this configuration, `weights`, to start
            from, belong to another network, or a checkpoint cannot be written.
        FloatingPointError: the loss or its gradient is no longer finite.
    """
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    device = distributed.device()
    config = resolved(config, device, training_source.pictures_per_epoch)
    state = TrainState(config, device)
    if weights is not None:
        state.start_from(weights)
    if resume is not None:
        state.restore(resume)
    if not _choose_pictures(state, training_source, stop, resume or weights):
        return False
    return train_to_the_end(state, training_source, validation_source, stop)


def _choose_pictures(
    state: TrainState, source: Source, stop: StopFlag, weights: Path | None
) -> bool:
    """Has the hardest pictures shown where they are wanted; False where it was told to stop."""
    share = state.config.data.hardest_share
    if share is None:
        return True
    if weights is None:
        raise ConfigError("data.hardest_share: random weights find nothing hard; add --weights")
    assert isinstance(source, GeneratedPictures)
    if state.shown is None:  # a resumed run's checkpoint says which
        state.shown = hardest(state, source, share, stop)
    if state.shown is None:
        log.info("stopped while scoring pictures; nothing was trained")
        return False
    source.show_only(state.shown)
    return True


def train_to_the_end(
    state: TrainState, training_source: Source, validation_source: Source, stop: StopFlag
) -> bool:
    """The rest of a run from where `state` is; returns and raises as `run`."""
    config = state.config
    folder = CheckpointFolder(config)
    stream = _training_batches(state, training_source)
    with closing(stream), closing(_monitor(state, folder.path)) as monitor:
        _log_start(state)
        while state.epoch < config.training.num_epochs:
            if not train_one_epoch(state, stream, folder, monitor, stop):
                log.info("stopped at step %d; continue with --resume", state.global_step)
                return False
            finish_epoch(state, validation_source, folder, monitor)
    return True


def train_one_epoch(
    state: TrainState,
    stream: Iterator[Batch],
    folder: CheckpointFolder,
    monitor: NullMonitor,
    stop: StopFlag,
) -> bool:
    """Steps to the end of the epoch, or saves and returns False once any rank was told to stop."""
    state.to_training_mode()
    with monitor.epoch():
        while state.step_in_epoch < state.steps_per_epoch:
            began = time.perf_counter()
            batches = list(islice(stream, state.config.training.accumulation_steps))
            data_s = time.perf_counter() - began
            step = train_step(state, batches, monitor.wants_update_ratio)
            batch_s = time.perf_counter() - began
            monitor.step(step.losses, step.gradient_norm, step.update_ratio, data_s, batch_s)
            state.step_made(step.losses, step.updated)
            stopped, save_due = distributed.on_any_rank(stop.is_set, folder.last_is_due)
            if stopped or save_due:
                folder.save_last(state.to_checkpoint())
            if stopped:
                return False
    return True


def finish_epoch(
    state: TrainState, validation_source: Source, folder: CheckpointFolder, monitor: NullMonitor
) -> None:
    """Validates where it is due, reports the epoch, writes its checkpoints."""
    config = state.config
    folder.save_last(state.to_checkpoint())  # whatever a validation meets, the epoch is kept
    state.metrics |= {f"train_{name}": value for name, value in state.means.items()}
    state.epoch_made()
    is_best = False
    if state.epoch % config.validation.interval == 0 or state.epoch == config.training.num_epochs:
        report = validate(state, validation_source)
        monitor.validated(report)
        state.metrics |= report.metrics
        state.scheduler.validated(report.metrics["val_mae"])
        is_best = report.metrics["val_mae"] < state.metrics["best_mae"]
        if is_best:
            state.metrics["best_mae"] = report.metrics["val_mae"]
    monitor.epoch_done(state.metrics, is_best)
    folder.save_epoch(state.to_checkpoint(), is_best)


@torch.no_grad()
def validate(state: TrainState, source: Source) -> ValidationReport:
    """The averaged weights on every picture of `source`, in float32 as they are exported."""
    state.agree()
    model = state.evaluated_model.eval()
    metrics = ValidationMetrics(state.device)
    batches = data.loader(
        source,
        0,
        source.pictures_per_epoch,
        VALIDATION_BATCH,
        state.config.data.workers,
        distributed.rank(),
        distributed.world(),
    )
    for batch in batches:
        batch = tuple(tensor.to(state.device) for tensor in batch)
        canvas, truth, _ = batch
        answer = model.forward_training(data.network_input(canvas))
        losses = batch_losses(answer, batch, state.config.loss)
        metrics.update(answer[0], truth, canvas, losses)
    return metrics.compute()


def _training_batches(state: TrainState, source: Source) -> Generator[Batch]:
    if state.config.data.compose is not None:
        assert isinstance(source, GeneratedPictures)
        return composed_batches(state.config, source, state.device)
    # One stream for the whole run: what step s shows depends on s alone, whatever happened.
    return iter(
        data.loader(
            source,
            state.global_step * state.pictures_per_step,
            state.total_steps * state.pictures_per_step,
            state.batch_size,
            state.config.data.workers,
            distributed.rank(),
            distributed.world(),
            used_per_epoch=state.steps_per_epoch * state.pictures_per_step,
        )
    )


def _monitor(state: TrainState, save_dir: Path) -> NullMonitor:
    if not distributed.is_main():
        return NullMonitor()
    return Monitor(state.config, save_dir, state)


def _log_start(state: TrainState) -> None:
    if not distributed.is_main():
        return
    dtype = state.autocast_dtype or torch.float32
    log.info(
        "%s from step %d of %d on %s in %s; processes: %d, threads: %d",
        "resuming" if state.global_step else "training",
        state.global_step,
        state.total_steps,
        state.device,
        str(dtype).removeprefix("torch."),
        distributed.world(),
        torch.get_num_threads(),
    )
    if state.config.training.amp and state.autocast_dtype is None:
        log.warning("this machine does not compute bfloat16: training in float32")
