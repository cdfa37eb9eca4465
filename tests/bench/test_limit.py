"""Multiply-accumulates, bytes and peaks, against hand counts."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from bench import limit
from bench.latency import picture
from bench.subjects import canvas_of
from compress.layers import name_layers
from runtime.backends.base import INPUT_SHAPE
from runtime.bundle import Bundle, default_bundle_path
from train.config import parse_config
from train.summary import summarise


def test_the_probe_runs_in_the_precision_it_stands_for():
    for int8, precisions in ((True, {"i8", "u8"}), (False, {"f32"})):
        compiled = ov.Core().compile_model(limit.probe_model(int8), "CPU", limit.settings(1))
        found = [
            str(op.get_rt_info()["runtimePrecision"].value)
            for op in compiled.get_runtime_model().get_ordered_ops()
            if str(op.get_rt_info()["layerType"].value) == "Convolution"
        ]
        assert len(found) == limit.PROBE_LAYERS
        assert set(found) <= precisions


def test_macs_of_a_convolution():
    given = ops.parameter([1, 3, 8, 10], np.float32)
    weight = ops.constant(np.zeros((5, 3, 3, 3), np.float32))
    convolution = ops.convolution(given, weight, [2, 2], [1, 1], [1, 1], [1, 1])
    assert limit._macs(convolution) == 5 * 4 * 5 * 3 * 3 * 3


def test_the_networks_convolutions_are_those_of_its_summary(monkeypatch):
    monkeypatch.setattr(limit, "PROFILED_CALLS", 3)
    bundle = Bundle.open(default_bundle_path())
    files = bundle.read(bundle.artefact("fp32", "openvino"))
    model = ov.Core().read_model(files["model"])
    name_layers(model)
    layers = limit.convolutions(model, 1, canvas_of(picture()).reshape(INPUT_SHAPE))
    config = parse_config({"model": bundle.manifest.model.config}).model
    # The summary counts matrix products as well: the row attention's.
    convolved = sum(layer.macs for layer in layers)
    assert convolved == pytest.approx(summarise(config)[-1].macs, rel=0.02)
    assert len({layer.name for layer in layers}) == len(layers)
    assert [layer.ms for layer in layers] == sorted((x.ms for x in layers), reverse=True)
    assert all(layer.precision == "f32" and layer.bytes > 0 for layer in layers)
