"""A run as the monitor sees it, without any training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from tests.train.small import small_config
from train.config import Config
from train.detection import Detection
from train.metrics import LOSSES, THRESHOLDS_PX, Example, ValidationReport
from train.model import build_model

STEPS = 5  # of an epoch


def config(save_dir: Path, **monitor: Any) -> Config:
    """Three epochs on the small canvas; `monitor` overrides that section."""
    made = small_config(save_dir, data={"canvas_scale": 2})
    update = {"report_interval": 3, "image_interval": 1, "histogram_interval": 2, **monitor}
    return made.model_copy(update={"monitor": made.monitor.model_copy(update=update)})


def state(config: Config, epoch: int = 0) -> Any:
    """A state after some epochs: a network with gradients, an optimiser of two groups."""
    torch.manual_seed(1)
    model = build_model(config.model).train()
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    weights = list(model.parameters())
    groups = [{"params": weights[:1]}, {"params": weights[1:]}]
    return SimpleNamespace(
        epoch=epoch,
        global_step=epoch * STEPS,
        steps_per_epoch=STEPS,
        model=model,
        optimizer=torch.optim.SGD(groups, lr=1.0),
    )


def make_step(monitor: Any, state: Any, factor: float = 1, gradient_norm: float = 0.5) -> bool:
    """One step whose loss is its number times `factor`; whether the update ratio was asked for."""
    number = state.global_step + 1
    rates = (number * 1e-4, number * 1e-5)
    for group, rate in zip(state.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    asked = monitor.wants_update_ratio
    losses = {name: factor * number * (k + 1) for k, name in enumerate(LOSSES)}
    ratio = number * 1e-3 if asked else None
    monitor.step(losses, gradient_norm, ratio, data_s=0.25, batch_s=2.0)
    state.global_step += 1
    return asked


def report(mae: float = 2.0, canvas_scale: int = 2) -> ValidationReport:
    """A validation of two pictures, one without a gap; every figure is told from the others."""
    names = [*LOSSES, "angle_deg", "precision", "recall", "f1", "dice", "jaccard"]
    names += ["pixel_accuracy"]
    for suffix in ("", "_gap", "_slider"):
        names += [f"mae{suffix}", *(f"acc_{px}px{suffix}" for px in THRESHOLDS_PX)]
    metrics = {f"val_{name}": k / 100 for k, name in enumerate(names, start=1)}
    metrics["val_mae"] = mae
    rng = np.random.default_rng(0)
    height, width = 256 // canvas_scale, 512 // canvas_scale
    examples = tuple(
        Example(
            canvas=rng.integers(0, 256, (height, width, 4), np.uint8),
            true_heatmap=rng.random((2, height // 4, width // 4), np.float32),
            predicted_heatmap=rng.random((2, height // 4, width // 4), np.float32),
            true_canvas_xy=np.array([[width / 2, 40], [30, 40]], np.float32),
            predicted_canvas_xy=np.array([[width / 2 + 9, 50], [33, 41]], np.float32),
            exists=np.array([k == 0, True]),
        )
        for k in range(2)
    )
    return ValidationReport(
        metrics=metrics,
        detection=Detection(tp=1, fp=0, fn=0, tn=1),
        confusion=np.array([[1, 0], [0, 1]]),
        pr_scores=np.array([0.9, 0.4, 0.6, 0.0]),
        pr_labels=np.array([True, True, False, True]),
        examples=examples,
    )
