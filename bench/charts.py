"""The report's figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from bench.cap import UNCAPPED
from bench.results import Results, Row
from train.figures import panels, save

FRONTIER_FIGURE = "frontier.png"
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
    figure, (axis,) = panels(1, 1, (7, 4.5))
    for place, row in enumerate(rows):
        options = row["options"]
        label = f"{options['precision']} {options['backend']}"
        label += "" if row["cap"] == UNCAPPED else f", {row['cap']}"
        times = np.sort(1e3 * np.array(row["times_s"]))
        shares = np.arange(1, len(times) + 1) / len(times)
        axis.step(times, shares, color=_colour(place), label=label, where="post")
    axis.set(xscale="log", xlabel="whole predict, ms", ylabel="share of predictions")
    return _finished(figure)


def _pareto(results: Results) -> Figure | None:
    """Accuracy against latency: every artefact on every engine, uncapped, two threads; and
    template matching, which finds the gap alone."""
    places = [
        (f"{row['precision']} {row['backend']}", timed, row["points"]["both"])
        for row in results.of("accuracy")
        for timed in results.of(
            "predict",
            precision=row["precision"],
            backend=row["backend"],
            threads=2,
            cap=UNCAPPED,
            width=None,
        )
    ]
    if not places:
        return None
    if row := results.first("template matching"):
        places.append(("template matching, told the piece", row, {"all": row["gap"]}))
    figure, (axis,) = panels(1, 1, (7, 4.5))
    for place, (name, timed, points) in enumerate(places):
        found = points["all"]["accuracy_5px"]
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
            label=name,
        )
    axis.set(xscale="log", xlabel="p50, ms", ylabel="within 5 px, %")
    return _finished(figure)


def _scaling(results: Results) -> Figure | None:
    """Capacity against callers, and waiting against load."""
    capacity, loaded = results.first("capacity"), results.first("loaded")
    if not (capacity and loaded):
        return None
    figure, (left, right) = panels(1, 2, (9, 3.6))
    for place, threads in enumerate(sorted({row["threads"] for row in capacity["rows"]})):
        rows = [row for row in capacity["rows"] if row["threads"] == threads]
        _line(left, rows, "callers", "per_second", place, f"threads: {threads}")
    left.set(xlabel="callers at once", ylabel="answers a second", ylim=(0, None))
    left.legend(fontsize=8)
    for place, name in enumerate(("p50_ms", "p99_ms")):
        _line(right, loaded["rows"], "share", name, place, name.removesuffix("_ms"))
    right.set(xlabel="share of capacity", ylabel="arrival to answer, ms", ylim=(0, None))
    right.legend(fontsize=8)
    return figure


def draw_frontier(candidates: Mapping[str, Row], folder: Path) -> None:
    """What was learned on one budget against the capped INT8 time; those not trained are ticks."""
    timed = {name: row for name, row in candidates.items() if "int8_avx2-vnni_ms" in row}
    trained = {name: row for name, row in timed.items() if "val_mae" in row}
    figure, (axis,) = panels(1, 1, (7, 4.5))
    for place, (name, row) in enumerate(trained.items()):
        share = sum(row[f"val_acc_5px_{point}"] for point in ("gap", "slider")) / 2
        axis.plot(row["int8_avx2-vnni_ms"], 100 * share, "o", color=_colour(place), label=name)
    rest = [row["int8_avx2-vnni_ms"] for name, row in timed.items() if name not in trained]
    if rest:
        axis.plot(rest, [0] * len(rest), "|", color="grey", label="not trained", clip_on=False)
    heads = {"xlabel": "engine, INT8 capped to AVX2-VNNI, ms", "ylabel": "within 5 px, %"}
    axis.set(xscale="log", ylim=(0, None), **heads)
    save(_finished(figure), folder / FRONTIER_FIGURE)


def _line(axis: Axes, rows: Sequence[Row], x: str, y: str, place: int, label: str) -> None:
    axis.plot([r[x] for r in rows], [r[y] for r in rows], "o-", color=_colour(place), label=label)


def _roofline(results: Results) -> Figure | None:
    """The slowest convolutions' speed against what they compute for each byte, and the peaks."""
    rows = list(results.of("limit"))
    if not rows:
        return None
    figure, (axis,) = panels(1, 1, (7, 4.5))
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
    return _finished(figure, "dashed: measured peak")


def _finished(figure: Figure, title: str = "") -> Figure:
    """Plain numbers on logarithmic axes, and the legend below, where it hides nothing."""
    (axis,) = figure.axes
    for scale, ticks in ((axis.get_xscale(), axis.xaxis), (axis.get_yscale(), axis.yaxis)):
        if scale == "log":
            ticks.set_major_formatter(ScalarFormatter())
            ticks.set_minor_formatter(NullFormatter())
            ticks.set_major_locator(LogLocator(subs=(1, 2, 5)))
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, title=title)
    return figure


def _colour(place: int) -> Any:
    return _COLOURS[place % len(_COLOURS)]


_FIGURES: dict[str, Callable[[Results], Figure | None]] = {
    "latencies": _latencies,
    "pareto": _pareto,
    "scaling": _scaling,
    "roofline": _roofline,
}
