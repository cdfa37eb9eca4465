"""The training run; read `run` first, then downwards."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from train import checkpoint, data
from train.config import Config, dump_config
from train.decode import decode
from train.losses import compute_losses
from train.model import activate
from train.monitor.console import EpochProgress
from train.state import TrainState
from train.stop import StopFlag
from train.targets import encode, field, points

log = logging.getLogger("train")

VALIDATION_BATCH = 32
Batch = tuple[Tensor, Tensor]


def run(
    config: Config,
    train_set: Dataset[data.Item],
    validation_set: Dataset[data.Item],
    stop: StopFlag,
    resume: Path | None = None,
    weights: Path | None = None,
) -> bool:
    """Trains to the configured number of epochs, or until `stop` is set.

    Writes `config.yaml`, `last.pth` and `best_model.pth` into the configured folder. Returns
    whether the run came to its end; an interrupted one continues from `last.pth`, bit for bit.

    Raises:
        CheckpointError: `resume` cannot be continued with this configuration, or `weights`, to
            start from, belong to another network.
        FloatingPointError: the loss is no longer finite.
    """
    if config.training.threads is not None:
        torch.set_num_threads(config.training.threads)
    state = TrainState(config, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    if weights is not None:
        state.start_from(weights)
    if resume is not None:
        state.restore(resume)
    save_dir = Path(config.checkpoints.save_dir)
    save_dir.mkdir(parents=True, exist_ok=True)
    (save_dir / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    _log_start(state)
    stream = iter(_training_loader(state, train_set))
    while state.epoch < config.training.num_epochs:
        train_one_epoch(state, stream, stop, save_dir / "last.pth")
        if stop.is_set:
            checkpoint.save(save_dir / "last.pth", state.to_checkpoint())
            log.info("stopped at step %d; continue with --resume", state.global_step)
            return False
        finish_epoch(state, validation_set, save_dir)
    return True


def train_one_epoch(state: TrainState, stream: Iterator[Batch], stop: StopFlag, last: Path) -> None:
    """Steps to the end of the epoch or until `stop` is set, saving `last` every few minutes."""
    training = state.config.training
    label = f"epoch {state.epoch + 1}/{training.num_epochs}"
    left = state.total_steps - state.global_step
    saved = time.monotonic()
    state.model.train()
    with EpochProgress(
        label, state.step_in_epoch, state.steps_per_epoch, left, training.batch_size
    ) as progress:
        while state.step_in_epoch < state.steps_per_epoch and not stop.is_set:
            rate = state.learning_rate
            losses = train_step(state, next(stream))
            state.step_made(losses)
            progress.step(state.means, rate)
            if time.monotonic() - saved >= 60 * state.config.checkpoints.save_minutes:
                checkpoint.save(last, state.to_checkpoint())
                saved = time.monotonic()


def train_step(state: TrainState, batch: Batch) -> dict[str, float]:
    """One step on (canvas u8 [B, 256, 512, 4], truth f32 [B, 13]); returns the losses."""
    canvas, truth = (tensor.to(state.device, non_blocking=True) for tensor in batch)
    with torch.autocast(state.device.type, torch.bfloat16, enabled=state.amp):
        raw = state.model.forward_raw(data.network_input(canvas))
    losses = compute_losses(raw, encode(truth), state.config.loss)
    values = {name: value.item() for name, value in losses.items()}
    if not values["loss"] < float("inf"):
        raise FloatingPointError(f"the loss is {values['loss']} at step {state.global_step}")
    state.optimizer.zero_grad(set_to_none=True)
    losses["loss"].backward()
    nn.utils.clip_grad_norm_(state.model.parameters(), state.config.training.gradient_clip)
    state.optimizer.step()
    return values


def finish_epoch(state: TrainState, validation_set: Dataset[data.Item], save_dir: Path) -> None:
    """Validates where it is due, logs the epoch's line, saves `last` and perhaps `best_model`."""
    config = state.config
    state.metrics |= {f"train_{name}": value for name, value in state.means.items()}
    state.epoch_made()
    is_best = False
    if state.epoch % config.validation.interval == 0 or state.epoch == config.training.num_epochs:
        state.metrics |= validate(state, validation_set)
        is_best = state.metrics["val_mae"] < state.metrics["best_mae"]
        if is_best:
            state.metrics["best_mae"] = state.metrics["val_mae"]
    shown = "  ".join(f"{name} {value:.4f}" for name, value in state.metrics.items())
    log.info(
        "epoch %d/%d done  %s%s",
        state.epoch,
        config.training.num_epochs,
        shown,
        "  (best)" if is_best else "",
    )
    checkpoint.save(save_dir / "last.pth", state.to_checkpoint())
    if is_best:
        checkpoint.save(save_dir / "best_model.pth", state.to_checkpoint())


@torch.no_grad()
def validate(state: TrainState, validation_set: Dataset[data.Item]) -> dict[str, float]:
    """Loss and errors of the averaged weights, in float32 as they are exported.

    Errors are in original-picture pixels over the points that exist; the gap of an ambiguous
    picture, which has no right answer, is left out.
    """
    model = state.evaluated_model.eval()
    config = state.config.data
    batches = data.loader(
        validation_set, 0, config.validation_pictures, VALIDATION_BATCH, config.workers
    )
    errors, counts, losses = [], [], []
    for canvas, truth in batches:
        truth = truth.to(state.device)
        raw = model.forward_raw(data.network_input(canvas.to(state.device)))
        losses.append(compute_losses(raw, encode(truth), state.config.loss)["loss"] * len(truth))
        keypoints, _ = decode(activate(raw))
        errors.append(point_errors_px(keypoints, truth))
        exists = points(truth)[1].clone()
        exists[:, 0] *= 1 - field(truth, "ambiguous")
        counts.append(exists > 0)
    loss = float(torch.stack(losses).sum()) / config.validation_pictures
    return {"val_loss": loss, **summarise(torch.cat(errors), torch.cat(counts))}


def point_errors_px(keypoints: Tensor, truth: Tensor) -> Tensor:
    """Distances f32 [B, 2] of decoded keypoints [B, 2, 4] (canvas) to the truth, picture pixels."""
    scale = torch.stack([field(truth, "scale_x"), field(truth, "scale_y")], dim=1)
    return torch.linalg.vector_norm((keypoints[..., :2] - points(truth)[0]) / scale[:, None], dim=2)


def summarise(errors_px: Tensor, counts: Tensor) -> dict[str, float]:
    """Means and accuracies of errors [N, 2] (gap, slider) where `counts`; nan without any point."""
    parts = {"": (errors_px, counts)}
    parts |= {
        name: (errors_px[:, column], counts[:, column])
        for column, name in enumerate(("_gap", "_slider"))
    }
    result = {}
    for name, (errors, used) in parts.items():
        chosen = errors[used]
        result[f"val_mae{name}"] = float(chosen.mean())
        for limit in (3, 5):
            result[f"val_acc_{limit}px{name}"] = float((chosen <= limit).float().mean())
    return result


def _training_loader(state: TrainState, train_set: Dataset[data.Item]) -> Iterator[Batch]:
    # One stream for the whole run: picture k of step s is picture s·batch + k, whatever happened.
    batch = state.config.training.batch_size
    first, end = state.global_step * batch, state.total_steps * batch
    return iter(data.loader(train_set, first, end, batch, state.config.data.workers))


def _log_start(state: TrainState) -> None:
    log.info(
        "%s from step %d of %d on %s%s, %d threads",
        "resuming" if state.global_step else "training",
        state.global_step,
        state.total_steps,
        state.device,
        " in bfloat16" if state.amp else "",
        torch.get_num_threads(),
    )
    if state.config.training.amp and not state.amp:
        log.warning("this machine does not compute bfloat16: training in float32")
