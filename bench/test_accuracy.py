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
        gap=_with_intervals(np.array(errors_px)),
    )


def _figures(outcomes: Outcomes, points: list[str]) -> dict[str, Any]:
    columns = [outcomes.column(point) for point in points]
    clear = ~outcomes.of_class("ambiguous")
    chosen = {"all": clear} | {name: outcomes.of_class(name) for name in DIFFICULTIES}
    picked = {
        name: [
            np.concatenate([getattr(column, values)[mask & column.exists] for column in columns])
            for values in ("errors_px", "trusted")
        ]
        for name, mask in chosen.items()
    }
    return {name: _with_intervals(*each) for name, each in picked.items() if len(each[0]) > 1}


def _with_intervals(
    errors_px: NDArray[np.float64], trusted: NDArray[np.bool_] | None = None
) -> Mapping[str, Any]:
    """The mean error and accuracies with their 95 % bootstrap intervals, over the pictures.

    trusted: which answers the locator stood by; the others are misses. All of them when None.
    """
    counted = np.ones(len(errors_px), bool) if trusted is None else trusted
    values = {"mae_px": errors_px} | {
        f"accuracy_{limit}px": ((errors_px <= limit) & counted).astype(np.float64)
        for limit in LIMITS_PX
    }
    return {"pictures": len(errors_px)} | {
        name: {"value": float(each.mean()), **_interval(each)} for name, each in values.items()
    }


def _interval(values: NDArray[np.float64]) -> dict[str, float]:
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return {"low": float(found.low), "high": float(found.high)}
