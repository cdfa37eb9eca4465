"""Measure a bundle on fixed test sets: `python -m train.evaluate --precision int8 --testset fixed`.

Prints MAE and accuracy for gap and slider, whole and by difficulty class, for the precision asked
for with FP32 beside it, and how often pictures without a gap were told as such.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from runtime import Locator
from runtime.errors import LocatorError
from runtime.result import Location
from train.metrics import THRESHOLDS_PX, angle_errors_deg, point_errors_px, point_metrics
from train.synth import DIFFICULTIES, Sample
from train.testsets import Fingerprint, TestSetError, load_testset, samples_of

Point = tuple[float, float]


@dataclass
class Outcomes:
    """Truth and answer of every picture, in order."""

    samples: list[tuple[str, Point | None, Point | None, float | None]] = field(
        default_factory=list
    )
    answers: list[Location] = field(default_factory=list)

    def add(self, sample: Sample, answer: Location) -> None:
        """Add one picture; its pixels are not kept."""
        truth = (sample.gap_picture_xy, sample.slider_picture_xy, sample.angle_deg)
        self.samples.append((sample.difficulty, *truth))
        self.answers.append(answer)

    def summary(self) -> dict[str, object]:
        """Metrics of all pictures and by class; see `_group`.

        Ambiguous pictures have no right answer and negatives no gap: both are left out of "all"
        for the gap, and appear as classes of their own.
        """
        clear = [d != "ambiguous" for d, *_ in self.samples]
        everything = self._group(clear)
        angle, abstained = self._angle_error_deg(), self._abstained()
        return {
            "headline": _headline(everything, angle["mean"], abstained),
            "all": everything,
            "classes": {
                name: self._group([d == name for d, *_ in self.samples]) for name in DIFFICULTIES
            },
            "angle_error_deg": angle,
            "abstained_on_negatives": abstained,
        }

    def _group(self, chosen: Sequence[bool]) -> dict[str, object]:
        picked = [
            (gap, slider, answer)
            for (_, gap, slider, _), answer, use in zip(
                self.samples, self.answers, chosen, strict=True
            )
            if use
        ]
        gaps = [(gap, (a.gap.x, a.gap.y), _trusted(a, "gap")) for gap, _, a in picked if gap]
        sliders = [
            (true, (a.slider.x, a.slider.y), _trusted(a, "slider")) for _, true, a in picked if true
        ]
        return {
            "pictures": len(picked),
            "gap": _point_summary(gaps),
            "slider": _point_summary(sliders),
        }

    def _angle_error_deg(self) -> dict[str, float | int]:
        """Mean error over rotated gaps whose point was found within 10 px."""
        pairs = [
            (answer.angle_deg, angle)
            for (_, gap, _, angle), answer in zip(self.samples, self.answers, strict=True)
            if gap and angle and np.hypot(answer.gap.x - gap[0], answer.gap.y - gap[1]) <= 10
        ]
        if not pairs:
            return {"count": 0, "mean": float("nan")}
        predicted, true = np.array(pairs, dtype=np.float64).T
        return {"count": len(pairs), "mean": float(angle_errors_deg(predicted, true).mean())}

    def _abstained(self) -> float:
        refused = [
            not answer.ok
            for (_, gap, _, _), answer in zip(self.samples, self.answers, strict=True)
            if gap is None
        ]
        return float(np.mean(refused)) if refused else float("nan")


def _trusted(answer: Location, point: str) -> bool:
    """Whether no reason against the answer concerns this point (a picture may lack the other)."""
    return not any(reason.startswith(point) for reason in answer.reasons)


def _point_summary(rows: Sequence[tuple[Point, Point, bool]]) -> dict[str, object]:
    true = np.array([row[0] for row in rows], dtype=np.float64).reshape(-1, 2)
    found = np.array([row[1] for row in rows], dtype=np.float64).reshape(-1, 2)
    ok = np.array([row[2] for row in rows], dtype=bool)
    return point_metrics(point_errors_px(found, true), ok).to_dict()


def _headline(group: dict[str, object], angle_deg: float, abstained: float) -> dict[str, float]:
    """The figures that a bundle's manifest keeps: flat, rounded."""
    figures = {"angle_error_deg": angle_deg, "abstained_on_negatives": abstained}
    for point in ("gap", "slider"):
        row = _mapping(group[point])
        figures |= {
            f"{point}_{key}": row[key]
            for key in ("mae_px", *(f"accuracy_{px}px" for px in THRESHOLDS_PX))
        }
    return {name: round(value, 4) for name, value in figures.items()}


def evaluate(
    locators: dict[str, Locator], samples: Iterable[Sample]
) -> tuple[dict[str, Outcomes], str]:
    """Every picture through every locator.

    Returns:
        precision -> outcomes, and the fingerprint of the pictures.
    """
    outcomes = {precision: Outcomes() for precision in locators}
    fingerprint = Fingerprint()
    for sample in samples:
        fingerprint.update(sample)
        for precision, locator in locators.items():
            outcomes[precision].add(sample, locator.predict(sample.picture))
    return outcomes, fingerprint.hexdigest()


def table(summary: dict[str, object]) -> str:
    """The summary as text: one line a class and point."""
    head = f"{'class':<14}{'point':<8}{'n':>6}{'MAE px':>9}{'median':>8}"
    head += "".join(f"{f'@{px}px':>8}" for px in THRESHOLDS_PX) + f"{'refused':>9}"
    lines = [head]
    groups = {"all": summary["all"], **_mapping(summary["classes"])}
    for name, group in groups.items():
        for point in ("gap", "slider"):
            row = _mapping(_mapping(group)[point])
            if row["count"]:
                shares = "".join(f"{row[f'accuracy_{px}px']:8.1%}" for px in THRESHOLDS_PX)
                lines.append(
                    f"{name:<14}{point:<8}{row['count']:>6}{row['mae_px']:>9.2f}"
                    f"{row['median_px']:>8.2f}{shares}{row['refused']:>9.1%}"
                )
    angle = _mapping(summary["angle_error_deg"])
    lines.append(f"angle error of {angle['count']} rotated gaps: {angle['mean']:.2f} degrees")
    abstained = summary["abstained_on_negatives"]
    lines.append(f"pictures without a gap, told as such: {abstained:.1%}")
    return "\n".join(lines)


def _mapping(value: object) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__)
    parser.add_argument("--precision", default="int8", help="shown with fp32 beside it")
    parser.add_argument(
        "--testset", action="append", help="name in train/testsets.toml; may be repeated"
    )
    parser.add_argument("--bundle", type=Path, help="bundle to measure (default: the shipped one)")
    parser.add_argument("--backgrounds", type=Path, help="folder of photographs for the set")
    parser.add_argument("--limit", type=int, help="only the first N pictures (a quick look)")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when measured, 2 with one line on stderr when something was missing."""
    arguments = _parser().parse_args(argv)
    try:
        results = _measure(arguments)
    except (LocatorError, TestSetError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    return 0


def _measure(arguments: argparse.Namespace) -> dict[str, object]:
    results: dict[str, object] = {}
    with ExitStack() as stack:
        locators = {
            precision: stack.enter_context(Locator(precision, bundle=arguments.bundle))
            for precision in dict.fromkeys([arguments.precision, "fp32"])
        }
        for name in arguments.testset or ["fixed-procedural"]:
            testset = load_testset(name)
            samples = samples_of(testset, arguments.backgrounds, arguments.limit)
            count = min(testset.count, arguments.limit or testset.count)
            outcomes, fingerprint = evaluate(locators, tqdm(samples, total=count, desc=name))
            complete = count == testset.count
            if complete and testset.fingerprint not in (None, fingerprint):
                raise TestSetError(
                    f"the pictures of {name!r} have fingerprint {fingerprint}, expected "
                    f"{testset.fingerprint}: other photographs or library versions; the figures "
                    f"would not be comparable"
                )
            summaries = {precision: o.summary() for precision, o in outcomes.items()}
            results[name] = {"pictures": count, "fingerprint": fingerprint, **summaries}
            print(f"\n{name} ({count} pictures): {testset.about}\nfingerprint {fingerprint}")
            for precision, summary in summaries.items():
                print(f"\n{precision}\n{table(summary)}")
    return results


if __name__ == "__main__":
    sys.exit(main())
