"""Measures every engine and device that can serve, and remembers which is fastest here."""

from __future__ import annotations

import logging
from dataclasses import replace

from runtime.bundle import Bundle
from runtime.choose import Candidate, Choice, everywhere
from runtime.errors import BackendUnavailable
from runtime.trial import AGREEMENT_PX, distance_px, expected_points, try_out
from runtime.tuned import remember

SECONDS = 1.0
_log = logging.getLogger(__name__)


def tune(
    bundle: Bundle, precision: str, threads: int | None = None, seconds: float = SECONDS
) -> Choice:
    """Measure all that can run this precision here, and remember it for later Locators.

    threads: of one inference on a CPU; the default when None. seconds: for each candidate.
    Each must give the bundle's golden answer (where it has none, that of the first that runs) to
    within 1 px; a candidate that does not, or that fails, is rejected. Returns the candidates, the
    fastest first. Raises InputError for a precision that the bundle does not hold, BundleError for
    a damaged bundle and BackendUnavailable when nothing can run it.
    """
    expected = expected_points(bundle, precision)
    found = []
    for candidate in everywhere(bundle, precision):
        trial = try_out(bundle, precision, candidate, threads, seconds)
        rejected = trial.failed
        if trial.points_picture_xy is not None:
            expected = trial.points_picture_xy if expected is None else expected
            apart_px = distance_px(trial.points_picture_xy, expected)
            if apart_px > AGREEMENT_PX:
                rejected = f"its answer is {apart_px:.1f} px off the expected one"
        measured_ms = trial.latency.p50_ms if trial.latency and rejected is None else None
        found.append(replace(candidate, rejected=rejected, measured_ms=measured_ms))
    return _remembered(bundle, precision, sorted(found, key=_rank))


def _rank(candidate: Candidate) -> float:
    return float("inf") if candidate.measured_ms is None else candidate.measured_ms


def _remembered(bundle: Bundle, precision: str, found: list[Candidate]) -> Choice:
    measured_ms = {(c.backend, c.device): c.measured_ms for c in found if c.measured_ms is not None}
    if not measured_ms:
        reasons = "; ".join(f"{c.backend} on {c.device}: {c.rejected}" for c in found)
        raise BackendUnavailable(f"nothing can run {precision} here ({reasons})")
    try:
        remember(bundle, precision, measured_ms)
    except OSError as error:
        _log.warning("what was measured cannot be kept (%s): tune again", error)
    return Choice(precision, found, lambda candidate: candidate)
