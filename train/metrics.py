"""Accuracy of located points, as SPEC defines it: pure functions on arrays."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

THRESHOLDS_PX = (1, 3, 5, 10)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PointMetrics:
    """Errors of one point over many pictures, in original-picture pixels.

    Attributes:
        count: pictures that have the point.
        mae_px, median_px, p95_px: over all of them; nan when there are none.
        accuracy: threshold in px -> share within it and not refused; nan when there are none.
        refused: share on which the locator said it was not sure.
    """

    count: int
    mae_px: float
    median_px: float
    p95_px: float
    accuracy: dict[int, float]
    refused: float

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON: thresholds become keys such as "accuracy_5px"."""
        plain = {k: v for k, v in asdict(self).items() if k != "accuracy"}
        return plain | {f"accuracy_{px}px": share for px, share in self.accuracy.items()}


def point_errors_px(predicted_picture_xy: Floats, true_picture_xy: Floats) -> Floats:
    """Euclidean distances: f64 [N, 2] and [N, 2] in picture pixels -> f64 [N]."""
    return np.asarray(np.linalg.norm(predicted_picture_xy - true_picture_xy, axis=1))


def point_metrics(errors_px: Floats, ok: npt.NDArray[np.bool_]) -> PointMetrics:
    """Summary of errors; a refused answer (not ok) counts as a miss at every threshold.

    Args:
        errors_px: f64 [N], the distance from the truth, refused or not.
        ok: bool [N], whether the locator stood by its answer.
    """
    if errors_px.size == 0:
        nan = float("nan")
        return PointMetrics(0, nan, nan, nan, dict.fromkeys(THRESHOLDS_PX, nan), nan)
    return PointMetrics(
        count=int(errors_px.size),
        mae_px=float(errors_px.mean()),
        median_px=float(np.median(errors_px)),
        p95_px=float(np.percentile(errors_px, 95)),
        accuracy={px: float(np.mean((errors_px <= px) & ok)) for px in THRESHOLDS_PX},
        refused=float(np.mean(~ok)),
    )


def angle_errors_deg(predicted_deg: Floats, true_deg: Floats) -> Floats:
    """Smallest absolute difference of two angles, f64 [N], degrees in 0..180."""
    difference = np.abs(predicted_deg - true_deg) % 360
    return np.asarray(np.minimum(difference, 360 - difference))
