"""Truths and answers of many pictures, and what they come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.result import Location
from train.causes import Conditions
from train.detection import DETECTION_PX, count_detections
from train.metrics import ANGLE_WITHIN_PX, THRESHOLDS_PX, angle_errors_deg, point_metrics
from train.synth import DIFFICULTIES, Sample

POINTS = ("gap", "slider")
# A picture fails when a point that has a right answer is found farther away than this.
FAILURE_PX = 10.0
GALLERY = 12
# Kinds of misses: right, but not trusted; close by; on the picture's other point; anywhere else.
MISSES = ("doubted", "near", "exchanged", "elsewhere")

Point = tuple[float, float]


@dataclass(frozen=True)
class Case:
    """Truth and answer of picture `number` (from 0), without its pixels."""

    number: int
    difficulty: str
    gap: Point | None
    slider: Point | None
    angle_deg: float | None
    conditions: Conditions
    answer: Location
    predict_ms: float
    unit_px: float = 1.0

    def error_px(self, point: str) -> float:
        """Distance of "gap" or "slider" from the truth, in units of `unit_px`; nan where there is
        no such point."""
        return self._distance_px(point, point)

    def miss(self, point: str) -> str | None:
        """One of `MISSES`; None where the point is found and trusted, and where there is none."""
        if not getattr(self, point):
            return None
        error = self.error_px(point)
        if error <= DETECTION_PX:
            return None if self.trusts(point) else "doubted"
        if error <= FAILURE_PX:
            return "near"
        (other,) = set(POINTS) - {point}
        return "exchanged" if self._distance_px(point, other) <= FAILURE_PX else "elsewhere"

    def _distance_px(self, answered: str, true: str) -> float:
        """From the answer for one point to the truth of one, as `error_px`."""
        truth, found = getattr(self, true), getattr(self.answer, answered)
        if not truth:
            return float("nan")
        return float(np.hypot(found.x - truth[0], found.y - truth[1])) / self.unit_px

    def trusts(self, point: str) -> bool:
        """Whether no reason against the answer concerns this point.

        Reasons begin with the name of their point; others are about the pair, and say nothing of
        a picture that lacks one of the two.
        """
        reasons, (other,) = self.answer.reasons, set(POINTS) - {point}
        if getattr(self, other) is None:
            return not any(reason.startswith(point) for reason in reasons)
        return all(reason.startswith(other) for reason in reasons)

    @property
    def worst(self) -> tuple[float, str]:
        """The larger error in pixels and its point; the gap of an ambiguous picture is not asked
        for. (0, "") where there is nothing to find."""
        asked = POINTS[1:] if self.difficulty == "ambiguous" else POINTS
        errors = [(self.error_px(point), point) for point in asked if getattr(self, point)]
        return max(errors, default=(0.0, ""))

    @property
    def failed(self) -> bool:
        """Whether a point was found more than `FAILURE_PX` away."""
        return self.worst[0] > FAILURE_PX


@dataclass(frozen=True)
class Failure:
    """A failed case with its picture, u8 BGR [H, W, 3]."""

    case: Case
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class PointColumns:
    """One point of every picture, in order: arrays of length N.

    Attributes:
        exists: bool, whether the picture has the point.
        errors_px: f64, nan where it has not.
        trusted: bool, whether the locator stood by its answer.
        scores: f64, 0..1.
    """

    exists: NDArray[np.bool_]
    errors_px: NDArray[np.float64]
    trusted: NDArray[np.bool_]
    scores: NDArray[np.float64]


@dataclass
class Outcomes:
    """Every picture's case, in order; of the failures the `GALLERY` worst with their pictures."""

    cases: list[Case] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(
        self, sample: Sample, conditions: Conditions, answer: Location, predict_ms: float
    ) -> None:
        """Add the next picture."""
        truth = (sample.gap_picture_xy, sample.slider_picture_xy, sample.angle_deg)
        number = len(self.cases)
        case = Case(
            number, sample.difficulty, *truth, conditions, answer, predict_ms, sample.unit_px
        )
        self.cases.append(case)
        if case.failed:
            self.failures.append(Failure(case, sample.picture))
            self.failures.sort(key=lambda failure: failure.case.worst, reverse=True)
            del self.failures[GALLERY:]

    def column(self, point: str) -> PointColumns:
        """Everything about "gap" or "slider"."""
        cases = self.cases
        return PointColumns(
            exists=np.array([getattr(case, point) is not None for case in cases], bool),
            errors_px=np.array([case.error_px(point) for case in cases], np.float64),
            trusted=np.array([case.trusts(point) for case in cases], bool),
            scores=np.array([getattr(case.answer, point).score for case in cases], np.float64),
        )

    def of_class(self, *names: str) -> NDArray[np.bool_]:
        """bool [N]: which pictures are of one of these difficulty classes."""
        return np.array([case.difficulty in names for case in self.cases], bool)

    def summary(self) -> dict[str, Any]:
        """Metrics of all pictures and by class: plain values for JSON.

        Ambiguous pictures have no right answer and negatives no gap: both are left out of "all"
        for the gap, and appear as classes of their own. "points" are gap and slider together.
        """
        columns = {point: self.column(point) for point in POINTS}
        clear = ~self.of_class("ambiguous")
        everything = _group(columns, clear)
        angle, abstained = self._angle_error_deg(), self._abstained()
        gap = columns["gap"]
        found = count_detections(gap.errors_px[clear], gap.exists[clear], gap.trusted[clear])
        return {
            "headline": _headline(everything, angle["mean"], abstained),
            "all": everything,
            "classes": {name: _group(columns, self.of_class(name)) for name in DIFFICULTIES},
            "angle_error_deg": angle,
            "abstained_on_negatives": abstained,
            "misses": self._misses(),
            "gap_detection": asdict(found)
            | {"precision": found.precision, "recall": found.recall, "f1": found.f1},
            "predict_ms": self._predict_ms(),
        }

    def _angle_error_deg(self) -> dict[str, Any]:
        """Mean error over rotated gaps whose point was found within 10 px."""
        pairs = [
            (case.answer.angle_deg, case.angle_deg)
            for case in self.cases
            if case.gap and case.angle_deg and case.error_px("gap") <= ANGLE_WITHIN_PX
        ]
        if not pairs:
            return {"count": 0, "mean": float("nan")}
        predicted, true = np.array(pairs, dtype=np.float64).T
        return {"count": len(pairs), "mean": float(angle_errors_deg(predicted, true).mean())}

    def _misses(self) -> dict[str, int]:
        """Of the points counted in "all", how many miss in which way."""
        clear = [case for case in self.cases if case.difficulty != "ambiguous"]
        asked = [(case, point) for case in clear for point in POINTS if getattr(case, point)]
        kinds = Counter(case.miss(point) for case, point in asked)
        return {"points": len(asked), **{kind: kinds[kind] for kind in MISSES}}

    def _abstained(self) -> float:
        refused = [not case.answer.ok for case in self.cases if case.gap is None]
        return float(np.mean(refused)) if refused else float("nan")

    def _predict_ms(self) -> dict[str, Any]:
        """Whole predictions; the first one, which warms up, is left out."""
        times = [case.predict_ms for case in self.cases[1:]]
        middle, slow = np.percentile(times, [50, 95]) if times else (np.nan, np.nan)
        return {"count": len(times), "median": float(middle), "p95": float(slow)}


def _group(columns: dict[str, PointColumns], chosen: NDArray[np.bool_]) -> dict[str, Any]:
    rows = {
        point: (c.errors_px[chosen & c.exists], c.trusted[chosen & c.exists])
        for point, c in columns.items()
    }
    both = [np.concatenate(parts) for parts in zip(*rows.values(), strict=True)]
    return {
        "pictures": int(chosen.sum()),
        **{point: point_metrics(*row).to_dict() for point, row in rows.items()},
        "points": point_metrics(both[0], both[1]).to_dict(),
    }


def _headline(group: dict[str, Any], angle_deg: float, abstained: float) -> dict[str, float]:
    """The figures that a bundle's manifest keeps: flat, rounded."""
    figures = {"angle_error_deg": angle_deg, "abstained_on_negatives": abstained}
    for point in POINTS:
        keys = ("mae_px", *(f"accuracy_{px}px" for px in THRESHOLDS_PX))
        figures |= {f"{point}_{key}": group[point][key] for key in keys}
    return {name: round(value, 4) for name, value in figures.items()}


def table(summary: dict[str, Any]) -> str:
    """A summary as text: one line a class and point."""
    head = f"{'class':<14}{'point':<8}{'n':>6}{'MAE px':>9}{'median':>8}"
    head += "".join(f"{f'@{px}px':>8}" for px in THRESHOLDS_PX) + f"{'refused':>9}"
    lines = [head]
    for name, group in {"all": summary["all"], **summary["classes"]}.items():
        lines += [_line(name, point, group[point]) for point in POINTS if group[point]["count"]]
    lines.append(misses_line(summary["misses"]))
    angle = summary["angle_error_deg"]
    lines.append(f"angle error of {angle['count']} rotated gaps: {angle['mean']:.2f} degrees")
    abstained = summary["abstained_on_negatives"]
    lines.append(f"pictures without a gap, told as such: {abstained:.1%}")
    return "\n".join(lines)


def misses_line(misses: dict[str, int]) -> str:
    """How many points are missed, and how: `Outcomes.summary`'s "misses" as a line of text."""
    text, points = f"points missed (@{DETECTION_PX}px): ", misses["points"]
    if not points:
        return text + "–"
    shares = ", ".join(f"{kind} {misses[kind] / points:.1%}" for kind in MISSES)
    return f"{text}{sum(misses[kind] for kind in MISSES) / points:.1%} ({shares})"


def _line(name: str, point: str, row: dict[str, Any]) -> str:
    shares = "".join(f"{row[f'accuracy_{px}px']:8.1%}" for px in THRESHOLDS_PX)
    return (
        f"{name:<14}{point:<8}{row['count']:>6}{row['mae_px']:>9.2f}"
        f"{row['median_px']:>8.2f}{shares}{row['refused']:>9.1%}"
    )
