"""How trials of engines are printed."""

from __future__ import annotations

import dataclasses
from typing import Any

from runtime.trial import Trial


def as_dict(trial: Trial) -> dict[str, Any]:
    """Plain Python values, ready for json.dumps; latencies and facts are null where it failed."""
    points = trial.points_picture_xy
    return {
        "precision": trial.precision,
        "backend": trial.candidate.backend,
        "device": trial.candidate.device,
        "failed": trial.failed,
        "points_picture_xy": None if points is None else points.tolist(),
        "latency": dataclasses.asdict(trial.latency) if trial.latency else None,
        "facts": trial.facts,
    }
