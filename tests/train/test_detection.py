"""Counted answers against loops and against torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_precision, binary_recall

from train.detection import DETECTION_PX, Detection, count_detections, precision_recall_pairs


def pictures(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 10, 80), rng.random(80) < 0.7, rng.random(80)


def test_counts_equal_a_loop() -> None:
    errors, exists, scores = pictures()
    answered = scores >= 0.3
    tp = fp = fn = tn = 0
    for error, there, said in zip(errors, exists, answered, strict=True):
        if there and said and error <= 5:
            tp += 1
        elif there and said:
            fp, fn = fp + 1, fn + 1
        elif there:
            fn += 1
        elif said:
            fp += 1
        else:
            tn += 1
    counted = count_detections(errors, exists, answered)
    assert counted == Detection(tp, fp, fn, tn)
    assert min(tp, fp, fn, tn) > 0
    assert counted.precision == tp / (tp + fp)
    assert counted.recall == tp / (tp + fn)
    harmonic = 2 * counted.precision * counted.recall / (counted.precision + counted.recall)
    assert counted.f1 == pytest.approx(harmonic)


def test_the_threshold_itself_is_right() -> None:
    errors = np.array([DETECTION_PX, np.nextafter(DETECTION_PX, 9)])
    assert count_detections(errors, np.ones(2, bool), np.ones(2, bool)) == Detection(1, 1, 1, 0)


def test_no_positives_are_named_and_not_zero() -> None:
    counted = count_detections(np.zeros(1319), np.zeros(1319, bool), np.ones(1319, bool))
    assert counted == Detection(tp=0, fp=1319, fn=0, tn=0)
    assert all(math.isnan(share) for share in (counted.precision, counted.recall, counted.f1))
    assert "tp: 0, fp: 1319, fn: 0, tn: 0, no positives" in str(counted)


def test_positives_that_are_all_missed_are_zero() -> None:
    counted = Detection(tp=0, fp=2, fn=3, tn=0)
    assert (counted.precision, counted.recall, counted.f1) == (0, 0, 0)
    refused = Detection(tp=0, fp=0, fn=3, tn=0)
    assert math.isnan(refused.precision)
    assert (refused.recall, refused.f1) == (0, 0)


def test_the_text_has_every_figure() -> None:
    text = str(Detection(tp=3, fp=1, fn=1, tn=2))
    assert text == (
        "distance thr: 5 px, tp: 3, fp: 1, fn: 1, tn: 2, precision: 0.7500, recall: 0.7500, "
        "f1: 0.7500"
    )


@pytest.mark.parametrize("threshold", [0.01, 0.25, 0.5, 0.9])
def test_the_curve_counts_as_the_counts_do_at_every_threshold(threshold: float) -> None:
    errors, exists, scores = pictures(1)
    counted = count_detections(errors, exists, scores >= threshold)
    pair_scores, labels = (
        torch.from_numpy(a) for a in precision_recall_pairs(errors, exists, scores)
    )
    said = (pair_scores >= threshold).int()
    assert float(binary_precision(said, labels.int())) == pytest.approx(counted.precision)
    assert float(binary_recall(said, labels.int())) == pytest.approx(counted.recall)
