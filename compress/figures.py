"""The figures of a compression report."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure

from compress.agreement import REFERENCE, Agreement, Apart, shifts_px
from train.figures import panels, save
from train.outcomes import POINTS

__all__ = ["save", "shift_histograms", "worst"]

_LEAST_PX = 0.001


def shift_histograms(measured: Agreement, names: Sequence[str]) -> Figure:
    """How far the gap and the slider of each named artefact lie from FP32's."""
    figure, axes = panels(1, max(1, len(names)), (4.5 * max(1, len(names)), 3.6))
    for axis, name in zip(axes, names, strict=False):
        pairs = measured.outcomes[REFERENCE], measured.outcomes[name]
        for point in POINTS:
            shifts = shifts_px(*pairs, point)
            shifts = shifts[~np.isnan(shifts)].clip(_LEAST_PX)
            bins = np.geomspace(_LEAST_PX, 1000, 49).tolist()
            axis.hist(shifts, bins, histtype="step", linewidth=1.8, label=point)
        axis.set(title=name, xscale="log", xlabel="shift (px of the picture)", ylabel="pictures")
        axis.legend(fontsize=9)
    return figure


def worst(apart: Sequence[Apart]) -> Figure:
    """The pictures (at least one) with FP32's answer (circles) and the other one (crosses)."""
    columns = min(len(apart), 5)
    rows = math.ceil(len(apart) / columns)
    figure, axes = panels(rows, columns, (3.4 * columns, 0.4 + 2.3 * rows))
    for axis in axes:
        axis.axis("off")
    for axis, one in zip(axes, apart, strict=False):
        height, width = one.picture.shape[:2]
        axis.imshow(cv2.cvtColor(one.picture, cv2.COLOR_BGR2RGB))
        for point, colour in zip(POINTS, ("tab:orange", "tab:blue"), strict=True):
            before, after = getattr(one.reference, point), getattr(one.answer, point)
            axis.plot(before.x, before.y, "o", mfc="none", mec="white", mew=4, ms=13)
            axis.plot(before.x, before.y, "o", mfc="none", mec=colour, mew=2, ms=13)
            axis.plot(after.x, after.y, "x", color="white", mew=4, ms=10)
            axis.plot(after.x, after.y, "x", color=colour, mew=2, ms=9)
        axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        axis.set_title(f"#{one.number}: {one.shift_px:.1f} px apart", fontsize=9)
    return figure
