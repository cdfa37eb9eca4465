"""How far the answers of a bundle's artefacts lie from the truth, and from those of FP32."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from compress.errors import CompressionError
from runtime import Bundle, Location, Locator
from runtime.geometry import Picture
from runtime.timing import Latency, time_calls
from runtime.trial import sample_picture
from train.evaluate import evaluate
from train.metrics import THRESHOLDS_PX, PointMetrics, point_metrics
from train.outcomes import POINTS, Outcomes
from train.picturesets import PictureSet
from train.synth import DIFFICULTIES, Sample

REFERENCE = "fp32"
# A picture counts as right where FP32 finds every point of it this near.
RIGHT_WITHIN_PX = 5.0
GALLERY = 10
_CPU_BACKENDS = ("openvino", "onnxruntime")
LATENCY_S = 1.0


@dataclass(frozen=True, eq=False)
class Apart:
    """A picture, u8 BGR [H, W, 3], on which an artefact's answer lies `shift_px` from FP32's."""

    number: int
    shift_px: float
    picture: Picture
    reference: Location
    answer: Location


@dataclass(eq=False)
class Agreement:
    """What was measured on a set of pictures.

    Attributes:
        outcomes: artefact name -> its answers; FP32's are among them.
        worst: artefact name -> the pictures whose answers lie farthest from FP32's.
        sizes_mb: artefact name -> its largest file, in 10⁶ bytes.
        engines: artefact name -> facts about what ran it.
    """

    pictures: PictureSet
    fingerprint: str
    outcomes: dict[str, Outcomes]
    worst: dict[str, list[Apart]]
    sizes_mb: dict[str, float]
    engines: dict[str, dict[str, str | int]]
    figures: dict[str, dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        reference = self.outcomes[REFERENCE]
        self.figures = {
            name: {"largest_file_mb": self.sizes_mb[name], **compared(reference, outcomes)}
            for name, outcomes in self.outcomes.items()
        }


def runnable(bundle: Bundle) -> dict[str, tuple[str, str]]:
    """Artefacts that a CPU runs, by name -> precision and backend: the first that it is for."""
    found = {}
    for name, artefact in bundle.manifest.artefacts.items():
        precision = artefact.precision
        for backend in reversed(artefact.backends):
            if backend in _CPU_BACKENDS and bundle.artefact(precision, backend) is artefact:
                found[name] = (precision, backend)
    return found


def measure(bundle: Bundle, pictures: PictureSet, names: Sequence[str] = ()) -> Agreement:
    """Show the pictures to the artefacts (those named; all that a CPU runs without names).

    Raises CompressionError when there is no FP32 artefact to compare with, and when the pictures
    are not those that the set's fingerprint is of.
    """
    chosen = {n: how for n, how in runnable(bundle).items() if not names or n in names}
    if REFERENCE not in chosen:
        raise CompressionError(f"{bundle.directory} holds no {REFERENCE} artefact to compare with")
    worst: dict[str, list[Apart]] = {name: [] for name in chosen}
    with ExitStack() as stack:
        locators = {
            name: stack.enter_context(Locator(precision, backend=backend, bundle=bundle.directory))
            for name, (precision, backend) in chosen.items()
        }
        shown = tqdm(pictures.samples, total=pictures.count, desc=pictures.name, disable=None)
        gallery = _Gallery(worst)
        outcomes, fingerprint = evaluate(locators, shown, gallery.seen)
        if pictures.fingerprint not in (None, fingerprint):
            raise CompressionError(
                f"the pictures of {pictures.name!r} have fingerprint {fingerprint}, expected "
                f"{pictures.fingerprint}: other photographs or library versions"
            )
        engines = {name: locator.describe() for name, locator in locators.items()}
    sizes = {name: _largest_mb(bundle, name) for name in chosen}
    return Agreement(pictures, fingerprint, outcomes, worst, sizes, engines)


def latencies(bundle: Bundle, names: Iterable[str]) -> dict[str, Latency]:
    """Of whole predictions of a 340 x 190 picture, here, about a second each."""
    timed, found = sample_picture(), {}
    for name in names:
        precision, backend = runnable(bundle)[name]
        with Locator(precision, backend=backend, bundle=bundle.directory) as locator:
            found[name] = time_calls(partial(locator.predict, timed), LATENCY_S)
    return found


def _largest_mb(bundle: Bundle, name: str) -> float:
    files = bundle.manifest.artefacts[name].files.values()
    return max((bundle.directory / file).stat().st_size for file in files) / 1e6


class _Gallery:
    """Keeps the pictures with the largest shifts."""

    def __init__(self, worst: dict[str, list[Apart]]) -> None:
        self._worst, self._number = worst, 0

    def seen(self, sample: Sample, answers: Mapping[str, Location]) -> None:
        """See `train.evaluate.evaluate`."""
        reference = answers[REFERENCE]
        for name, answer in answers.items():
            shift = max(
                (
                    _distance_px(getattr(reference, point), getattr(answer, point))
                    for point, true in zip(
                        POINTS, (sample.gap_picture_xy, sample.slider_picture_xy), strict=True
                    )
                    if true is not None and (point, sample.difficulty) != ("gap", "ambiguous")
                ),
                default=0.0,
            )
            if shift > 0:
                kept = self._worst[name]
                kept.append(Apart(self._number, shift, sample.picture, reference, answer))
                kept.sort(key=lambda apart: -apart.shift_px)
                del kept[GALLERY:]
        self._number += 1


def _distance_px(a: Any, b: Any) -> float:
    return math.hypot(a.x - b.x, a.y - b.y)


def shifts_px(reference: Outcomes, other: Outcomes, point: str) -> NDArray[np.float64]:
    """f64 [N]: distances of one point's two answers; nan where it has no right answer."""
    distances = [
        _distance_px(getattr(a.answer, point), getattr(b.answer, point))
        for a, b in zip(reference.cases, other.cases, strict=True)
    ]
    return np.where(_asked(reference, point), np.array(distances, np.float64), np.nan)


def _asked(outcomes: Outcomes, point: str) -> NDArray[np.bool_]:
    """bool [N]: whether a picture has a right answer for the point."""
    exists = outcomes.column(point).exists
    return exists & ~outcomes.of_class("ambiguous") if point == "gap" else exists


def compared(reference: Outcomes, other: Outcomes) -> dict[str, Any]:
    """All figures of an artefact, whole, by point and by difficulty class.

    Flat: mae_px, mae_added_px, accuracy_Npx, accuracy_lost_Npx (shares), and the shift of a
    picture's points from FP32's: shift_p50_px, _p99_px, _max_px, and shift_right_p99_px over the
    pictures that FP32 gets right. Ambiguous pictures are left out; nan where there is nothing.
    """
    clear = ~reference.of_class("ambiguous")
    by_class = {
        name: _figures(reference, other, POINTS, reference.of_class(name))
        for name in DIFFICULTIES
        if reference.of_class(name).any()
    }
    return {
        **_figures(reference, other, POINTS, clear),
        "points": {point: _figures(reference, other, (point,), clear) for point in POINTS},
        "classes": by_class,
    }


def _figures(
    reference: Outcomes, other: Outcomes, points: Sequence[str], chosen: NDArray[np.bool_]
) -> dict[str, Any]:
    before, after = (_metrics(outcomes, points, chosen) for outcomes in (reference, other))
    shifts = np.stack([shifts_px(reference, other, point)[chosen] for point in points])
    errors = np.stack([reference.column(point).errors_px[chosen] for point in points])
    asked = ~np.isnan(shifts).all(axis=0)
    per_picture = np.nanmax(shifts[:, asked], axis=0)
    right = np.where(np.isnan(shifts), 0.0, errors)[:, asked].max(axis=0) <= RIGHT_WITHIN_PX
    return {
        "pictures": int(asked.sum()),
        "mae_px": after.mae_px,
        "mae_added_px": after.mae_px - before.mae_px,
        **{f"accuracy_{px}px": after.accuracy[px] for px in THRESHOLDS_PX},
        **{
            f"accuracy_lost_{px}px": before.accuracy[px] - after.accuracy[px]
            for px in THRESHOLDS_PX
        },
        **{f"shift_{name}_px": value for name, value in _spread(per_picture).items()},
        "shift_right_p99_px": _spread(per_picture[right])["p99"],
    }


def _metrics(outcomes: Outcomes, points: Sequence[str], chosen: NDArray[np.bool_]) -> PointMetrics:
    errors, trusted = [], []
    for point in points:
        column, used = outcomes.column(point), chosen & _asked(outcomes, point)
        errors.append(column.errors_px[used])
        trusted.append(column.trusted[used])
    return point_metrics(np.concatenate(errors), np.concatenate(trusted))


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    if not values.size:
        return dict.fromkeys(("p50", "p99", "max"), float("nan"))
    return {
        "p50": float(np.percentile(values, 50)),
        "p99": float(np.percentile(values, 99)),
        "max": float(values.max()),
    }
