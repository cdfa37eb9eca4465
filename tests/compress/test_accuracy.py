from __future__ import annotations

import math

import numpy as np
import openvino as ov
import pytest

from compress.accuracy import AccuracyControl, Labelled, generated
from runtime import Locator
from runtime.bundle import default_bundle_path
from train.synth import SynthOptions, render


def test_the_metric_is_minus_the_mean_error_of_whole_predictions():
    pictures = generated(4, None)
    core = ov.Core()
    model = core.read_model(default_bundle_path() / "fp32.onnx")
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    value, _ = AccuracyControl.metric(compiled, pictures)
    errors = []
    with Locator("fp32") as locator:
        for index in range(4):
            sample = render(30_005, index)
            answer = locator.predict(sample.picture)
            pairs = [(sample.slider_picture_xy, answer.slider)]
            if sample.difficulty != "ambiguous":
                pairs.append((sample.gap_picture_xy, answer.gap))
            errors += [math.dist(true, (p.x, p.y)) for true, p in pairs if true is not None]
    assert value == pytest.approx(-np.mean(errors), abs=1e-3)


def test_points_without_an_answer_do_not_count():
    options = SynthOptions(no_gap_probability=0.4, ambiguous_probability=0.4)
    samples = [render(5, index, options) for index in range(40)]
    keypoints = np.zeros((2, 4), np.float32)
    for difficulty, expected in (("normal", 2), ("negative", 1), ("ambiguous", 1)):
        one = next(
            s for s in samples if s.difficulty == difficulty and s.slider_picture_xy is not None
        )
        labelled = Labelled.of(one)
        assert len(labelled.errors_px(keypoints)) == expected
        gap_elsewhere = keypoints.copy()
        gap_elsewhere[0, 0] += 60
        moved_px = 60 / labelled.letterbox.scale_x if expected == 2 else 0.0
        assert labelled.shift_px(keypoints, gap_elsewhere) == pytest.approx(moved_px, rel=1e-4)
