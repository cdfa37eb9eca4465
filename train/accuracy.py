"""What the fixed test sets say, for people to read: `python -m train.accuracy results.json`.

    python -m train.evaluate --testset '*' --backgrounds DIR --json train/testsets.results.json
    python -m train.accuracy train/testsets.results.json --readme README.md

Writes docs/accuracy.md, a row for each set, and the README's table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from train.measured import Interval, points_interval, wilson
from train.readme import ReadmeError, with_part
from train.report import markdown_table
from train.testsets import TestSetError, load_testset

PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
QUOTED = ("fixed", "fixed-procedural", "other-painter")  # in the README, whose part has this name:
README_PART = "accuracy"
_WITHIN_PX = (1, 3, 5)

Results: TypeAlias = Mapping[str, Mapping[str, Any]]  # set -> as `Measured.to_dict`


def page(results: Results) -> str:
    """The whole page, Markdown.

    Raises:
        TestSetError: a set that is not in testsets.toml.
    """
    head = ["set", "shows", "pictures", "gap @1px", "@3px", "@5px", "piece @1px", "@3px", "@5px"]
    head += ["both @5px, 95 % interval", "MAE px", "FP32 @5px"]
    rows = [[f"`{name}`", *_set_row(name, found)] for name, found in results.items()]
    parts = [
        "# Accuracy\n\nWritten by `python -m train.accuracy` from "
        "[train/testsets.results.json](../train/testsets.results.json), which `train.evaluate` "
        "wrote; do not edit. INT8 of the shipped bundle. An answer that it was not sure of counts "
        "as a miss, ambiguous pictures are left out; intervals are Wilson's, "
        "those of both points for the number of pictures.",
        "## Sets\n\n" + markdown_table(head, rows),
    ]
    parts += [
        f"## `{name}` by class\n\n" + _classes(results[name]["int8"])
        for name in QUOTED
        if name in results
    ]
    told = [
        f"`{name}`: {figures['abstained_on_negatives']:.1%} of pictures without a gap told as such"
        + _angle(figures["angle_error_deg"])
        for name, found in results.items()
        if (figures := found["int8"])["abstained_on_negatives"] is not None
    ]
    return "\n\n".join([*parts, "## No gap, and the angle\n\n" + "\n".join(f"- {t}" for t in told)])


def _set_row(name: str, found: Mapping[str, Any]) -> list[str]:
    everything = found["int8"]["all"]
    cells = [load_testset(name).about, f"{found['pictures']:,}"]
    for point in ("gap", "slider"):
        cells += [_share(everything[point][f"accuracy_{px}px"]) for px in _WITHIN_PX]
    points, interval = everything["points"], points_interval(everything)
    mae_px = points["mae_px"]
    cells += [_within_5px(points, interval), "–" if mae_px is None else f"{mae_px:.1f}"]
    return [*cells, _share(found["fp32"]["all"]["points"]["accuracy_5px"])]


def _classes(summary: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{group['pictures']:,}"] + [_interval(group[point]) for point in ("gap", "slider")]
        for name, group in summary["classes"].items()
    ]
    return markdown_table(["class", "pictures", "gap @5px", "piece @5px"], rows)


def _interval(group: Mapping[str, Any]) -> str:
    count = group["count"]
    return _within_5px(group, wilson(group["accuracy_5px"], count) if count else None)


def _within_5px(group: Mapping[str, Any], interval: Interval | None) -> str:
    """The share within 5 px with its interval."""
    if interval is None:
        return "–"
    return f"{group['accuracy_5px']:.1%} ({interval[0]:.1%}–{interval[1]:.1%})"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _angle(error: Mapping[str, Any]) -> str:
    if not error["count"]:
        return ""
    return f"; angle {error['mean']:.1f}° off on {error['count']} turned gaps that were found"


def readme_table(results: Results) -> str:
    """The README's: both points on the sets that every figure quotes.

    Raises:
        KeyError: one of them was not measured.
    """
    head, rows = ["INT8, 2,000 pictures each"], []
    for point in ("gap", "piece"):
        head += [f"{point}: MAE", *(f"@{px}px" for px in _WITHIN_PX)]
    for name in QUOTED:
        cells = [f"`{name}` ({load_testset(name).about})"]
        for point in ("gap", "slider"):
            group = results[name]["int8"]["all"][point]
            cells += [f"{group['mae_px']:.1f} px"]
            cells += [_share(group[f"accuracy_{px}px"]) for px in _WITHIN_PX]
        rows.append(cells)
    return markdown_table(head, rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 with one line on stderr when something was unusable."""
    parser = argparse.ArgumentParser(
        prog="python -m train.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, help="of train.evaluate --json")
    parser.add_argument("-o", "--output", type=Path, default=PAGE, metavar="FILE.md")
    parser.add_argument("--readme", type=Path, help="write its table anew as well")
    given = parser.parse_args(argv)
    try:
        _write(given)
    except (ReadmeError, TestSetError, OSError) as error:
        return _refused(str(error))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return _refused(
            f"{given.results} does not hold what train.evaluate --json writes of a bundle and its "
            f"sets: {type(error).__name__}: {error}"
        )
    sys.stdout.write(f"{given.output}\n")
    return 0


def _write(given: argparse.Namespace) -> None:
    results = json.loads(given.results.read_text("utf-8"))
    text = page(results)
    if given.readme:
        old = given.readme.read_text("utf-8")
        new = with_part(old, README_PART, readme_table(results))
        given.readme.write_text(new, "utf-8")
    given.output.write_text(f"{text}\n", "utf-8")


def _refused(reason: str) -> int:
    sys.stderr.write(f"error: {reason}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
