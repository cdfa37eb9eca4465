"""The figure of a few predictions: picture, true heatmap, predicted heatmap, points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from train.metrics import Example

# Colour-blind safe: the gap orange, the slider blue.
_COLOURS = np.array(seaborn.color_palette("colorblind"))[[1, 0]]
_NAMES = ("gap", "slider")
_TITLES = ("picture: ○ true, × predicted", "true heatmap", "predicted heatmap")


def predictions(examples: Sequence[Example]) -> Figure:
    """One row for each of at least one example."""
    figure = Figure(figsize=(15, 2.7 * len(examples)), layout="constrained")
    rows = figure.subplots(len(examples), 3, squeeze=False)
    for row, example in zip(rows, examples, strict=True):
        height, width = example.canvas.shape[:2]
        row[0].imshow(example.canvas[..., :3])
        _mark(row[0], example)
        for axes, heatmap in zip(
            row[1:], (example.true_heatmap, example.predicted_heatmap), strict=True
        ):
            # On the canvas's own coordinates, for the points to be marked alike.
            axes.imshow(_coloured(heatmap), extent=(-0.5, width - 0.5, height - 0.5, -0.5))
            best = ", ".join(f"{n} {m.max():.2f}" for n, m in zip(_NAMES, heatmap, strict=True))
            axes.set_xlabel(f"highest: {best}", fontsize=8)
        for axes in row:
            axes.set(xticks=[], yticks=[])
    for axes, title in zip(rows[0], _TITLES, strict=True):
        axes.set_title(title)
    return figure


def _coloured(heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """Both maps f32 [2, h, w] in one picture f32 [h, w, 3], each in its colour."""
    return np.clip(np.tensordot(heatmap, _COLOURS, (0, 0)), 0, 1).astype(np.float32)


def _mark(axes: Axes, example: Example) -> None:
    outlined = [withStroke(linewidth=4, foreground="white")]
    for point, name in enumerate(_NAMES):
        colour = tuple(_COLOURS[point])
        for xy, marker, there in (
            (example.true_canvas_xy[point], "o", example.exists[point]),
            (example.predicted_canvas_xy[point], "x", True),
        ):
            if there:
                axes.plot(
                    *xy,
                    marker=marker,
                    color=colour,
                    markerfacecolor="none",
                    markersize=10,
                    markeredgewidth=2,
                    linestyle="none",
                    label=name if marker == "x" else None,
                    path_effects=outlined,
                )
    height, width = example.canvas.shape[:2]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.legend(loc="upper right", fontsize=8, framealpha=0.6)
