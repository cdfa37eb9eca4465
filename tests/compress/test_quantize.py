from __future__ import annotations

import numpy as np
import openvino as ov
import pytest

from compress.calibration import CalibrationSet
from compress.quantize import (
    IrModel,
    decode_operations,
    executed_layers,
    layer_table,
    quantize,
)

DECODE_ONLY = {"Sigmoid", "ReduceMin", "Gather", "GatherElements", "Floor", "Equal"}


@pytest.fixture(scope="module")
def int8(onnx_bytes):
    canvases = np.random.default_rng(0).integers(0, 256, (4, 256, 512, 4), dtype=np.uint8)
    return quantize(onnx_bytes, CalibrationSet(canvases), "mixed")


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
    model = ov.Core().read_model(int8.xml, int8.weights)
    decode = set(decode_operations(model))
    quantisers = [
        op.get_friendly_name() for op in model.get_ordered_ops() if "Fake" in op.get_type_name()
    ]
    assert len(quantisers) > 40
    assert not decode.intersection(quantisers)


def test_every_convolution_executes_in_int8(int8, onnx_bytes):
    layers = {row.kind: row for row in executed_layers(int8)}
    fp32 = ov.Core().read_model(onnx_bytes)
    convolutions = sum(op.get_type_name() == "Convolution" for op in fp32.get_ordered_ops())
    assert layers["Convolution"].total == convolutions
    assert layers["Convolution"].int8 == convolutions
    assert "Const" not in layers
    lines = layer_table(list(layers.values())).splitlines()
    assert len(lines) == 1 + len(layers)
    assert ["Convolution", str(convolutions), str(convolutions)] in [row.split() for row in lines]


def test_a_network_that_was_not_quantised_is_told_as_such(onnx_bytes, tmp_path):
    ov.save_model(ov.Core().read_model(onnx_bytes), tmp_path / "m.xml", compress_to_fp16=False)
    fp32 = IrModel((tmp_path / "m.xml").read_bytes(), (tmp_path / "m.bin").read_bytes())
    layers = {row.kind: row for row in executed_layers(fp32)}
    assert layers["Convolution"].int8 == 0
    assert layers["Convolution"].total > 20
