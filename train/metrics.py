"""Accuracy of located points, as SPEC defines it, and all metrics of a validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics import CatMetric
from torchmetrics.functional.classification import binary_confusion_matrix

from train.answers import COLUMNS, answers
from train.config import LossConfig
from train.decode import decode
from train.detection import Bools, Detection, Floats, count_detections, precision_recall_pairs
from train.model import activate
from train.targets import Targets, encode, points

THRESHOLDS_PX = (1, 3, 5, 10)
# The angle is measured at gaps found within this: elsewhere the network has nothing to say.
ANGLE_WITHIN_PX = 10
# Heatmap cells of at least this count as the point's area.
AREA_LEVEL = 0.5
MAX_EXAMPLES = 4
LOSSES = ("loss", *LossConfig.model_fields)
CELL_COUNTS = ("tp", "fp", "tn", "fn")


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


def point_metrics(errors_px: Floats, ok: Bools) -> PointMetrics:
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


def overlap_metrics(tp: float, fp: float, tn: float, fn: float) -> dict[str, float]:
    """Dice 2|A∩B| / (|A| + |B|), Jaccard |A∩B| / |A∪B| and accuracy of cells counted.

    Dice and Jaccard are nan where neither the prediction A nor the truth B holds any cell.
    """
    union, cells = tp + fp + fn, tp + fp + tn + fn
    return {
        "dice": 2 * tp / (2 * tp + fp + fn) if union else float("nan"),
        "jaccard": tp / union if union else float("nan"),
        "pixel_accuracy": (tp + tn) / cells if cells else float("nan"),
    }


@dataclass(frozen=True)
class Example:
    """One picture of a validation, to look at; points are ordered gap, slider.

    canvas: u8 [H, W, 4]. true_heatmap, predicted_heatmap: f32 [2, H/4, W/4], 0..1.
    true_canvas_xy, predicted_canvas_xy: f32 [2, 2], canvas pixels. exists: bool [2].
    """

    canvas: npt.NDArray[np.uint8]
    true_heatmap: npt.NDArray[np.float32]
    predicted_heatmap: npt.NDArray[np.float32]
    true_canvas_xy: npt.NDArray[np.float32]
    predicted_canvas_xy: npt.NDArray[np.float32]
    exists: Bools


@dataclass(frozen=True)
class ValidationReport:
    """What a validation found. A figure without anything to measure it on is nan.

    Attributes:
        metrics: val_loss and its components, means over pictures; val_mae and val_acc_1px ...
            val_acc_10px over all points, and of one of them with _gap or _slider; val_angle_deg
            over turned gaps found within 10 px; val_precision, val_recall, val_f1 of the gap;
            val_dice, val_jaccard, val_pixel_accuracy of heatmaps cut at one half. The gap of an
            ambiguous picture, which has no right answer, counts in none but the losses.
        detection: the gap's answers, counted.
        confusion: int [2, 2], pictures: row 0 without a gap, 1 with one; column 0 refused, 1
            located (wherever).
        pr_scores, pr_labels: f64 and bool [M], see `precision_recall_pairs`.
        examples: the first pictures that this process validated.
    """

    metrics: dict[str, float]
    detection: Detection
    confusion: npt.NDArray[np.int64]
    pr_scores: Floats
    pr_labels: Bools
    examples: tuple[Example, ...]


class ValidationMetrics:
    """Gathers a validation batch by batch; under torch.distributed, over all processes.

    device: where the network's outputs are.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        # Flat and begun with an update: a process may get no picture, and then agrees with the
        # others on the shape and has nothing to be warned of.
        self._rows = CatMetric(nan_strategy="disable").to(device)
        self._rows.update(torch.empty(0, device=device))
        self._examples: list[Example] = []

    @torch.no_grad()
    def update(
        self, raw: Tensor, truth: Tensor, canvas: Tensor, losses: Mapping[str, Tensor]
    ) -> None:
        """Adds a batch.

        raw: f32 [B, 8, H/4, W/4], see `KeypointNet.forward_raw`; truth: f32 [B, 13];
        canvas: u8 [B, H, W, 4]; losses: `LOSSES` of the batch, which count once a picture.
        """
        outputs = activate(raw)
        keypoints, angle = decode(outputs)
        targets = encode(truth, (raw.shape[2], raw.shape[3]))
        heatmap = torch.cat([outputs["heatmap_gap"], outputs["heatmap_slider"]], dim=1)
        columns = [losses[name].detach().expand(len(truth)) for name in LOSSES]
        columns += answers(keypoints, angle, truth, canvas)
        columns += _cell_counts(heatmap, targets).unbind(dim=1)
        self._rows.update(torch.stack(columns, dim=1).float().flatten())
        self._keep_examples(canvas, targets.heatmap, heatmap, truth, keypoints)

    def compute(self) -> ValidationReport:
        """The report of everything added so far."""
        rows = torch.as_tensor(self._rows.compute()).cpu().numpy().astype(np.float64)
        names = (*LOSSES, *COLUMNS, *CELL_COUNTS)
        kept = dict(zip(names, rows.reshape(-1, len(names)).T, strict=True))
        clear = kept["clear"] > 0
        errors_px, exists = kept["gap_error_px"][clear], kept["gap_exists"][clear] > 0
        answered = kept["gap_answered"][clear] > 0
        counted = count_detections(errors_px, exists, answered)
        scores, labels = precision_recall_pairs(errors_px, exists, kept["gap_score"][clear])
        figures = {
            **{name: float(kept[name].mean()) for name in LOSSES},
            **_point_figures(kept),
            "angle_deg": _angle_error_deg(kept),
            **{name: getattr(counted, name) for name in ("precision", "recall", "f1")},
            **overlap_metrics(*(float(kept[name].sum()) for name in CELL_COUNTS)),
        }
        return ValidationReport(
            metrics={f"val_{name}": value for name, value in figures.items()},
            detection=counted,
            confusion=binary_confusion_matrix(
                torch.from_numpy(answered).int(), torch.from_numpy(exists).int()
            ).numpy(),
            pr_scores=scores,
            pr_labels=labels,
            examples=tuple(self._examples),
        )

    def _keep_examples(self, *of_batch: Tensor) -> None:
        wanted = MAX_EXAMPLES - len(self._examples)
        # Copies: a view would keep the whole batch in memory.
        canvas, true_heatmap, heatmap, truth, keypoints = (
            tensor[:wanted].cpu().clone() for tensor in of_batch
        )
        true_canvas_xy, exists = points(truth)
        found_canvas_xy = keypoints[..., :2]
        arrays = (canvas, true_heatmap, heatmap, true_canvas_xy, found_canvas_xy, exists > 0)
        for of_picture in zip(*(array.numpy() for array in arrays), strict=True):
            self._examples.append(Example(*of_picture))


def _cell_counts(heatmap: Tensor, targets: Targets) -> Tensor:
    """`CELL_COUNTS` [B, 4] of both points' areas, without maps that nobody judges."""
    said, true = heatmap >= AREA_LEVEL, targets.heatmap >= AREA_LEVEL
    judged = targets.heatmap_weight > 0
    kinds = (said & true, said & ~true, ~said & ~true, ~said & true)
    return torch.stack([(kind & judged).flatten(1).sum(dim=1) for kind in kinds], dim=1)


def _point_figures(kept: Mapping[str, Floats]) -> dict[str, float]:
    """MAE and accuracies of both points and of each, over the points that have an answer."""
    used = {
        "gap": (kept["gap_exists"] > 0) & (kept["clear"] > 0),
        "slider": kept["slider_exists"] > 0,
    }
    errors_px = {name: kept[f"{name}_error_px"][chosen] for name, chosen in used.items()}
    ok = {name: kept[f"{name}_answered"][chosen] > 0 for name, chosen in used.items()}
    everything = np.concatenate(list(errors_px.values())), np.concatenate(list(ok.values()))
    groups = {"": everything} | {f"_{name}": (errors_px[name], ok[name]) for name in used}
    figures = {}
    for suffix, group in groups.items():
        measured = point_metrics(*group)
        figures[f"mae{suffix}"] = measured.mae_px
        figures |= {f"acc_{px}px{suffix}": share for px, share in measured.accuracy.items()}
    return figures


def _angle_error_deg(kept: Mapping[str, Floats]) -> float:
    found = kept["gap_error_px"] <= ANGLE_WITHIN_PX
    used = found & (kept["turned"] > 0) & (kept["clear"] > 0)
    errors = angle_errors_deg(kept["angle_deg"][used], kept["true_angle_deg"][used])
    return float(errors.mean()) if errors.size else float("nan")
