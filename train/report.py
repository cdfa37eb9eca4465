"""The evaluation report: report.md for people, report.json for programs, figures beside them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from runtime.machine import this_machine
from train import figures, goals, history
from train.detection import DETECTION_PX
from train.measured import Measured, Report, Target, cause_counts, points_interval, targets, wilson
from train.metrics import THRESHOLDS_PX
from train.outcomes import FAILURE_PX, POINTS, Outcomes, misses_line

CURVES = "training-curves.png"


def write(report: Report, directory: Path) -> Path:
    """Write report.md, report.json and their figures; returns the path of report.md.

    Raises:
        OSError: the folder cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if len(report.epochs) > 1:
        figures.save(figures.training_curves(report.epochs), directory / CURVES)
    for one in report.sets:
        for kind, figure in _figures(one.main).items():
            figures.save(figure, directory / _file_name(one, kind))
    plain = json.dumps(report.to_dict(), indent=1, allow_nan=False)
    (directory / "report.json").write_text(plain + "\n", "utf-8")
    path = directory / "report.md"
    path.write_text(markdown(report), "utf-8")
    return path


def markdown(report: Report) -> str:
    """The whole report as text; it names the figures that `write` puts beside it."""
    sections = [f"# Evaluation of {report.subject}"]
    for one in report.sets:
        sections += _set_sections(one)
    sections += [_families(report)] * bool(report.family_sets)
    sections += [_training(report), _time(report)]
    return "\n\n".join(sections) + "\n"


def _figures(outcomes: Outcomes) -> dict[str, Figure]:
    drawn = {
        "errors": figures.error_distributions(outcomes),
        "classes": figures.class_ranges(outcomes),
        "precision-recall": figures.precision_recall(outcomes),
    }
    if outcomes.failures:
        drawn["failures"] = figures.failure_gallery(outcomes.failures)
    return drawn


def _file_name(measured: Measured, kind: str) -> str:
    plain = re.sub(r"[^\w.-]+", "-", measured.pictures.name)  # a link in Markdown takes no spaces
    return f"{plain}-{kind}.png"


def _set_sections(measured: Measured) -> list[str]:
    pictures, count = measured.pictures, len(measured.main.cases)
    name, summary = next(iter(measured.summaries.items()))
    title = f"## {pictures.name}: {count:,} pictures"
    about = f"{pictures.about}. Measured: {name}. Fingerprint `{measured.fingerprint[:16]}`."

    def image(kind: str, text: str) -> str:
        return f"![{text}]({_file_name(measured, kind)})"

    return [
        title,
        about[0].upper() + about[1:],
        _targets(targets(summary)),
        "### By point\n\n" + _points(measured),
        "### By difficulty\n\n" + _classes(summary, count),
        "### Is there a gap at all\n\n" + _detection(summary),
        image("errors", "Histograms of errors"),
        image("classes", "Difficulty class against error range"),
        image("precision-recall", "Precision and recall"),
        "### Failures\n\n" + _failures(measured),
        *[image("failures", "The worst failures")] * bool(measured.main.failures),
    ]


def _targets(rows: Sequence[Target]) -> str:
    marks = {True: "✅", False: "❌", None: "not measured"}
    lines = []
    for row in rows:
        value = _share(row.value) if row.unit == "%" else _number(row.value, unit=f" {row.unit}")
        lines.append([row.name, row.goal, value, _interval(row.interval), marks[row.reached]])
    return markdown_table(["figure", "target", "measured", "95 % interval", ""], lines)


def _points(measured: Measured) -> str:
    rows = []
    for name, summary in measured.summaries.items():
        for point in (*POINTS, "points"):
            figures_ = summary["all"][point]
            label = "both" if point == "points" else point
            rows.append([name, label, f"{figures_['count']:,}", *_errors(figures_)])
    head = ["network", "point", "pictures", "MAE px", "median", "p95"]
    return markdown_table(
        [*head, *(f"within {px} px" for px in THRESHOLDS_PX), "refused"], rows
    ) + ("\n\nA refused answer counts as a miss. Ambiguous pictures are left out.")


def _errors(row: dict[str, Any]) -> list[str]:
    numbers = [_number(row[key]) for key in ("mae_px", "median_px", "p95_px")]
    shares = [_share(row[f"accuracy_{px}px"]) for px in THRESHOLDS_PX]
    return [*numbers, *shares, _share(row["refused"])]


def _classes(summary: dict[str, Any], count: int) -> str:
    rows = []
    for name, group in summary["classes"].items():
        if not group["pictures"]:
            continue
        both, goal = group["points"], goals.CLASS_ACCURACY_5PX.get(name)
        within = both["accuracy_5px"]
        mark = "" if goal is None or math.isnan(within) else f" {'✅' if within > goal else '❌'}"
        interval = points_interval(group)
        rows.append(
            [name, f"{group['pictures']:,}", _share(group["pictures"] / count)]
            + [_number(both["mae_px"]), _share(both["accuracy_3px"]), _share(within)]
            + [_interval(interval), f"> {goal:.1%}{mark}" if goal else ""]
            + [_number(group[point]["mae_px"]) for point in POINTS]
            + [_share(group[point]["accuracy_5px"]) for point in POINTS]
        )
    head = ["class", "pictures", "share", "MAE px", "within 3 px", "within 5 px", "95 % interval"]
    head += ["target within 5 px", "gap MAE", "slider MAE", "gap within 5 px", "slider within 5 px"]
    return markdown_table(head, rows)


def _detection(summary: dict[str, Any]) -> str:
    found = summary["gap_detection"]
    head = ["TP", "FP", "FN", "TN", "precision", "recall", "F1", "told that there is no gap"]
    counts = [str(found[key]) for key in ("tp", "fp", "fn", "tn")]
    shares = [_share(found[key]) for key in ("precision", "recall", "f1")]
    return markdown_table(head, [[*counts, *shares, _share(summary["abstained_on_negatives"])]]) + (
        f"\n\nFound means within {DETECTION_PX} px and not refused; a gap found in another "
        "place is both a false positive and a false negative. The last column is the share of "
        "pictures without a gap whose answer was refused."
    )


def _failures(measured: Measured) -> str:
    outcomes = measured.main
    failed = [case for case in outcomes.cases if case.failed]
    count, among_all = len(outcomes.cases), cause_counts(outcomes.cases)
    share = _share(len(failed) / count if count else math.nan)
    text = (
        f"{misses_line(measured.main_summary['misses']).capitalize()}: doubted is right and not "
        f"trusted, near is within {FAILURE_PX:g} px, exchanged is where the other point is. "
        f"{len(failed):,} pictures ({share}) have a point more than {FAILURE_PX:g} px off"
    )
    if not failed:
        return text + "."
    rows = [
        [cause, f"{number:,}", _share(number / len(failed)), _share(among_all[cause] / count)]
        for cause, number in cause_counts(failed).items()
    ]
    head = ["measured cause", "failures", "share of failures", "share of all pictures"]
    return (
        f"{text}. What was measured on them (a picture may show several); a cause matters where "
        "it is more frequent among the failures than among all pictures. Several gaps and low "
        "contrast are known where labels tell them: in generated pictures.\n\n"
        + markdown_table(head, rows)
    )


def _families(report: Report) -> str:
    rows = []
    for one in report.family_sets:
        family, group = str(one.pictures.family), one.main_summary["all"]
        cells = [family, report.shown_in_training(family), str(len(one.main.cases))]
        for point in POINTS:
            row = group[point]
            interval = wilson(row["accuracy_5px"], row["count"]) if row["count"] else None
            cells += [_number(row["mae_px"]), _share(row["accuracy_5px"]), _interval(interval)]
        rows.append(cells)
    head = ["every picture shows", "in training", "pictures"]
    for point in POINTS:
        head += [f"{point} MAE px", f"{point} within 5 px", "95 % interval"]
    return "## Style families by themselves\n\n" + markdown_table(head, rows)


def _training(report: Report) -> str:
    training = history.summarise(report.epochs)
    if training is None:
        return "## Training\n\nNot known: no run folder was given (`--run DIR`)."
    rows = [
        ["training time", _duration(training.seconds)],
        ["best epoch", f"{_number(training.best_epoch, 0)} of {training.epochs}"],
        ["its validation MAE", _number(training.best_mae_px, unit=" px")],
        ["final validation MAE", _number(training.final_mae_px, unit=" px")],
        ["final loss, training", _number(training.train_loss, 4)],
        ["final loss, validation", _number(training.val_loss, 4)],
        ["validation loss above training loss", _share(training.overfitting)],
        ["overfitting", training.verdict],
    ]
    curves = f"\n\n![Training curves]({CURVES})" if len(report.epochs) > 1 else ""
    return "## Training\n\n" + markdown_table(["", ""], rows) + curves


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "–"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes else f"{seconds:.0f} s"


def _time(report: Report) -> str:
    rows = []
    for one in report.sets:
        for name, summary in one.summaries.items():
            took, facts = summary["predict_ms"], report.engines[name]
            engine = f"{facts['engine']} {facts['version']} on {facts['device']}"
            threads = str(facts.get("threads", "–"))
            times = [_number(took[key]) for key in ("median", "p95")]
            rows.append([name, one.pictures.name, engine, threads, *times, f"{took['count']:,}"])
    head = ["network", "pictures", "engine", "threads", "median ms", "p95 ms", "predictions"]
    return (
        "## Inference time\n\nWhole predictions, measured here while evaluating "
        f"({this_machine().processor}); `python -m bench.latency` does nothing else beside.\n\n"
        + markdown_table(head, rows)
    )


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float, digits: int = 2, unit: str = "") -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}{unit}"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1%}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.1%} – {interval[1]:.1%}"
