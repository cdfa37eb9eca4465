"""The training run; read `run` first, then downwards."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from train import checkpoint, data
from train.config import Config, LossConfig, dump_config
from train.decode import decode
from train.losses import compute_losses
from train.model import KeypointNet, activate
from train.state import TrainState
from train.stop import StopFlag
from train.targets import encode, field, points

log = logging.getLogger("train")

LOG_SECONDS = 60.0
VALIDATION_BATCH = 32
Batch = tuple[Tensor, Tensor]


def run(
    config: Config,
    train_set: Dataset[data.Item],
    validation_set: Dataset[data.Item],
    resume: Path | None = None,
    stop: StopFlag | None = None,
) -> bool:
    """Trains to the configured number of epochs, or until `stop` is set.

    Writes `config.yaml`, `last.pth` and `best_model.pth` into the configured folder. Returns
    whether the run was finished; an interrupted one continues from `last.pth`, bit for bit.

    Raises:
        CheckpointError: `resume` cannot be used with this configuration.
        FloatingPointError: the loss is no longer finite.
    """
    stop = stop or StopFlag()
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    state = TrainState(config, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    if resume is not None:
        state.restore(resume)
        log.info("resumed from %s at step %d", resume, state.global_step)
    save_dir = Path(config.checkpoints.save_dir)
    save_dir.mkdir(parents=True, exist_ok=True)
    (save_dir / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    stream = _training_stream(config, train_set, state.global_step)
    while state.epoch < config.training.num_epochs:
        train_one_epoch(state, stream, stop, save_dir / "last.pth")
        if stop.is_set:
            checkpoint.save(save_dir / "last.pth", state.to_checkpoint())
            log.info("stopped at step %d; continue with --resume", state.global_step)
            return False
        _finish_epoch(state, validation_set, save_dir)
    return True


def train_one_epoch(
    state: TrainState, stream: Iterator[Batch], stop: StopFlag, last: Path
) -> None:
    """Steps to the end of the epoch, or until `stop` is set; saves `last` every few minutes."""
    config, state_began = state.config, time.monotonic()
    saved = logged = state_began
    steps = state.steps_per_epoch
    state.model.train()
    label = f"epoch {state.epoch + 1}/{config.training.num_epochs}"
    with tqdm(total=steps, initial=state.step_in_epoch, desc=label, disable=None) as bar:
        began_at = state.step_in_epoch
        while state.step_in_epoch < steps and not stop.is_set:
            losses = train_step(state, next(stream))
            state.count(losses)
            now = time.monotonic()
            done = state.step_in_epoch - began_at
            rate = done * config.training.batch_size / (now - state_began)
            bar.set_postfix(_report(state, rate), refresh=False)
            bar.update()
            if now - logged >= LOG_SECONDS and bar.disable:
                left_s = (state.total_steps - state.global_step) * (now - state_began) / done
                shown = "  ".join(f"{k} {v}" for k, v in _report(state, rate).items())
                log.info("%s  step %d/%d  %s  eta %.0f min",
                         label, state.step_in_epoch, steps, shown, left_s / 60)
                logged = now
            if now - saved >= 60 * config.checkpoints.save_minutes:
                checkpoint.save(last, state.to_checkpoint())
                saved = now


def train_step(state: TrainState, batch: Batch) -> dict[str, float]:
    """One step on (canvas u8 [B, 256, 512, 4], truth f32 [B, 13]); returns the losses."""
    canvas, truth = (tensor.to(state.device, non_blocking=True) for tensor in batch)
    with torch.autocast(state.device.type, torch.bfloat16, enabled=state.amp):
        raw = state.model.forward_raw(data.network_input(canvas))
    losses = compute_losses(raw, encode(truth), state.config.loss)
    if not torch.isfinite(losses["loss"]):
        raise FloatingPointError(f"the loss is not finite at step {state.global_step}")
    state.optimizer.zero_grad(set_to_none=True)
    losses["loss"].backward()
    nn.utils.clip_grad_norm_(state.model.parameters(), state.config.training.gradient_clip)
    state.optimizer.step()
    state.scheduler.step()
    state.global_step += 1
    state.update_ema()
    return {name: float(value) for name, value in losses.items()}
