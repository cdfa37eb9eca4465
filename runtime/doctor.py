"""Examines an installation: is it whole, are its answers right, is it fast enough."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import combinations
from typing import Literal

from runtime.bundle import Bundle
from runtime.choose import everywhere
from runtime.errors import BundleError
from runtime.machine import this_machine
from runtime.targets import CLASSES, targets
from runtime.trial import AGREEMENT_PX, Trial, distance_px, expected_points, try_out

# They all install the same `cv2` folder, over one another.
_OPENCV_WHEELS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)

State = Literal["ok", "failed", "absent", "unknown"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. state: `absent` and `unknown` are no failures."""

    name: str
    state: State
    detail: str


@dataclass(frozen=True)
class Report:
    """All checks, and the trials of every engine that some of them are about."""

    checks: tuple[Check, ...]
    trials: tuple[Trial, ...]

    @property
    def healthy(self) -> bool:
        """True when no check failed."""
        return all(check.state != "failed" for check in self.checks)


def examine(directory: str | os.PathLike[str], seconds: float) -> Report:
    """Examine this installation with a bundle, timing each engine for so many seconds."""
    try:
        bundle = Bundle.open(directory)
        bundle.verify()
    except BundleError as error:
        return Report((Check("bundle", "failed", str(error)), _opencv()), ())
    trials = tuple(
        try_out(bundle, precision, candidate, None, seconds)
        for precision in bundle.precisions
        for candidate in everywhere(bundle, precision)
    )
    checks = (
        Check("bundle", "ok", f"{bundle.directory}: every file matches its sha256"),
        _opencv(),
        *(_answer(bundle, trial) for trial in trials),
        _agreement(trials),
        *_targets(trials),
    )
    return Report(checks, trials)


def _opencv() -> Check:
    installed = {distribution.name.lower() for distribution in metadata.distributions()}
    found = [name for name in _OPENCV_WHEELS if name in installed]
    if len(found) > 1:
        return Check(
            "opencv",
            "failed",
            f"{' and '.join(found)} overwrite each other: uninstall them all, then install one",
        )
    return Check("opencv", "ok", found[0] if found else "not installed by pip")


def _name(trial: Trial) -> str:
    return f"{trial.precision} with {trial.candidate.backend} on {trial.candidate.device}"


def _answer(bundle: Bundle, trial: Trial) -> Check:
    if trial.candidate.rejected is not None:
        return Check(_name(trial), "absent", trial.candidate.rejected)
    if trial.failed is not None or trial.points_picture_xy is None or trial.latency is None:
        return Check(_name(trial), "failed", str(trial.failed))
    times = f"p50 {trial.latency.p50_ms:.2f} ms, p95 {trial.latency.p95_ms:.2f} ms"
    expected = expected_points(bundle, trial.precision)
    if expected is None:
        return Check(_name(trial), "unknown", f"the bundle has no golden answer; {times}")
    off_px = distance_px(trial.points_picture_xy, expected)
    state: State = "ok" if off_px <= AGREEMENT_PX else "failed"
    return Check(_name(trial), state, f"{off_px:.3f} px off the golden answer; {times}")


def _agreement(trials: Sequence[Trial]) -> Check:
    answers = [t.points_picture_xy for t in trials if t.points_picture_xy is not None]
    if len(answers) < 2:
        return Check("agreement", "unknown", "fewer than two engines and precisions run here")
    apart_px = max(distance_px(one, other) for one, other in combinations(answers, 2))
    state: State = "ok" if apart_px <= AGREEMENT_PX else "failed"
    return Check("agreement", state, f"{len(answers)} answers at most {apart_px:.3f} px apart")


def _targets(trials: Sequence[Trial]) -> Iterator[Check]:
    """A verdict for every latency of named hardware; `unknown` for hardware that is not here."""
    for target in targets():
        if target.metric != "predict_ms" or target.on in CLASSES:
            continue
        name = f"target {' or '.join(target.precisions)} on {target.on}"
        medians_ms = [
            trial.latency.p50_ms
            for trial in trials
            if trial.latency
            and trial.precision in target.precisions
            and target.on in _hardware(trial)
        ]
        if not medians_ms:
            yield Check(name, "unknown", "not measured here")
            continue
        best_ms = min(medians_ms)
        state: State = "ok" if target.met_by(best_ms) else "failed"
        reached = "reached" if target.aim_met_by(best_ms) else "not reached"
        yield Check(
            name,
            state,
            f"{best_ms:.2f} ms; must be at most {target.limit:g} ms, "
            f"the aim of {target.aim:g} ms is {reached}",
        )


def _hardware(trial: Trial) -> str:
    """What it ran on; "" where the engine does not name what is not this machine's processor."""
    processor = this_machine().processor if trial.candidate.device == "cpu" else ""
    return str((trial.facts or {}).get("device_name", processor))
