from __future__ import annotations

import itertools

import openvino as ov
import pytest
from torch import nn

from compress.layers import (
    decode_operations,
    executed_layers,
    fallbacks,
    groups,
    layer_table,
    matching,
    name_layers,
)
from compress.quantize import quantize
from tests.compress.conftest import tiny_net
from train.model import fold

DECODE_ONLY = {"Sigmoid", "ReduceMin", "Gather", "GatherElements", "Floor", "Equal"}

CONVOLUTIONS = {
    name for name, part in fold(tiny_net()).named_modules() if isinstance(part, nn.Conv2d)
}


@pytest.fixture(scope="module")
def int8(onnx_bytes, canvases):
    return quantize(onnx_bytes, canvases, "mixed").read()


def test_decode_operations_are_those_from_the_logits_on(onnx_bytes):
    model = ov.Core().read_model(onnx_bytes)
    decode = set(decode_operations(model))
    kinds = {True: set(), False: set()}
    for op in model.get_ordered_ops():
        kinds[op.get_friendly_name() in decode].add(op.get_type_name())
    assert kinds[True] >= DECODE_ONLY
    assert not kinds[False] & DECODE_ONLY
    assert "Convolution" not in kinds[True]
    assert {"Convolution", "Relu", "Interpolate"} <= kinds[False]


def test_no_quantiser_from_the_logits_on(int8):
    decode = set(decode_operations(int8))
    quantisers = [
        op.get_friendly_name() for op in int8.get_ordered_ops() if "Fake" in op.get_type_name()
    ]
    assert len(quantisers) > 40
    assert not decode.intersection(quantisers)


def _count(model: ov.Model, kind: str) -> int:
    return sum(op.get_type_name() == kind for op in model.get_ordered_ops())


def test_every_convolution_executes_in_int8(int8, onnx_bytes):
    layers = executed_layers(int8)
    convolutions = [layer for layer in layers if layer.kind == "Convolution"]
    expected = _count(ov.Core().read_model(onnx_bytes), "Convolution")
    assert len(convolutions) == expected
    assert all(layer.int8 for layer in convolutions)
    assert {layer.name for layer in convolutions} == CONVOLUTIONS
    assert "Const" not in {layer.kind for layer in layers}
    assert {layer.kind for layer in fallbacks(layers)} <= {"MatMul"}, "attention's products"
    table = [line.split() for line in layer_table(layers).splitlines()]
    assert ["Convolution", str(expected), str(expected)] in table


def test_a_network_that_was_not_quantised_is_told_as_such(onnx_bytes):
    model = ov.Core().read_model(onnx_bytes)
    assert set(name_layers(model)) == CONVOLUTIONS
    layers = executed_layers(model)
    assert {layer.name for layer in fallbacks(layers)} > CONVOLUTIONS
    assert "not in INT8: Convolution stem.0.0 (f32)" in layer_table(layers)


def test_every_layer_is_in_one_group():
    found = [matching(CONVOLUTIONS, (pattern,)) for pattern in groups().values()]
    assert all(found)
    assert sorted(itertools.chain(*found)) == sorted(CONVOLUTIONS)


def test_layers_that_stay_in_floating_point(onnx_bytes, canvases):
    pattern = groups()["head"]
    model = quantize(onnx_bytes, canvases, "mixed", floating=(pattern,)).read()
    fallen = {layer.name for layer in fallbacks(executed_layers(model))}
    assert fallen & CONVOLUTIONS == {"head.block.0", "head.out"}
