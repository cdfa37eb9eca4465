"""The pixel metric that accuracy-aware quantisation is steered by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from runtime.geometry import FloatArray, Letterbox
from train.synth import Backgrounds, Sample, render

DEFAULT_PICTURES = 300
# A stream of its own: neither training, calibration, thresholds nor any test set draws from it.
SEED = 30_005


@dataclass(frozen=True, eq=False)
class Labelled:
    """A canvas, uint8 [256, 512, 4], with its letterbox and the points that the picture has.

    true_picture_xy: row of the network's keypoints -> float64 [2], picture pixels.
    """

    canvas: NDArray[np.uint8]
    letterbox: Letterbox
    true_picture_xy: dict[int, FloatArray]

    @classmethod
    def of(cls, sample: Sample) -> Labelled:
        """A generated picture; the gap of an ambiguous one has no right answer."""
        height, width = sample.picture.shape[:2]
        letterbox = Letterbox(width, height)
        gap = None if sample.difficulty == "ambiguous" else sample.gap_picture_xy
        points = enumerate((gap, sample.slider_picture_xy))
        true = {row: np.array(point) for row, point in points if point is not None}
        return cls(letterbox.render(sample.picture), letterbox, true)

    def errors_px(self, keypoints: NDArray[np.float32]) -> list[float]:
        """Distances of keypoints f32 [2, 4] (canvas x, y, ...) from the truth, picture pixels."""
        found = self.letterbox.to_picture(keypoints[:, :2])
        return [float(np.hypot(*(found[row] - true))) for row, true in self.true_picture_xy.items()]

    def shift_px(self, ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
        """How far apart two answers, as above, place the point that they differ most about.

        Picture pixels, of the points that the picture has: where others are looked for, nothing
        decides. nan for a picture without any.
        """
        rows = list(self.true_picture_xy)
        a, b = (self.letterbox.to_picture(each[rows, :2]) for each in (ours, theirs))
        return float(np.hypot(*(a - b).T).max()) if rows else float("nan")


@dataclass(frozen=True, eq=False)
class AccuracyControl:
    """How much the mean error on these pictures may grow, in picture pixels."""

    pictures: Sequence[Labelled]
    max_drop_px: float

    @staticmethod
    def metric(model: ov.CompiledModel, pictures: Iterable[Labelled]) -> tuple[float, None]:
        """Minus the mean error in picture pixels, as NNCF wants more to be better."""
        request = model.create_infer_request()
        errors: list[float] = []
        for one in pictures:
            request.infer({"canvas": one.canvas[None]})
            errors += one.errors_px(request.get_tensor("keypoints").data[0])
        return (-float(np.mean(errors)) if errors else 0.0), None


def generated(count: int, backgrounds: Backgrounds | None) -> list[Labelled]:
    """The first `count` pictures of a stream for this purpose."""
    return [Labelled.of(render(SEED, index, backgrounds=backgrounds)) for index in range(count)]
