"""How often every artefact is right: the same generated pictures for all, with intervals."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import bootstrap

from bench.conftest import Record
from bench.subjects import match_template
from runtime import Bundle, Locator
from train.evaluate import evaluate
from train.outcomes import Outcomes
from train.synth import DIFFICULTIES, Sample
from train.testsets import load_testset, samples_of

TESTSET, PICTURES, QUICK_PICTURES = "fixed-procedural", 400, 60
LIMITS_PX = (1, 3, 5, 10)
# Decoding a cell off would cost tens of per cents; chance on so many pictures does not.
MARGIN = 0.06
ARTEFACTS = [
    pytest.param("int8", "openvino", marks=pytest.mark.quick),
    ("fp32", "openvino"),
    ("fp16", "openvino"),
    ("int8", "onnxruntime"),
    ("fp32", "onnxruntime"),
]


@pytest.fixture(scope="module")
def samples(pytestconfig: pytest.Config) -> list[Sample]:
    count = QUICK_PICTURES if "quick" in pytestconfig.option.keyword else PICTURES
    return list(samples_of(load_testset(TESTSET), None, count))


@pytest.mark.parametrize(("precision", "backend"), ARTEFACTS)
def test_accuracy(
    record: Record, bundle: str, samples: list[Sample], precision: str, backend: str
) -> None:
    with Locator(precision, backend=backend, bundle=bundle, threads=2) as locator:
        outcomes = evaluate({precision: locator}, samples)[0][precision]
    figures = {
        name: _figures(outcomes, points)
        for name, points in {
            "gap": ["gap"],
            "slider": ["slider"],
            "both": ["gap", "slider"],
        }.items()
    }
    record(
        [case.predict_ms / 1e3 for case in outcomes.cases],
        subject="accuracy",
        testset=TESTSET,
        pictures=len(samples),
        precision=precision,
        backend=backend,
        points=figures,
        angle_error_deg=outcomes.summary()["angle_error_deg"]["mean"],
    )
    measured = Bundle.open(bundle).manifest.artefacts["fp32"].measured[TESTSET]
    for point in ("gap", "slider"):
        found, least = figures[point]["all"], measured[f"{point}_accuracy_3px"] - MARGIN
        assert found["accuracy_3px"]["high"] >= least, f"{point}: {found}"


def test_template_matching(record: Record, samples: list[Sample]) -> None:
    """The classical way, told where the piece is: how far from the gap it says the gap is."""
    times_s, errors_px = [], []
    for sample in samples:
        if not (sample.gap_picture_xy and sample.slider_picture_xy) or (
            sample.difficulty == "ambiguous"
        ):
            continue
        start = time.perf_counter()
        found = match_template(sample)
        times_s.append(time.perf_counter() - start)
        errors_px.append(np.hypot(*np.subtract(found, sample.gap_picture_xy)))
    record(
        times_s,
        subject="template matching",
        pictures=len(errors_px),
        gap=_with_intervals(np.array([errors_px])),
    )


def _figures(outcomes: Outcomes, points: list[str]) -> dict[str, Any]:
    columns = [outcomes.column(point) for point in points]
    clear = ~outcomes.of_class("ambiguous")
    chosen = {"all": clear} | {name: outcomes.of_class(name) for name in DIFFICULTIES}
    exist = np.stack([column.exists for column in columns])
    errors_px = np.where(exist, np.stack([column.errors_px for column in columns]), np.nan)
    trusted = np.stack([column.trusted for column in columns])
    picked = {name: mask & exist.any(axis=0) for name, mask in chosen.items()}
    return {
        name: _with_intervals(errors_px[:, mask], trusted[:, mask])
        for name, mask in picked.items()
        if mask.sum() > 1
    }


def _with_intervals(
    errors_px: NDArray[np.float64], trusted: NDArray[np.bool_] | None = None
) -> Mapping[str, Any]:
    """The mean error and accuracies with their 95 % bootstrap intervals, over the pictures.

    errors_px: [points, pictures], nan for a point that a picture lacks; the two points of a picture
    are drawn together, as they are mostly missed together.
    trusted: which answers the locator stood by; the others are misses. All of them when None.
    """
    asked = ~np.isnan(errors_px)
    counted = asked if trusted is None else asked & trusted
    sums = {"mae_px": np.nansum(errors_px, axis=0)} | {
        f"accuracy_{limit}px": ((errors_px <= limit) & counted).sum(axis=0) for limit in LIMITS_PX
    }
    counts = asked.sum(axis=0)
    return {"pictures": errors_px.shape[1]} | {
        name: {"value": float(_ratio(each, counts)), **_interval(each, counts)}
        for name, each in sums.items()
    }


def _ratio(sums: NDArray[Any], counts: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
    return np.asarray(sums.sum(axis=axis) / counts.sum(axis=axis))


def _interval(sums: NDArray[Any], counts: NDArray[Any]) -> dict[str, float]:
    found = bootstrap(
        (sums, counts),
        _ratio,
        paired=True,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return {"low": float(found.low), "high": float(found.high)}
