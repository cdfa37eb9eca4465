"""The report's figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.results import Results, Row
from train.figures import panels, save

_COLOURS = seaborn.color_palette("colorblind")


def draw(results: Results, folder: Path) -> list[str]:
    """Draw what there is data for; returns the files' names."""
    drawn = []
    for name, draw_one in _FIGURES.items():
        if figure := draw_one(results):
            save(figure, folder / f"bench-{name}.png")
            drawn.append(f"bench-{name}.png")
    return drawn


def _latencies(results: Results) -> Figure | None:
    """How whole predictions of each artefact spread, two threads."""
    rows = [
        row
        for row in results.of("predict", threads=2, width=None)
        if len(row.get("times_s", ())) > 1
    ]
    if not rows:
        return None
    figure, (axis,) = panels(1, 1, (7, 4))
    for place, row in enumerate(rows):
        options = row["options"]
        label = f"{options['precision']} {options['backend']}"
        label += "" if row["cap"] == "none" else f", {row['cap']}"
        times = np.sort(1e3 * np.array(row["times_s"]))
        shares = np.arange(1, len(times) + 1) / len(times)
        axis.step(times, shares, color=_colour(place), label=label, where="post")
    axis.set(xscale="log", xlabel="whole predict, ms", ylabel="share of predictions")
    axis.legend(fontsize=8)
    return figure


def _pareto(results: Results) -> Figure | None:
    """Accuracy against latency: every artefact on every engine, uncapped, two threads."""
    places = []
    for row in results.of("accuracy"):
        wanted = {"precision": row["precision"], "backend": row["backend"]}
        timed = results.first("predict", threads=2, cap="none", width=None, **wanted)
        if timed:
            places.append((timed, row))
    if not places:
        return None
    figure, (axis,) = panels(1, 1, (7, 4))
    for place, (timed, row) in enumerate(places):
        found = row["points"]["both"]["all"]["accuracy_5px"]
        axis.errorbar(
            timed["p50_ms"],
            100 * found["value"],
            yerr=[
                [100 * (found["value"] - found["low"])],
                [100 * (found["high"] - found["value"])],
            ],
            fmt="o",
            capsize=3,
            color=_colour(place),
            label=f"{row['precision']} {row['backend']}",
        )
    axis.set(xscale="log", xlabel="whole predict, p50 ms", ylabel="within 5 px, %")
    axis.legend(fontsize=8)
    return figure


def _scaling(results: Results) -> Figure | None:
    """Capacity against callers, and waiting against load."""
    capacity, loaded = results.first("capacity"), results.first("loaded")
    if not (capacity and loaded):
        return None
    figure, (left, right) = panels(1, 2, (9, 3.6))
    for place, threads in enumerate(sorted({row["threads"] for row in capacity["rows"]})):
        rows = [row for row in capacity["rows"] if row["threads"] == threads]
        _line(left, rows, "callers", "per_second", place, f"{threads} threads an inference")
    left.set(xlabel="callers at once", ylabel="answers a second", ylim=(0, None))
    left.legend(fontsize=8)
    for place, name in enumerate(("p50_ms", "p99_ms")):
        _line(right, loaded["rows"], "share", name, place, name.removesuffix("_ms"))
    right.set(xlabel="share of capacity", ylabel="arrival to answer, ms", ylim=(0, None))
    right.legend(fontsize=8)
    return figure


def _line(axis: Axes, rows: Sequence[Row], x: str, y: str, place: int, label: str) -> None:
    axis.plot([r[x] for r in rows], [r[y] for r in rows], "o-", color=_colour(place), label=label)


def _roofline(results: Results) -> Figure | None:
    """The slowest convolutions' speed against what they compute for each byte, and the peaks."""
    rows = list(results.of("limit"))
    if not rows:
        return None
    figure, (axis,) = panels(1, 1, (7, 4))
    for place, row in enumerate(rows):
        found, colour = row["int8"], _colour(place)
        layers: list[dict[str, Any]] = found["slowest"]
        axis.scatter(
            [layer["macs"] / layer["bytes"] for layer in layers],
            [layer["gmacs_per_s"] for layer in layers],
            color=colour,
            label=f"INT8 convolutions, cap {row['cap']}",
        )
        axis.axhline(found["peak_gmacs_per_s"], color=colour, linestyle="--", linewidth=1)
    axis.set(xscale="log", yscale="log", xlabel="MAC per byte touched", ylabel="GMAC/s")
    axis.legend(fontsize=8, title="dashed: measured peak")
    return figure


def _colour(place: int) -> Any:
    return _COLOURS[place % len(_COLOURS)]


_FIGURES: dict[str, Callable[[Results], Figure | None]] = {
    "latencies": _latencies,
    "pareto": _pareto,
    "scaling": _scaling,
    "roofline": _roofline,
}
