"""The report of a bundle: report.md for people, report.json for programs, figures beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compress import figures
from compress.agreement import REFERENCE, Agreement, latencies
from compress.gate import Check
from compress.layers import IrModel, executed_layers, layer_table
from compress.package import finite
from runtime.bundle import Bundle
from runtime.machine import this_machine
from runtime.timing import Latency
from train.metrics import THRESHOLDS_PX
from train.report import markdown_table


def write(bundle: Bundle, measured: Agreement, checks: Sequence[Check], directory: Path) -> Path:
    """Write report.md, report.json and their figures; returns the path of report.md.

    Raises OSError for a folder that cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    took = latencies(bundle, measured.outcomes)
    others = [name for name in measured.outcomes if name != REFERENCE]
    figures.save(figures.shift_histograms(measured, others), directory / "shifts.png")
    shown = [name for name in others if measured.worst[name]]
    for name in shown:
        figures.save(figures.worst(measured.worst[name]), directory / f"worst-{name}.png")
    plain = json.dumps(_plain(bundle, measured, checks, took), indent=1, allow_nan=False)
    (directory / "report.json").write_text(plain + "\n", "utf-8")
    path = directory / "report.md"
    sections = _sections(bundle, measured, checks, shown, took)
    path.write_text("\n\n".join(sections) + "\n", "utf-8")
    return path


def one_line(name: str, of_artefact: Mapping[str, Any]) -> str:
    """An artefact's headline as text."""
    keys = ("mae_px", "mae_added_px", "shift_p50_px", "shift_p99_px", "shift_max_px")
    values = ", ".join(f"{key} {_number(of_artefact[key], 3)}" for key in keys)
    return f"{name:<10}{values}"


def readme_rows(measured: Agreement, took: Mapping[str, Latency]) -> str:
    """The README's table rows: accuracy by point, then latency, of every artefact."""
    rows = []
    for name, of_artefact in measured.figures.items():
        cells = [name]
        for point in of_artefact["points"].values():
            shares = [_share(point[f"accuracy_{px}px"]) for px in THRESHOLDS_PX[:3]]
            cells += [f"{_number(point['mae_px'], 1)} px", *shares]
        latency = took[name]
        rows.append([*cells, f"{latency.p50_ms:.2f} ms", f"{latency.p95_ms:.2f}"])
    head = [f"{measured.pictures.name}, {measured.pictures.count:,} pictures"]
    for point in ("gap", "piece"):
        head += [f"{point}: MAE", *(f"@{px}px" for px in THRESHOLDS_PX[:3])]
    return markdown_table([*head, "p50", "p95"], rows)


def _plain(
    bundle: Bundle, measured: Agreement, checks: Sequence[Check], took: Mapping[str, Latency]
) -> dict[str, Any]:
    document: dict[str, Any] = finite(
        {
            "testset": measured.pictures.name,
            "pictures": measured.pictures.count,
            "fingerprint": measured.fingerprint,
            "passed": all(check.passed for check in checks),
            "checks": [asdict(check) | {"passed": check.passed} for check in checks],
            "artefacts": measured.figures,
            "latency_ms": {name: asdict(latency) for name, latency in took.items()},
            "engines": measured.engines,
            "processor": this_machine().processor,
            "worst": {
                name: [{"number": one.number, "shift_px": one.shift_px} for one in apart]
                for name, apart in measured.worst.items()
            },
            "layers": _layers(bundle).splitlines(),
            "versions": bundle.manifest.versions,
        }
    )
    return document


def _sections(
    bundle: Bundle,
    measured: Agreement,
    checks: Sequence[Check],
    shown: Sequence[str],
    took: Mapping[str, Latency],
) -> list[str]:
    made = bundle.manifest.compression
    about = f"{measured.pictures.count:,} pictures of {measured.pictures.name}, fingerprint "
    about += f"`{measured.fingerprint[:16]}`. Distances are in pixels of the picture."
    verdict = "passed" if all(check.passed for check in checks) else "**refused**"
    return [
        f"# INT8 by {made.method}" if made else "# Artefacts",
        about,
        f"## The gate: {verdict}",
        _gate_table(checks),
        "## Size, accuracy, shift against FP32, latency",
        _artefact_table(measured, took),
        f"Latency: whole predictions of a 340 x 190 picture, {this_machine().processor}, "
        "about a second each: an impression; `python -m bench.latency` measures.",
        "## By point and difficulty",
        _class_table(measured),
        "## How far answers move",
        "![Histograms of shifts](shifts.png)",
        *(f"![The ten worst of {name}](worst-{name}.png)" for name in shown),
        "## What runs in INT8 (OpenVINO)",
        f"```\n{_layers(bundle)}\n```",
        "## Rows for the README",
        readme_rows(measured, took),
    ]


def _layers(bundle: Bundle) -> str:
    artefact = bundle.manifest.artefacts.get("int8")
    if artefact is None:
        return "no INT8 artefact"
    files = bundle.read(artefact)
    return layer_table(executed_layers(IrModel(files["model"], files["weights"]).read()))


def _gate_table(checks: Sequence[Check]) -> str:
    rows = [
        [c.artefact, c.figure, _number(c.value, 4), f"{c.limit:g}", "✅" if c.passed else "❌"]
        for c in checks
    ]
    return markdown_table(["artefact", "figure", "measured", "allowed", ""], rows)


def _artefact_table(measured: Agreement, took: Mapping[str, Latency]) -> str:
    rows = []
    for name, of_artefact in measured.figures.items():
        latency, engine = took[name], measured.engines[name]
        numbers = ("mae_px", "mae_added_px", "shift_p50_px", "shift_p99_px", "shift_right_p99_px")
        rows.append(
            [name, str(engine["engine"]), f"{of_artefact['largest_file_mb']:.2f}"]
            + [_number(of_artefact[key]) for key in (*numbers, "shift_max_px")]
            + [_share(of_artefact[f"accuracy_{px}px"]) for px in THRESHOLDS_PX]
            + [f"{latency.p50_ms:.2f}", f"{latency.p95_ms:.2f}"]
        )
    head = ["artefact", "engine", "MB", "MAE", "MAE added", "shift p50", "p99"]
    head += ["p99 where FP32 is right", "max", *(f"@{px}px" for px in THRESHOLDS_PX)]
    return markdown_table([*head, "p50 ms", "p95 ms"], rows)


def _class_table(measured: Agreement) -> str:
    rows = []
    for name, of_artefact in measured.figures.items():
        if name == REFERENCE:
            continue
        for label, part in (of_artefact["points"] | of_artefact["classes"]).items():
            numbers = ("mae_px", "mae_added_px", "shift_p50_px", "shift_p99_px", "shift_max_px")
            cells = [_number(part[key]) for key in numbers]
            rows.append([name, label, f"{part['pictures']:,}", *cells])
    head = ["artefact", "of", "pictures", "MAE", "MAE added", "shift p50", "p99", "max"]
    return markdown_table(head, rows)


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1%}"
