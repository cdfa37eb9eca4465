"""Outcomes whose figures are known: pictures of discs and answers from a script."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from runtime import Keypoint, Location
from tests.train.fakes import sample
from train.causes import measure
from train.outcomes import Outcomes
from train.synth import Sample

Point = tuple[float, float]


def answer(
    gap: Point,
    slider: Point,
    angle_deg: float = 0.0,
    reasons: tuple[str, ...] = (),
    scores: tuple[float, float] = (0.9, 0.9),
) -> Location:
    """An answer for a picture of 340 x 190 pixels."""
    points = (Keypoint(*gap, scores[0], 0.1), Keypoint(*slider, scores[1], 0.1))
    return Location(*points, angle_deg, 340, 190, reasons)


def add(outcomes: Outcomes, one: Sample, location: Location, predict_ms: float = 2.0) -> None:
    """Add a picture with its measured conditions."""
    outcomes.add(one, measure(one), location, predict_ms)


def known_outcomes() -> Outcomes:
    """Six pictures: gap errors 5, 0 and (refused) 0; two without a gap; one ambiguous."""
    gap, slider = (200.0, 90.0), (40.0, 90.0)
    outcomes = Outcomes()
    add(outcomes, sample(angle_deg=0.0), answer((203, 94), slider), predict_ms=100.0)
    rotated = sample(angle_deg=30.0, difficulty="rotated")
    add(outcomes, rotated, answer(gap, (40, 92), angle_deg=27.0), predict_ms=2.0)
    refused = answer(gap, slider, reasons=("gap score 0.1 is below 0.3",), scores=(0.1, 0.9))
    add(outcomes, sample(difficulty="confusing", angle_deg=0.0), refused, predict_ms=4.0)
    nothing = sample(gap=None, angle_deg=None, difficulty="negative")
    add(outcomes, nothing, refused, predict_ms=6.0)
    add(outcomes, nothing, answer((1, 1), slider), predict_ms=8.0)
    twins = sample(difficulty="ambiguous", angle_deg=0.0)
    add(outcomes, twins, answer((300, 90), slider), predict_ms=10.0)
    return outcomes


def many_outcomes(count: int = 60, seed: int = 1) -> Outcomes:
    """Pictures of four classes with errors from below a pixel to 200 px, some refused."""
    rng, outcomes = np.random.default_rng(seed), Outcomes()
    one = sample()
    for number in range(count):
        difficulty = ("normal", "confusing", "noise", "negative")[number % 4]
        gap = None if difficulty == "negative" else one.gap_picture_xy
        shown = replace(one, difficulty=difficulty, gap_picture_xy=gap)
        off = rng.choice([-1, 1], 2) * np.exp(rng.uniform(-2, 5, 2))
        score = float(rng.uniform(0.1, 1))
        reasons = ("gap score is low", "slider score is low") if score < 0.25 else ()
        found = answer((200 + off[0], 90), (40, 90 + off[1]), 0.0, reasons, (score, score))
        add(outcomes, shown, found, float(rng.uniform(2, 3)))
    return outcomes
