"""The figures of an evaluation and of a training, drawn without a display.

Each function returns a `Figure`; `save` writes it as PNG.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import shorten
from typing import Any

import cv2
import numpy as np
import seaborn
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)
from torchmetrics.functional.classification import binary_precision_recall_curve

from train import goals
from train.causes import NONE_OF_THESE
from train.detection import DETECTION_PX, precision_recall_pairs
from train.history import Epoch
from train.outcomes import POINTS, Failure, Outcomes, PointColumns
from train.synth import DIFFICULTIES

RANGES_PX = (0, 1, 3, 5, 10, math.inf)

# Colour-blind safe; the gap and the slider keep theirs in every figure.
_COLOURS = seaborn.color_palette("colorblind")
_GAP, _SLIDER, _BOTH, _TARGET = _COLOURS[1], _COLOURS[0], "0.25", _COLOURS[2]
_POINT_COLOUR = {"gap": _GAP, "slider": _SLIDER}
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")  # 10, not 10¹


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, 90 dots per inch of `Figure`.

    Raises:
        OSError: the file cannot be written.
    """
    FigureCanvasAgg(figure).print_figure(path, dpi=90)


def training_curves(epochs: Sequence[Epoch]) -> Figure:
    """Loss, MAE, accuracies and learning rate over the epochs of a history."""
    figure, axes = panels(2, 2, (11, 7.5))
    loss, mae, accuracy, rate = axes
    _curve(loss, epochs, "train_loss", "training", _SLIDER)
    _curve(loss, epochs, "val_loss", "validation", _GAP)
    loss.set(title="Loss", ylabel="loss", yscale="log")
    _curve(mae, epochs, "train_mae", "training", _SLIDER)
    _curve(mae, epochs, "val_mae", "validation, all points", _BOTH)
    for point, colour in _POINT_COLOUR.items():
        _curve(mae, epochs, f"val_mae_{point}", f"validation, {point}", colour, width=1.2)
    _target(mae, goals.MAE_PX, f"target: {goals.MAE_PX:g} px")
    mae.set(title="Mean error", ylabel="MAE (px of the picture)", yscale="log")
    for px, colour in zip((3, 5, 10), _COLOURS[3:], strict=False):
        _curve(accuracy, epochs, f"val_acc_{px}px", f"within {px} px", colour)
    _target(accuracy, goals.ACCURACY[5], f"target within 5 px: {goals.ACCURACY[5]:.0%}")
    accuracy.set(title="Accuracy in validation", ylabel="share of points", ylim=(0, 1.02))
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    _curve(rate, epochs, "lr", "", _BOTH)
    rate.set(title="Learning rate", ylabel="learning rate", yscale="log")
    for axis in (loss, mae):
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(_PLAIN)
        axis.yaxis.set_minor_formatter(NullFormatter())
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(axis)
    return figure


def error_distributions(outcomes: Outcomes) -> Figure:
    """Histograms of the gap's and the slider's errors, ambiguous pictures left out."""
    figure, axes = panels(1, 2, (11, 4.2))
    clear = ~outcomes.of_class("ambiguous")
    for axis, (point, colour) in zip(axes, _POINT_COLOUR.items(), strict=True):
        column = outcomes.column(point)
        errors = column.errors_px[column.exists & clear]
        axis.set(title=f"{point}: no picture has one", xlabel="error (px of the picture)")
        if not errors.size:
            continue
        # Errors span four decades; what is nearer than the first bin is shown in it.
        bins = np.geomspace(0.05, max(1000.0, errors.max()), 44)
        axis.hist(
            errors.clip(bins[0]),
            bins.tolist(),
            weights=np.full(errors.size, 1 / errors.size),
            color=colour,
            edgecolor="white",
            linewidth=0.4,
        )
        target = f"target: {goals.MAE_PX:g} px"
        axis.axvline(goals.MAE_PX, color=_TARGET, linestyle="--", label=target)
        axis.axvline(errors.mean(), color=_BOTH, linestyle=":", label=f"MAE {errors.mean():.2f} px")
        title = f"{point}: median {np.median(errors):.2f} px, {errors.size} pictures"
        axis.set(title=title, xscale="log", ylabel="share of pictures")
        axis.xaxis.set_major_formatter(_PLAIN)
        axis.yaxis.set_major_locator(MaxNLocator(steps=(1, 2, 5, 10)))
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        _legend(axis)
    return figure


def class_ranges(outcomes: Outcomes) -> Figure:
    """Heat map of difficulty class against error range, for the gap and the slider.

    Colour and first line: share of the class's points; second line: how many. Refused answers are
    in a column of their own, whatever their error.
    """
    names = [name for name in DIFFICULTIES if outcomes.of_class(name).any()]
    figure, axes = panels(1, 2, (13, 1.6 + 0.62 * max(2, len(names))))
    for axis, point in zip(axes, POINTS, strict=True):
        counts = range_counts(outcomes, point, names)
        whole = counts.sum(axis=1, keepdims=True)
        # A class without the point (no gap: the negatives) is an empty row.
        shares = np.where(whole > 0, counts / np.maximum(whole, 1), np.nan)
        cells = zip(shares.flat, counts.flat, strict=True)
        texts = [f"{share:.0%}\n{count}" if count else "" for share, count in cells]
        seaborn.heatmap(
            shares,
            vmin=0,
            vmax=1,
            cmap="YlOrRd",
            annot=np.array(texts).reshape(counts.shape),
            fmt="",
            annot_kws={"fontsize": 8},
            linewidths=0.5,
            xticklabels=[*_range_names(), "refused"],
            yticklabels=names if point == POINTS[0] else False,
            cbar=point == POINTS[-1],
            cbar_kws={"format": PercentFormatter(1), "label": "share of the class"},
            ax=axis,
        )
        axis.set(title=point, xlabel="error (px of the picture)")
        axis.tick_params(axis="y", rotation=0)
        axis.grid(False)
    return figure


def range_counts(outcomes: Outcomes, point: str, names: Sequence[str]) -> np.ndarray:
    """int [len(names), 6]: a class's points by error range, then the refused ones."""
    column = outcomes.column(point)
    rows = []
    for name in names:
        chosen = column.exists & outcomes.of_class(name)
        errors = column.errors_px[chosen & column.trusted]
        # Each range holds its upper end, as an accuracy within n pixels does.
        inside = np.searchsorted(RANGES_PX[1:], errors, "left")
        refused = int((chosen & ~column.trusted).sum())
        rows.append([*np.bincount(inside, minlength=len(RANGES_PX) - 1), refused])
    return np.array(rows, int)


def precision_recall(outcomes: Outcomes) -> Figure:
    """Precision against recall of both points as the score's limit moves.

    An answer is right within `DETECTION_PX`; on a picture without the point every answer is wrong.
    """
    figure, (axis,) = panels(1, 1, (6.2, 5))
    clear = ~outcomes.of_class("ambiguous")
    for point, colour in _POINT_COLOUR.items():
        found = outcomes.column(point)
        if not found.exists[clear].any():
            continue
        recall, precision = pr_curve(found, clear)
        area = max(0.0, float(-np.trapezoid(precision, recall)))  # never -0.000
        axis.plot(recall, precision, color=colour, label=f"{point}: area {area:.3f}", linewidth=2)
    axis.set(
        title=f"Precision and recall within {DETECTION_PX} px",
        xlabel="recall",
        ylabel="precision",
        xlim=(0, 1.01),
        ylim=(0, 1.02),
    )
    _legend(axis, loc="lower left")
    return figure


def pr_curve(found: PointColumns, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall, falling, and precision of the chosen pictures at every score above 0."""
    scores, right = precision_recall_pairs(
        found.errors_px[chosen], found.exists[chosen], found.scores[chosen]
    )
    precision, recall, limits = binary_precision_recall_curve(
        torch.from_numpy(scores), torch.from_numpy(right.astype(np.int64))
    )
    # A score of 0 is nobody's answer; the curve's last entry (no answer at all) has no limit.
    answered = np.append(limits.numpy() > 0, True)
    return recall.numpy()[answered], precision.numpy()[answered]


def failure_gallery(failures: Sequence[Failure]) -> Figure:
    """The failures (at least one) with their truth, answer, error and measured causes."""
    columns = 3
    rows = math.ceil(len(failures) / columns)
    figure, axes = panels(rows, columns, (13, 0.5 + 3.0 * rows))
    for axis in axes:
        axis.axis("off")
    for axis, failure in zip(axes, failures, strict=False):
        _show(axis, failure)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=10)
    return figure


def _show(axis: Axes, failure: Failure) -> None:
    case, picture = failure.case, failure.picture
    axis.imshow(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    for point, colour in _POINT_COLOUR.items():
        true, found = getattr(case, point), getattr(case.answer, point)
        if true is not None:
            style: dict[str, Any] = {"mfc": "none", "mec": "white", "mew": 4, "ms": 15}
            axis.plot(*true, "o", **style)
            style |= {"mec": colour, "mew": 2}
            axis.plot(*true, "o", **style, label=f"{point}, truth")
        axis.plot(found.x, found.y, "x", color="white", ms=11, mew=4)
        axis.plot(found.x, found.y, "x", color=colour, ms=10, mew=2, label=f"{point}, found")
    height, width = picture.shape[:2]
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    error, point = case.worst
    causes = f"measured: {', '.join(case.conditions.causes) or NONE_OF_THESE}"
    refused = "" if case.answer.ok else ", refused"
    title = f"#{case.number} {case.difficulty}: {point} off by {error:.0f} px{refused}\n{causes}"
    axis.set_title("\n".join(shorten(line, 60) for line in title.splitlines()), fontsize=9)


def panels(rows: int, columns: int, inches: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """An empty figure of a size (width, height), and its axes row by row."""
    with seaborn.axes_style("whitegrid"):
        figure = Figure(inches, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def _curve(
    axis: Axes, epochs: Sequence[Epoch], name: str, label: str, colour: Any, width: float = 2
) -> None:
    points = [(e["epoch"], e[name]) for e in epochs if math.isfinite(e.get(name, math.nan))]
    if points:
        marker = "o" if len(points) < 15 else ""
        x, y = zip(*points, strict=True)
        axis.plot(x, y, color=colour, linewidth=width, marker=marker, markersize=4, label=label)


def _legend(axis: Axes, **options: Any) -> None:
    """A legend where there is anything to name; matplotlib warns otherwise."""
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=9, **options)


def _target(axis: Axes, value: float, label: str) -> None:
    axis.axhline(value, color=_TARGET, linestyle="--", linewidth=1.5, label=label)


def _range_names() -> list[str]:
    *pairs, (last, _) = pairwise(RANGES_PX)
    return [*(f"{low:g}–{high:g}" for low, high in pairs), f"> {last:g}"]
