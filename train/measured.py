"""What an evaluation found, against what it should have found: what a report is written from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

from runtime.machine import this_machine
from train import goals, history
from train.causes import CAUSES, NONE_OF_THESE
from train.history import Epoch
from train.outcomes import POINTS, Case, Outcomes
from train.picturesets import PictureSet

Interval = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """A picture set and its outcomes by predictor; the first predictor is the one in question."""

    pictures: PictureSet
    fingerprint: str
    outcomes: Mapping[str, Outcomes]

    @cached_property
    def summaries(self) -> dict[str, dict[str, Any]]:
        """Predictor -> `Outcomes.summary`."""
        return {name: outcomes.summary() for name, outcomes in self.outcomes.items()}

    @property
    def main(self) -> Outcomes:
        """Of the predictor in question."""
        return next(iter(self.outcomes.values()))

    @property
    def main_summary(self) -> dict[str, Any]:
        """Of the predictor in question."""
        return next(iter(self.summaries.values()))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        count = len(self.main.cases)
        return {"pictures": count, "fingerprint": self.fingerprint, **self.summaries}


@dataclass(frozen=True)
class Report:
    """What a report is written from.

    Attributes:
        subject: what was measured.
        engines: predictor -> facts about what ran.
        measured: the sets, those of one family among them.
        epochs: the training's history; empty where nothing is known of it.
        left_out: style families that the training never showed; None where unknown.
    """

    subject: str
    engines: Mapping[str, Mapping[str, str | int]]
    measured: Sequence[Measured]
    epochs: list[Epoch]
    left_out: tuple[str, ...] | None = None

    @property
    def sets(self) -> list[Measured]:
        """Those that show every family."""
        return [one for one in self.measured if one.pictures.family is None]

    @property
    def family_sets(self) -> list[Measured]:
        """Those of one family, and the one to compare them with."""
        return [one for one in self.measured if one.pictures.family is not None]

    def shown_in_training(self, family: str) -> str:
        """Whether the training showed a family, in a word or two."""
        if self.left_out is None:
            return "unknown"
        return "left out" if family in self.left_out else "shown"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, null where nothing was measured."""
        training = history.summarise(self.epochs)
        return finite(
            {
                "subject": self.subject,
                "engines": self.engines,
                "processor": this_machine().processor,
                "sets": {one.pictures.name: one.to_dict() | _judged(one) for one in self.measured},
                "left_out": self.left_out,
                "training": training and asdict(training) | {"overfitting": training.overfitting},
            }
        )


@dataclass(frozen=True)
class Target:
    """A figure, its goal and whether it is reached; nan and None where nothing was measured."""

    name: str
    goal: str
    value: float
    unit: str
    reached: bool | None
    interval: Interval | None = None


def wilson(share: float, count: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share observed on `count` pictures (Wilson, 1927)."""
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2 / count
    middle = (share + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * share * (1 - share) + z2**2 / 4) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)


def points_interval(group: Mapping[str, Any], px: int = 5) -> Interval | None:
    """Of both points within `px`, for a group of `Outcomes.summary`; None without a point.

    Pictures count, not points: where one of a picture's two is missed, the other one mostly is.
    """
    if not group["points"]["count"]:
        return None
    return wilson(group["points"][f"accuracy_{px}px"], group["pictures"])


def targets(summary: Mapping[str, Any]) -> list[Target]:
    """The goals of `train.goals` against a summary's figures."""
    points = summary["all"]["points"]
    rows = [_below("MAE, all points", points["mae_px"], goals.MAE_PX, "px")]
    rows += [
        _below(f"MAE, {point}", summary["all"][point]["mae_px"], goals.MAE_PX, "px")
        for point in POINTS
    ]
    for px, goal in goals.ACCURACY.items():
        share = points[f"accuracy_{px}px"]
        reached = None if math.isnan(share) else share > goal
        interval = points_interval(summary["all"], px)
        name = f"within {px} px, all points"
        rows.append(Target(name, f"> {goal:.1%}", share, "%", reached, interval))
    angle = summary["angle_error_deg"]["mean"]
    return [*rows, _below("angle error, rotated gaps", angle, goals.ANGLE_ERROR_DEG, "°")]


def overview(measured: Sequence[Measured]) -> str:
    """A line a set: of both points, how many lie within 5 px, with the 95 % interval."""
    lines = [f"{'set':<24}{'points':>8}{'MAE px':>9}{'@5px':>8}  95 % interval"]
    for one in measured:
        everything = one.main_summary["all"]
        points = everything["points"]
        line = f"{one.pictures.name:<24}{points['count']:>8}{points['mae_px']:>9.2f}"
        line += f"{points['accuracy_5px']:>8.1%}"
        if interval := points_interval(everything):
            line += f"  {interval[0]:.1%} to {interval[1]:.1%}"
        lines.append(line)
    return "\n".join(lines)


def _below(name: str, value: float, goal: float, unit: str) -> Target:
    reached = None if math.isnan(value) else value < goal
    return Target(name, f"< {goal:g} {unit}", value, unit, reached)


def cause_counts(cases: Iterable[Case]) -> dict[str, int]:
    """How many cases show each cause; one may show several, or none of these."""
    counts = dict.fromkeys((*CAUSES, NONE_OF_THESE), 0)
    for case in cases:
        for cause in case.conditions.causes or (NONE_OF_THESE,):
            counts[cause] += 1
    return counts


def _judged(measured: Measured) -> dict[str, Any]:
    main = measured.main
    return {
        "targets": [asdict(target) for target in targets(measured.main_summary)],
        "causes": cause_counts(case for case in main.cases if case.failed),
        "failures": [_failure(failure.case) for failure in main.failures],
    }


def _failure(case: Case) -> dict[str, Any]:
    error_px, point = case.worst
    return {
        "number": case.number,
        "difficulty": case.difficulty,
        "point": point,
        "error_px": error_px,
        "conditions": asdict(case.conditions),
        "causes": case.conditions.causes,
    }


def finite(value: Any) -> Any:
    """JSON has no nan: null instead."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
