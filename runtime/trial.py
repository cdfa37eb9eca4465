"""Runs one engine on one device on a known picture: does it work, is it right, how fast is it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np

from runtime.bundle import Bundle
from runtime.choose import Candidate
from runtime.errors import BackendError, InputError
from runtime.geometry import FloatArray, Picture
from runtime.locator import Locator
from runtime.picture import load
from runtime.timing import Latency, time_calls

# Engines round differently and some compute in a lower precision; more than this is wrong.
AGREEMENT_PX = 1.0
# The size that latencies are stated for: what puzzles commonly have.
PICTURE_WIDTH, PICTURE_HEIGHT = 340, 190


@dataclass(frozen=True, eq=False)
class Trial:
    """What came of it. precision, candidate: what was tried.

    failed: why there is nothing more, or None.
    points_picture_xy: float64 [2, 2], gap and slider on the known picture, pixels.
    latency: of whole predictions of a 340 x 190 picture.
    facts: `Locator.describe`.
    """

    precision: str
    candidate: Candidate
    failed: str | None
    points_picture_xy: FloatArray | None = None
    latency: Latency | None = None
    facts: dict[str, str | int] | None = None


def try_out(
    bundle: Bundle, precision: str, candidate: Candidate, threads: int | None, seconds: float
) -> Trial:
    """Try a candidate, timing it for so many seconds.

    threads: of one inference on a CPU; the default when None. Raises InputError for fewer than one
    thread and for no time, BundleError for a damaged bundle; what the engine refuses is in the
    result.
    """
    if not seconds > 0:
        raise InputError(f"expected more than 0 seconds, got {seconds:g}")
    if candidate.rejected is not None:
        return Trial(precision, candidate, candidate.rejected)
    known, timed = known_picture(bundle), sample_picture()
    try:
        with Locator(
            precision,
            backend=candidate.backend,
            device=candidate.device,
            bundle=bundle.directory,
            threads=threads,
        ) as locator:
            points = _points(locator.predict(known).to_dict())
            latency = time_calls(lambda: locator.predict(timed), seconds)
            return Trial(precision, candidate, None, points, latency, locator.describe())
    except BackendError as error:
        return Trial(precision, candidate, str(error))


def known_picture(bundle: Bundle) -> Picture:
    """The bundle's golden picture, or `sample_picture` where it has none."""
    golden = bundle.manifest.golden
    return load(bundle.read_golden(golden)) if golden else sample_picture()


def expected_points(bundle: Bundle, precision: str) -> FloatArray | None:
    """The golden answer, float64 [2, 2] as in Trial; None where the bundle has none."""
    golden = bundle.manifest.golden
    if golden is None or precision not in golden.answer:
        return None
    return _points(golden.answer[precision])


def _points(answer: dict[str, Any]) -> FloatArray:
    return np.array([[answer[name][axis] for axis in "xy"] for name in ("gap", "slider")])


def distance_px(points: FloatArray, others: FloatArray) -> float:
    """The larger distance between two answers' gaps and two answers' sliders, pixels."""
    return float(np.hypot(*(points - others).T).max())


def sample_picture() -> Picture:
    """A plain puzzle, uint8 BGR [190, 340, 3]: clouds, a dark gap and the piece beside it."""
    coarse = np.random.default_rng(0).integers(60, 200, (5, 8, 3), np.uint8)
    size = (PICTURE_WIDTH, PICTURE_HEIGHT)
    picture = cast(Picture, cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC))
    piece = picture[70:114, 230:274].copy()
    picture[70:114, 230:274] = piece // 3
    picture[70:114, 20:64] = piece
    cv2.rectangle(picture, (20, 70), (63, 113), (255, 255, 255), 1)
    return picture
