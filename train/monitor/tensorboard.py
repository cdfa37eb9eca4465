"""TensorBoard: every panel of a run, on one axis of steps.

`train/…` and `val/…` hold whatever is measured, under its own name; the other tags are those of the
configuration document. Charts of several lines come from the layout (tab "custom scalars").
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from train.canvas import canvas_shape
from train.config import Config
from train.data import network_input
from train.metrics import Example, ValidationReport
from train.model import KeypointNet
from train.monitor.plots import predictions
from train.monitor.progress import Progress

LAYOUT = {
    "Training": {
        "loss": ["Multiline", ["Loss/train", "Loss/val"]],
        "loss by epoch": ["Multiline", ["Loss_Comparison/train", "Loss_Comparison/validation"]],
        "learning rate": ["Multiline", ["Learning_Rate"]],
    },
    "Accuracy": {
        "MAE (px)": [
            "Multiline",
            ["MAE_Components/total", "MAE_Components/gap", "MAE_Components/slider"],
        ],
        "accuracy": ["Multiline", ["Metrics/Accuracy_3px", "Metrics/Accuracy_5px"]],
    },
    "Network": {
        "gradient norm": ["Multiline", ["Gradients/norm"]],
        "weight update ratio": ["Multiline", ["Weights/update_ratio"]],
    },
}
# Tag -> metric of a validation. Lines of one chart are scalars of one file, as the layout wants
# them: `add_scalars` would open another file for each and know no purge_step.
VALIDATION_TAGS = {
    "Loss/val": "val_loss",
    "Loss_Comparison/validation": "val_loss",
    "Metrics/MAE": "val_mae",
    "Metrics/Accuracy_5px": "val_acc_5px",
    "Metrics/Accuracy_3px": "val_acc_3px",
    "MAE_Components/gap": "val_mae_gap",
    "MAE_Components/slider": "val_mae_slider",
    "MAE_Components/total": "val_mae",
}


class Board:
    """Writes event files into `folder`.

    model: the bare network; its graph is drawn, and its weights, gradients and activations become
        histograms. Nothing of it is changed.
    epoch, step: finished before; whatever was written after that step no longer shows.
    """

    def __init__(
        self, folder: Path, config: Config, model: KeypointNet, epoch: int, step: int
    ) -> None:
        self._config, self._model = config, model
        self._validated_epoch = epoch
        self._examples: tuple[Example, ...] = ()
        self._writer = SummaryWriter(str(folder), purge_step=step + 1)
        self._writer.add_custom_scalars(LAYOUT)
        self._draw_graph()

    def report(self, progress: Progress) -> None:
        """Means of the steps since the last report, and the rates of the last of them."""
        values = {f"train/{name}": value for name, value in progress.losses.items()}
        values |= {f"lr/{group}": rate for group, rate in progress.rates.items()}
        values |= {"train/data_s": progress.data_s, "train/batch_s": progress.batch_s}
        values["Loss/train"] = progress.losses["loss"]
        values["Learning_Rate"] = next(iter(progress.rates.values()))
        if progress.gradient_norm is not None:
            values["Gradients/norm"] = progress.gradient_norm
        if progress.update_ratio is not None:
            values["Weights/update_ratio"] = progress.update_ratio
        self._add_scalars(values, progress.step)

    def validated(self, epoch: int, step: int, report: ValidationReport) -> None:
        """All figures of a validation, the curve, and the pictures where they are due."""
        metrics = report.metrics
        values = {f"val/{name.removeprefix('val_')}": value for name, value in metrics.items()}
        values |= {tag: metrics[name] for tag, name in VALIDATION_TAGS.items()}
        self._add_scalars(values, step)
        self._writer.add_pr_curve("PR_Curve", report.pr_labels, report.pr_scores, step)
        self._examples = report.examples
        # Validations may be rarer than pictures: those due since the last one are due now.
        if self._is_due(self._config.monitor.image_interval, epoch, self._validated_epoch):
            self._writer.add_figure("Predictions", predictions(report.examples), step)
        self._validated_epoch = epoch

    def epoch_done(self, epoch: int, step: int, train_loss: float) -> None:
        """The epoch's mean loss, histograms where they are due; all of it on the disk at last."""
        self._add_scalars({"Loss_Comparison/train": train_loss}, step)
        if self._is_due(self._config.monitor.histogram_interval, epoch, epoch - 1):
            self._add_histograms(step)
        self._writer.flush()

    def close(self) -> None:
        """Writes what is left and closes the file."""
        self._writer.close()

    def _is_due(self, interval: int, epoch: int, since_epoch: int) -> bool:
        """Whether one of every `interval` epochs fell after `since_epoch`, or the run ends."""
        ends = epoch == self._config.training.num_epochs
        return interval > 0 and (ends or epoch // interval > since_epoch // interval)

    def _add_scalars(self, values: dict[str, float], step: int) -> None:
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def _draw_graph(self) -> None:
        device = next(self._model.parameters()).device
        height, width, channels = canvas_shape(self._config.data.canvas_scale)
        with warnings.catch_warnings():
            # The writer traces the network, which torch would rather compile; nobody runs the
            # trace, so that it holds for one size of canvas alone does no harm.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            blank = torch.zeros(1, channels, height, width, device=device)
            self._writer.add_graph(self._model, blank, use_strict_trace=False)

    def _add_histograms(self, step: int) -> None:
        for name, parameter in self._model.named_parameters():
            self._add_histogram(f"Weights/{name}", parameter.detach(), step)
            if parameter.grad is not None:
                self._add_histogram(f"Gradients/{name}", parameter.grad, step)
        if self._examples:
            for name, output in activations(self._model, self._examples).items():
                self._add_histogram(f"Activations/{name}", output, step)

    def _add_histogram(self, tag: str, values: Tensor, step: int) -> None:
        # The gradients of a float16 step that overflowed are not finite and have no bins.
        finite = values[values.isfinite()]
        if finite.numel():
            self._writer.add_histogram(tag, finite, step)


def activations(model: KeypointNet, examples: Sequence[Example]) -> dict[str, Tensor]:
    """The outputs of every convolution and linear layer, by its name, on a few pictures.

    The network runs in eval mode: neither its statistics nor any random generator move on.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            outputs[name] = output

        return hook

    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [module.register_forward_hook(keep(name)) for name, module in layers]
    was_training = model.training
    device = next(model.parameters()).device
    canvas = torch.from_numpy(np.stack([example.canvas for example in examples])).to(device)
    try:
        with torch.no_grad():
            model.eval().forward_training(network_input(canvas))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return outputs
