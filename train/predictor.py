"""A checkpoint that answers as a Locator does, so that both are measured by the same code."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from runtime.geometry import RawResult, new_canvas
from runtime.locator import locate
from runtime.manifest import Thresholds
from runtime.picture import PictureSource, load
from runtime.result import Location
from runtime.view import View
from train import checkpoint
from train.answers import MIN_SCORE
from train.canvas import shrink
from train.data import network_input
from train.decode import decode
from train.model import activate, fold
from train.targets import TRUTH_FIELDS


class Predictor(Protocol):
    """What is measured: a `runtime.Locator` or a `CheckpointLocator`."""

    def predict(self, picture: PictureSource) -> Location:
        """Both points of a picture, in its pixels."""

    def describe(self) -> dict[str, str | int]:
        """Facts about what runs."""


class CheckpointLocator:
    """The averaged weights of a checkpoint, folded as for export, in FP32 on torch.

    A network trained on a smaller canvas is given that canvas.

    Raises:
        CheckpointError: the file is missing, truncated, foreign, or of another network.
    """

    def __init__(self, path: Path) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        net, self.config = checkpoint.load_model(path)
        self._net = fold(net).to(self._device)

    @torch.no_grad()
    def predict(self, picture: PictureSource) -> Location:
        """As `Locator.predict`; raises InputError for a picture that cannot be read."""
        pixels = load(picture)
        view, canvas = View.of(pixels, None), new_canvas()
        view.render(pixels, canvas)
        scale, no_truth = self.config.data.canvas_scale, np.zeros(len(TRUTH_FIELDS), np.float32)
        canvas, _ = shrink(canvas, no_truth, scale)
        batch = network_input(torch.from_numpy(canvas)[None].to(self._device))
        keypoints, angle = decode(activate(self._net.forward_raw(batch)))
        keypoints[..., :2] = (keypoints[..., :2] + 0.5) * scale - 0.5
        raw = RawResult(keypoints[0].cpu().numpy(), angle[0].cpu().numpy())
        return locate(raw, view, Thresholds(MIN_SCORE))

    def describe(self) -> dict[str, str | int]:
        """Precision, engine, version, device, threads."""
        return {
            "precision": "fp32",
            "engine": "torch",
            "version": torch.__version__,
            "device": self._device.type,
            "threads": torch.get_num_threads(),
        }
