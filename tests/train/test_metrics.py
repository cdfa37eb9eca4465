"""Metrics against brute force."""

import math

import numpy as np
import pytest

from train.metrics import angle_errors_deg, point_errors_px, point_metrics


def test_metrics_equal_a_loop() -> None:
    rng = np.random.default_rng(7)
    true, found = rng.uniform(0, 100, (60, 2)), rng.uniform(0, 100, (60, 2))
    found[:40] = true[:40] + rng.normal(0, 3, (40, 2))
    ok = rng.random(60) > 0.2
    errors = point_errors_px(found, true)
    loop = [math.dist(a, b) for a, b in zip(found, true, strict=True)]
    np.testing.assert_allclose(errors, loop)
    metrics = point_metrics(errors, ok)
    assert metrics.mae_px == pytest.approx(sum(loop) / 60)
    for px, share in metrics.accuracy.items():
        hits = sum(1 for e, stands in zip(loop, ok, strict=True) if e <= px and stands)
        assert share == pytest.approx(hits / 60)
    assert metrics.refused == pytest.approx(1 - ok.mean())


def test_no_pictures_is_nan_and_not_zero() -> None:
    metrics = point_metrics(np.empty(0), np.empty(0, bool))
    assert metrics.count == 0
    assert math.isnan(metrics.mae_px)
    assert math.isnan(metrics.accuracy[5])


def test_angles_wrap() -> None:
    errors = angle_errors_deg(np.array([179.0, -10.0, 5.0]), np.array([-179.0, 10.0, 5.0]))
    np.testing.assert_allclose(errors, [2, 20, 0])
