"""Fit what a bundle's answers are trusted by: `python -m compress.thresholds BUNDLE`.

Pictures are generated, a quarter of them without a gap, and the bundle answers them. An answer is
right when both points lie within 5 px of the truth; on a picture that lacks a gap or a piece, or
is ambiguous, every answer is wrong. Of all thresholds that refuse at most a given share of the
right answers, those that refuse most of the wrong ones are written into the manifest. Half of the
pictures is fitted on; the rates are those of the other half.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from compress.errors import CompressionError, run_command
from compress.package import check_replaceable, set_thresholds
from runtime import Bundle, Location, Locator
from runtime.bundle import ThresholdFit, Thresholds
from runtime.geometry import CANVAS_HEIGHT, STRIDE
from runtime.trust import doubts
from runtime.view import View
from train.arguments import positive, share
from train.synth import Sample, SynthOptions, held_out, render

RIGHT_WITHIN_PX = 5.0
# A stream of its own: neither training, calibration nor any test set draws from it.
SEED = 30_004
_OPTIONS = SynthOptions(no_gap_probability=0.25)
# In each half. Of the right answers to 1,000, seven are the hundredth that may be refused: too few,
# another 1,000 lost half as many again.
PICTURES = 3000
_STEPS = 12  # candidates of each threshold
# The generator puts both points on one row exactly, real puzzles less so. Rows of neighbouring
# heatmap cells agree for the decode; so they do here.
_SAME_ROW_CANVAS_PX = 2.0 * STRIDE


@dataclasses.dataclass(frozen=True)
class Case:
    """One picture's answer, whether it is right, and whether the picture has a gap at all."""

    answer: Location
    right: bool
    has_gap: bool

    @classmethod
    def of(cls, sample: Sample, answer: Location) -> Case:
        """Compare an answer with the truth."""
        return cls(answer, _is_right(sample, answer), sample.gap_picture_xy is not None)

    @property
    def view(self) -> View:
        """The picture, seen whole."""
        return View.whole(self.answer.picture_width, self.answer.picture_height)

    def refused(self, thresholds: Thresholds) -> bool:
        """Whether the answer would not be trusted."""
        return bool(doubts(self.answer.gap, self.answer.slider, self.view, thresholds))


def _is_right(sample: Sample, answer: Location) -> bool:
    pairs = ((sample.gap_picture_xy, answer.gap), (sample.slider_picture_xy, answer.slider))
    return sample.difficulty != "ambiguous" and all(
        true is not None and math.dist(true, (found.x, found.y)) <= RIGHT_WITHIN_PX
        for true, found in pairs
    )


def fit(cases: Sequence[Case], max_false_abstention: float) -> Thresholds:
    """The thresholds that refuse most wrong answers and at most that share (0..1) of the right.

    Each threshold is tried where it alone refuses a part of that share, and switched off; the
    loosest of equally good ones is taken. Raises CompressionError when no answer is wrong, or so
    few are right that the share is less than one of them.
    """
    right = np.array([case.right for case in cases], dtype=bool)
    if right.all() or right.sum() * max_false_abstention < 1:
        raise CompressionError(
            f"{right.sum()} of {len(cases)} answers are right, too few or too many to refuse "
            f"{max_false_abstention:g} of them: fit on more pictures, or train first"
        )
    score, rival, rows_canvas_px = _statistics(cases)
    outside = np.array([case.refused(Thresholds(min_score=0.0)) for case in cases])
    shares = np.linspace(0, max_false_abstention, _STEPS)
    candidates = itertools.product(
        _at_least(score[right], shares, 0.0),
        _at_most(rival[right], shares, 1.0),
        _at_most(
            np.maximum(rows_canvas_px[right], _SAME_ROW_CANVAS_PX), shares, float(CANVAS_HEIGHT)
        ),
    )
    best, best_refused = Thresholds(min_score=0.0), -1
    for min_score, max_rival, max_rows in candidates:
        refused = outside | (score < min_score) | (rival > max_rival) | (rows_canvas_px > max_rows)
        wrong_refused = int(refused[~right].sum())
        if refused[right].mean() <= max_false_abstention and wrong_refused > best_refused:
            best, best_refused = Thresholds(min_score, max_rival, max_rows), wrong_refused
    return best


def _statistics(cases: Sequence[Case]) -> NDArray[np.float64]:
    """f64 [3, N]: the lower score, the higher rival, the rows' difference in canvas pixels."""
    rows = []
    for case in cases:
        gap, slider = case.answer.gap, case.answer.slider
        difference_canvas_px = abs(gap.y - slider.y) * case.view.letterbox.scale_y
        rows.append(
            (min(gap.score, slider.score), max(gap.rival, slider.rival), difference_canvas_px)
        )
    return np.array(rows, dtype=np.float64).T


def _at_least(
    values: NDArray[np.float64], shares: NDArray[np.float64], never: float
) -> list[float]:
    """Lower limits, rounded outwards to three decimals, that refuse these shares of the values."""
    limits = np.quantile(values, shares, method="lower")
    return [never, *np.unique(np.floor(limits * 1000) / 1000).tolist()]


def _at_most(values: NDArray[np.float64], shares: NDArray[np.float64], never: float) -> list[float]:
    """Upper limits, as above, none beyond the one that never refuses."""
    limits = np.quantile(values, 1 - shares, method="higher")
    rounded = np.unique(np.ceil(limits * 1000) / 1000)[::-1]
    return [never, *np.minimum(rounded, never).tolist()]


def rates(cases: Sequence[Case], thresholds: Thresholds) -> tuple[float, float, float]:
    """Shares refused of the right answers, of the wrong ones, and on pictures without a gap."""

    def share_refused(chosen: list[Case]) -> float:
        if not chosen:
            raise CompressionError("too few pictures to state rates: give more of them")
        return sum(case.refused(thresholds) for case in chosen) / len(chosen)

    return (
        share_refused([case for case in cases if case.right]),
        share_refused([case for case in cases if not case.right]),
        share_refused([case for case in cases if not case.has_gap]),
    )


def answered(bundle: Bundle, samples: Iterator[Sample], count: int) -> dict[str, list[Case]]:
    """Every precision's cases: precision -> one for each of `count` pictures."""
    cases: dict[str, list[Case]] = {precision: [] for precision in bundle.precisions}
    locators = {name: Locator(name, device="cpu", bundle=bundle.directory) for name in cases}
    for sample in tqdm(itertools.islice(samples, count), total=count, disable=None):
        for precision, locator in locators.items():
            cases[precision].append(Case.of(sample, locator.predict(sample.picture)))
    for locator in locators.values():
        locator.close()
    return cases


def fit_bundle(
    bundle: Bundle,
    *,
    pictures: int,
    precision: str = "int8",
    backgrounds: Path | None = None,
    max_false_abstention: float = 0.01,
) -> str:
    """Fit thresholds on so many pictures, measure them on as many others, write them; a report.

    Raises CompressionError for a precision that the bundle does not hold, a folder that holds more
    than the bundle, and as `fit`.
    """
    check_replaceable(bundle.directory)
    if precision not in bundle.precisions:
        held = ", ".join(bundle.precisions)
        raise CompressionError(f"{bundle.directory} holds {held}, not {precision}")
    photographs = held_out(backgrounds) if backgrounds else None
    samples = (render(SEED, index, _OPTIONS, photographs) for index in itertools.count())
    cases = answered(bundle, samples, 2 * pictures)
    limits = fit(cases[precision][:pictures], max_false_abstention)
    measured = {name: rates(each[pictures:], limits) for name, each in cases.items()}
    made = ThresholdFit(precision, pictures, *(round(r, 4) for r in measured[precision]))
    set_thresholds(bundle, dataclasses.replace(limits, fit=made))
    return _report(bundle, pictures, precision, limits, measured)


def _report(
    bundle: Bundle,
    pictures: int,
    precision: str,
    limits: Thresholds,
    measured: dict[str, tuple[float, float, float]],
) -> str:
    lines = [
        f"fitted on {pictures} pictures answered by {precision}: "
        f"score >= {limits.min_score:g}, rival <= {limits.max_rival:g}, "
        f"rows within {limits.max_row_difference_canvas_px:g} canvas px",
        f"refused, of {pictures} other pictures:",
        f"{'':<12}{'right':>8}{'wrong':>8}{'no gap':>8}",
    ]
    lines += [
        f"{name:<12}" + "".join(f"{value:>8.1%}" for value in values)
        for name, values in measured.items()
    ]
    lines.append(
        f"written to {bundle.directory}; its measured figures were removed, as they count refused "
        "answers: measure anew with train.evaluate and compress.record"
    )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 with one line on stderr when something was unusable."""
    parser = argparse.ArgumentParser(
        prog="python -m compress.thresholds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument(
        "--backgrounds",
        type=Path,
        metavar="DIR",
        help="photographs, of which those are used that training does not show",
    )
    parser.add_argument(
        "--pictures",
        type=positive,
        default=PICTURES,
        metavar="N",
        help="in each half (default: %(default)s)",
    )
    parser.add_argument("--precision", default="int8", help="whose answers to fit on")
    parser.add_argument(
        "--max-false-abstention",
        type=share,
        default=0.01,
        metavar="SHARE",
        help="of the right answers, at most this share is refused (default: %(default)s)",
    )
    given = parser.parse_args(argv)
    return run_command(
        lambda: fit_bundle(
            Bundle.open(given.bundle),
            pictures=given.pictures,
            precision=given.precision,
            backgrounds=given.backgrounds,
            max_false_abstention=given.max_false_abstention,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
