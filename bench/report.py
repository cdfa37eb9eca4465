"""Reports on a run of the benchmarks: `python -m bench.report results.json`.

    pytest bench --benchmark-only --benchmark-json results.json
    python -m bench.report results.json                 docs/benchmarks.md, .json and its figures
    python -m bench.report results.json --check         exit code 1 where a target is missed
    python -m bench.report results.json --compare OLD.json
                                                        medians as ratios, and which got slower
                                                        by more than noise (bench.versus sees less)

A target of a machine that this is not is `unknown`: neither met nor missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import charts
from bench.cap import AVX2_VNNI, UNCAPPED
from bench.charts import FRONTIER_FIGURE
from bench.results import Judged, Results, ResultsError, Row
from train.readme import ReadmeError, with_part
from train.report import markdown_table

DOCS = Path(__file__).parents[1] / "docs"
FRONTIER = "frontier.json"  # by bench.frontier, beside the report of the same machine
# A median of one run differs by this much from that of another on the same idle machine; what each
# of them wandered by itself comes on top.
NOISE = 0.10
README_PART = "bench"


def write(results: Results, folder: Path) -> Path:
    """benchmarks.md, benchmarks.json and figures/bench-*.png in a folder; returns the first."""
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    drawn = charts.draw(results, figures)
    (folder / "benchmarks.json").write_text(
        json.dumps(results.to_dict(), indent=1, allow_nan=False) + "\n", "utf-8"
    )
    path = folder / "benchmarks.md"
    path.write_text(markdown(results, folder / FRONTIER, drawn), "utf-8")
    return path


def markdown(results: Results, frontier: Path, figures: Iterable[str] = ()) -> str:
    """The report; `frontier`: what `bench.frontier` wrote, if it was run on that machine.

    figures: names of files in figures/.
    """
    sections = [
        "# Benchmarks\n\nWritten by `python -m bench.report`; do not edit. Another machine, or a "
        "busy one, gives other figures; ratios carry further than milliseconds.",
        _machine(results),
        "## Targets\n\n"
        + markdown_table(
            ("target", "on", "precision", "must be", "aim", "found", ""),
            [_target_row(one) for one in results.judged()],
        ),
        "## Whole predictions, 340×190\n\n" + _latencies(results),
        "## Parts\n\n" + _parts(results),
        "## Picture sizes\n\nINT8, OpenVINO, two threads.\n\n" + _sizes(results),
        "## The same work by others\n\nFrom a canvas to two points, two threads, in turn within "
        "one run; no cap, which ONNX Runtime and torch do not obey. The paper network has random "
        "weights here.\n\n" + _peers(results),
        *_frontier(frontier),
        "## Accuracy\n\n" + _accuracy(results),
        "## Under load\n\n" + _load(results),
        "## The limit\n\n" + _limit(results),
        *(f"![{name}](figures/{name})" for name in figures),
    ]
    return "\n\n".join(sections) + "\n"


def _machine(results: Results) -> str:
    machine = results.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores used, {machine['memory_gib']} GiB, "
        f"instructions {', '.join(machine['instructions'])}; {machine['system']}; {packages}; "
        f"bundle {machine['bundle_sha256'][:12]}; {results.taken[:10]}."
    )


def _target_row(one: Judged) -> tuple[str, ...]:
    target = one.target
    sign = "≤" if target.at_most is not None else "≥"
    name = f"{target.metric} {target.difficulty or ''}".strip()
    found = "" if one.value is None else f"{one.value:.3g}"
    aim = "" if target.aim is None else f"{sign} {target.aim:g}"
    return (name, target.on, one.precision, f"{sign} {target.limit:g}", aim, found, one.verdict)


def _latencies(results: Results) -> str:
    rows = [row for row in results.of("predict") if "width" not in row["options"]]
    return markdown_table(
        ("precision", "engine", "threads", "cap", "p50 ms", "p95 ms", "p99 ms"),
        [
            (
                row["options"]["precision"],
                row["options"]["backend"],
                str(row["options"]["threads"]),
                row["cap"],
                *_percentiles(row),
            )
            for row in rows
        ],
    )


def _percentiles(row: Row) -> tuple[str, ...]:
    return tuple(f"{row[name]:.2f}" for name in ("p50_ms", "p95_ms", "p99_ms"))


def _parts(results: Results) -> str:
    names = {"letterbox": "letterbox", "infer": "engine, decode in its graph", "answer": "answer"}
    rows = [
        (name, row["cap"], *_percentiles(row))
        for subject, name in names.items()
        for row in results.of(subject)
    ]
    text = markdown_table(("part", "cap", "p50 ms", "p95 ms", "p99 ms"), rows)
    if overhead := results.first("overhead"):
        text += f"\n\n`predict` beyond the engine's call: {overhead['beyond_engine_ms']:.2f} ms."
    kernels = {row["cap"]: row["facts"].get("kernels") for row in results.of("infer")}
    lines = [
        f"Kernels, cap {cap}: " + ", ".join(f"{count} {name}" for name, count in found.items())
        for cap, found in kernels.items()
        if found
    ]
    return "\n\n".join([text, *lines])


def _sizes(results: Results) -> str:
    rows = [row for row in results.of("predict") if "width" in row["options"]]
    return markdown_table(
        ("picture", "p50 ms", "p95 ms", "p99 ms"),
        [
            (f"{row['options']['width']}×{row['options']['height']}", *_percentiles(row))
            for row in rows
        ],
    )


def _peers(results: Results) -> str:
    return markdown_table(
        ("", "p50 ms", "p95 ms", "p99 ms", "times ours"),
        [
            (row["peer"], "", "", "", f"cannot run: {row['cannot_run']}")
            if "cannot_run" in row
            else (row["peer"], *_percentiles(row), f"{row['times_ours']:.2f}")
            for row in results.of("peer")
        ],
    )


def _frontier(path: Path) -> list[str]:
    """What `bench.frontier` found; nothing where there is no such file."""
    if not path.exists():
        return []
    candidates = json.loads(path.read_text("utf-8"))["candidates"]
    rows = [
        (name, *(show.format(row[key]) if key in row else "" for key, show in _FRONTIER.values()))
        for name, row in candidates.items()
    ]
    return [
        "## Which network\n\nBy `python -m bench.frontier`. Times are of the engine alone with "
        "random weights, two threads. Accuracy is what so many pictures teach from random weights, "
        "the same ones in the same order on canvases of half the size: it compares candidates and "
        "says nothing about the shipped weights.\n\n"
        + markdown_table(("candidate", *_FRONTIER), rows),
        f"![candidates](figures/{FRONTIER_FIGURE})",
    ]


# Head of a column -> a candidate's figure and how it is shown; empty where it was not measured.
_FRONTIER = {
    "parameters": ("parameters", "{:,}"),
    "MAC": ("macs", "{:,}"),
    "INT8 capped ms": ("int8_avx2-vnni_ms", "{:.2f}"),
    "times shipped": ("times_reference_avx2-vnni", "{:.2f}"),
    "INT8 ms": ("int8_none_ms", "{:.2f}"),
    "FP32 ms": ("fp32_none_ms", "{:.2f}"),
    "pictures": ("pictures", "{:,}"),
    "gap @5px": ("val_acc_5px_gap", "{:.1%}"),
    "piece @5px": ("val_acc_5px_slider", "{:.1%}"),
    "both @10px": ("val_acc_10px", "{:.1%}"),
}


def _accuracy(results: Results) -> str:
    rows = [
        (row["precision"], row["backend"], point, *_errors(row["points"][point]["all"]))
        for row in results.of("accuracy")
        for point in ("gap", "slider")
    ]
    if row := results.first("template matching"):
        rows.append(("told where the piece is", "template matching", "gap", *_errors(row["gap"])))
    first = results.first("accuracy")
    about = f"{first['pictures']} pictures of `{first['testset']}`, " if first else ""
    return f"{about}95 % bootstrap intervals; refused answers are misses.\n\n" + markdown_table(
        ("precision", "engine", "point", "MAE px", "@1px", "@3px", "@5px"), rows
    )


def _errors(group: Row) -> tuple[str, ...]:
    mae, shares = group["mae_px"], (group[f"accuracy_{px}px"] for px in (1, 3, 5))
    return (f"{mae['value']:.2f} ({mae['low']:.2f}–{mae['high']:.2f})", *map(_share, shares))


def _share(found: dict[str, float]) -> str:
    return f"{found['value']:.1%} ({found['low']:.1%}–{found['high']:.1%})"


def _load(results: Results) -> str:
    parts = []
    if row := results.first("capacity"):
        parts.append(
            markdown_table(
                ("threads", "callers", "answers/s", "p50 ms", "p99 ms"),
                [_load_row(each, "threads", "callers") for each in row["rows"]],
            )
        )
    if row := results.first("loaded"):
        parts.append(
            markdown_table(
                ("share of capacity", "requests/s", "p50 ms", "p99 ms"),
                [_load_row(each, "share") for each in row["rows"]],
            )
        )
    parts += [
        f"{'Cold' if row['cold'] else 'Warm'} start to the first answer: {row['p50_ms']:.0f} ms; "
        f"a bare script of numpy, cv2 and openvino: {row['bare_script_ms']:.0f} ms."
        for row in results.of("first answer")
    ]
    if memory := results.first("memory"):
        parts.append(f"Most memory the process held: {memory['peak_memory_mib']:.0f} MiB.")
    return "\n\n".join(parts)


def _load_row(row: Row, *first: str) -> tuple[str, ...]:
    leading = (f"{row[name]:g}" for name in first)
    return (*leading, f"{row['per_second']:.0f}", f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}")


def _limit(results: Results) -> str:
    rows, parts = [], []
    for row in results.of("limit"):
        for precision in ("int8", "fp32"):
            found = row[precision]
            rows.append(
                (
                    precision,
                    row["cap"],
                    f"{found['macs'] / 1e9:.2f}",
                    f"{found['bytes'] / 2**20:.1f}",
                    f"{found['convolutions_ms']:.2f}",
                    f"{found['gmacs_per_s']:.0f}",
                    f"{found['peak_gmacs_per_s']:.0f}",
                    f"{found['fraction_of_peak']:.0%}",
                )
            )
        slowest = row["int8"]["slowest"]
        parts.append(
            f"The ten slowest convolutions in INT8, cap {row['cap']}:\n\n"
            + markdown_table(
                ("layer", "ms", "MMAC", "GMAC/s"),
                [
                    (
                        f"`{layer['name']}`",
                        f"{layer['ms']:.3f}",
                        f"{layer['macs'] / 1e6:.1f}",
                        f"{layer['gmacs_per_s']:.0f}",
                    )
                    for layer in slowest
                ],
            )
        )
    heads = ("precision", "cap", "GMAC", "MiB touched", "ms", "GMAC/s", "peak GMAC/s", "of peak")
    return "\n\n".join([markdown_table(heads, rows), *parts])


def readme_table(results: Results) -> str:
    """What the README shows of it: whole predictions on two threads, and the peers' ratios."""
    processor = results.machine["processor"]
    rows = []
    for cap, name in ((UNCAPPED, processor), (AVX2_VNNI, "the same, capped to AVX2-VNNI")):
        found = [results.predict(precision, cap) for precision in ("int8", "fp32")]
        if all(found):
            figures = [f"{row[f'{p}_ms']:.2f}" for row in found if row for p in ("p50", "p95")]
            rows.append((name, *figures))
    heads = ("whole `predict`, 340×190, two threads", "INT8 p50 ms", "p95", "FP32 p50 ms", "p95")
    lines = [markdown_table(heads, rows)]
    times = [
        f"{row['times_ours']:.1f} times as fast as {name}"
        for peer, name in _QUOTED.items()
        if "times_ours" in (row := results.first("peer", peer=peer) or {})
    ]
    if times:
        lines.append(f"From canvas to points, uncapped, in the same run: {', '.join(times)}.")
    return "\n\n".join(lines)


# Peers that the README names.
_QUOTED = {
    "fp32-openvino": "its own FP32",
    "int8-onnxruntime": "ONNX Runtime's INT8",
    "fp32-torch": "torch's FP32",
    "paper-int8-openvino": "the paper's kind of network in INT8",
}


def compared(new: Results, old: Results) -> tuple[str, list[str]]:
    """Medians of the benchmarks that both runs hold, and the names of those that got slower."""
    known = {row["name"]: row for row in old.rows if row["p50_ms"]}
    rows, slower = [], []
    for row in new.rows:
        name, before = row["name"], known.get(row["name"])
        if before is None or not row["p50_ms"]:
            continue
        ratio = row["p50_ms"] / before["p50_ms"]
        bound = 1 + NOISE + before.get("noise", 0.0) + row.get("noise", 0.0)
        verdict = "slower" if ratio > bound else "faster" if ratio < 1 / bound else ""
        slower += [name] * (verdict == "slower")
        figures = (f"{value:.2f}" for value in (before["p50_ms"], row["p50_ms"], ratio, bound))
        rows.append((name, *figures, verdict))
    heads = ("benchmark", "old p50 ms", "new p50 ms", "ratio", "noise up to", "")
    return markdown_table(heads, rows), slower


def _run(given: argparse.Namespace) -> int:
    results = Results.read(given.results)
    if given.compare:
        old = Results.read(given.compare)
        if old.machine["processor"] != results.machine["processor"]:
            sys.stdout.write("not the same processor: these ratios say little about the code\n")
        text, slower = compared(results, old)
        sys.stdout.write(f"{text}\n")
        return 1 if slower else 0
    judged = results.judged()
    if given.check:
        lines = [" ".join(part for part in _target_row(one) if part) for one in judged]
        sys.stdout.write("\n".join(lines) + "\n")
        return 1 if any(one.verdict == "missed" for one in judged) else 0
    sys.stdout.write(f"{write(results, given.output)}\n")
    if given.readme:
        text = given.readme.read_text("utf-8")
        given.readme.write_text(with_part(text, README_PART, readme_table(results)), "utf-8")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 done, 1 a target is missed or something got slower, 2 refused."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, help="of --benchmark-json, or a benchmarks.json")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="judge the targets alone")
    what.add_argument("--compare", type=Path, metavar="OLD.json", help="with an earlier run")
    parser.add_argument("-o", "--output", type=Path, default=DOCS, metavar="DIR")
    parser.add_argument("--readme", type=Path, help="write its table of latencies anew as well")
    given = parser.parse_args(argv)
    try:
        return _run(given)
    except (ReadmeError, ResultsError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
