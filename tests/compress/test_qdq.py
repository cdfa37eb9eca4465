"""The Q/DQ network: exact against NNCF's own quantisers, and as TensorRT wants it."""

from __future__ import annotations

import copy

import numpy as np
import onnx
import openvino as ov
import pytest
import tensorrt_rtx as trt
import torch
from onnx import TensorProto, numpy_helper

from compress.fakequant import quantized, quantizers, signed_activations
from compress.graph import DeployedGraph, joint_scores
from compress.layers import executed_layers, fallbacks
from compress.onnx_graphs import fp16_onnx
from compress.qdq import qdq_onnx
from runtime.backends import engine
from runtime.backends.tensorrt import build as build_module
from runtime.backends.tensorrt.build import RTX, build
from runtime.geometry import STRIDE
from tests.compress.conftest import tiny_net
from train.data import network_input
from train.model import fold


@pytest.fixture(scope="module")
def signed(quantized_net) -> bytes:
    return qdq_onnx(quantized_net, 1.0, signed=True)


@pytest.fixture(scope="module")
def unsigned(quantized_net) -> bytes:
    return qdq_onnx(quantized_net, 1.0, signed=False)


def _model(data: bytes) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    graph = onnx.load_from_string(data).graph
    return list(graph.node), {t.name: numpy_helper.to_array(t) for t in graph.initializer}


@pytest.mark.parametrize("is_signed", [False, True])
def test_onnx_runtime_answers_as_the_quantisers_do(
    is_signed, signed, unsigned, quantized_net, canvases
):
    net = copy.deepcopy(quantized_net)
    if is_signed:
        signed_activations(net)
    graph = DeployedGraph(net, 1.0)
    files = {"model": signed if is_signed else unsigned}
    backend = engine("onnxruntime").load(files, "onnx", "cpu", 1)
    for canvas in canvases.canvases:
        with torch.no_grad():
            keypoints, angle = graph(torch.from_numpy(canvas)[None])
            joint = joint_scores(torch.sigmoid(graph.raw(torch.from_numpy(canvas)[None])[:, :2]), 1)
        found = backend.infer(canvas)
        # Sums in another order may land on the neighbouring step of 127 or 255: of two peaks that
        # are as good as each other, and noise has many, either may win.
        assert found.keypoints[:, 2] == pytest.approx(keypoints[0, :, 2].numpy(), abs=1.5e-2)
        same = [_is_as_good(joint[0, p], *found.keypoints[p, :2], keypoints[0, p]) for p in (0, 1)]
        if same[0]:
            assert found.angle == pytest.approx(angle[0].numpy(), abs=0.05)


def _is_as_good(joint: torch.Tensor, x: float, y: float, wanted: torch.Tensor) -> bool:
    """Asserts that a joint score [64, 128] is hardly lower at a found point (canvas pixels) than
    where it should be; whether it is the same place."""
    if wanted[:2].numpy() == pytest.approx([x, y], abs=0.2):
        return True
    row, column = (int((at + 0.5) / STRIDE) for at in (y, x))
    around = joint[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    assert around.max() > 0.95 * joint.max()
    return False


def test_the_raw_maps_are_not_quantised(quantized_net, canvases):
    """One step for logits and offsets together would leave the offsets a few values."""
    with torch.no_grad():
        raw = quantized_net(network_input(torch.from_numpy(canvases.canvases)))
    assert len(raw[:, 2:6].unique()) > 1000


def test_what_is_exported_is_left_as_it_was(quantized_net, unsigned):
    assert any(not quantizer.signed for _, quantizer in quantizers(quantized_net))
    assert qdq_onnx(quantized_net, 1.0, signed=False) == unsigned


def test_weights_are_int8_and_every_zero_point_is_0(signed):
    nodes, values = _model(signed)
    made = {output: node for node in nodes for output in node.output}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    assert len(convolutions) > 20
    used: list[np.ndarray] = []
    for node in convolutions:
        data, weight = made[node.input[0]], made[node.input[1]]
        assert (data.op_type, weight.op_type) == ("DequantizeLinear", "DequantizeLinear")
        codes = values[weight.input[0]]
        assert codes.dtype == np.int8
        assert codes.min() >= -127
        largest = np.abs(codes.astype(int)).reshape(len(codes), -1).max(axis=1)
        used += [largest > 60]  # attention's projection starts with zeros
    assert np.mean(np.concatenate(used)) > 0.9
    for node in nodes:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero = values[node.input[2]]
            assert zero.dtype == np.int8
            assert not zero.any()


def test_unsigned_activations_keep_twice_the_steps(signed, unsigned):
    scales = []
    for data in (unsigned, signed):
        nodes, values = _model(data)
        quantize = [node for node in nodes if node.op_type == "QuantizeLinear"]
        scales.append({n.name: (values[n.input[1]], values[n.input[2]].dtype) for n in quantize})
    kinds = {name: dtype for name, (_, dtype) in scales[0].items()}
    assert {str(dtype) for dtype in kinds.values()} == {"int8", "uint8"}
    for name, (scale, _) in scales[1].items():
        ratio = 255 / 127 if kinds[name] == np.uint8 else 1.0
        assert scale == pytest.approx(scales[0][name][0] * ratio, rel=1e-5)


def test_openvino_runs_every_convolution_in_int8(unsigned):
    layers = executed_layers(ov.Core().read_model(unsigned))
    assert sum(layer.kind == "Convolution" for layer in layers) > 20
    assert not fallbacks(layers)


def test_nothing_is_quantised_right_after_a_reduction(unsigned):
    """OpenVINO 2026.4 fuses the two into one operation with unsigned bytes: what is negative is
    lost, unless pooling takes a row's maximum."""
    nodes, _ = _model(unsigned)
    made = {output: node.op_type for node in nodes for output in node.output}
    quantised = [made.get(n.input[0], "") for n in nodes if n.op_type == "QuantizeLinear"]
    assert "Relu" in quantised
    assert not [kind for kind in quantised if kind.startswith("Reduce")]
    assert sum(node.op_type == "MaxPool" for node in nodes) > 2  # rows', and two of the decode


def test_layers_that_stay_in_floating_point(canvases):
    net = quantized(fold(tiny_net()), canvases, (r"\.branches\.0\.", r"^head\."))
    nodes, values = _model(qdq_onnx(net, 1.0, signed=True))
    made = {output: node for node in nodes for output in node.output}
    floating = {
        node.input[1].removeprefix("net.").removesuffix(".weight")
        for node in nodes
        if node.op_type == "Conv" and node.input[1] not in made
    }
    expected = {
        name
        for name, part in fold(tiny_net()).named_modules()
        if isinstance(part, torch.nn.Conv2d) and (".branches.0." in name or "head." in name)
    }
    assert floating == expected
    assert values["net.head.out.weight"].dtype == np.float32


@pytest.fixture
def warnings_of_tensorrt(monkeypatch):
    """What the library logs at warning and above."""
    logged: list[str] = []
    original = build_module.new_log

    def new_log(package):
        kind = type(original(package))

        class Log(kind):
            def log(self, severity, msg):
                if severity.value <= trt.ILogger.Severity.WARNING.value:
                    logged.append(msg)
                super().log(severity, msg)

        return Log()

    monkeypatch.setattr(build_module, "new_log", new_log)
    return logged


def test_tensorrt_for_rtx_parses_and_builds_both_without_a_warning(signed, warnings_of_tensorrt):
    """It proves that they parse and build, not that INT8 kernels run: that takes a GPU."""
    for network in (fp16_onnx(fold(tiny_net()), 1.0), signed):
        assert build(RTX, network, (8, 6))
    assert warnings_of_tensorrt == []


def test_tensorrt_for_rtx_warns_about_uint8(unsigned, warnings_of_tensorrt):
    """So that the test before this one is known to hear warnings."""
    build(RTX, unsigned, (8, 6))
    assert warnings_of_tensorrt


def test_fp16_needs_no_more_than_half(onnx_bytes):
    assert len(fp16_onnx(fold(tiny_net()), 1.0)) < 0.75 * len(onnx_bytes)
    tensors = onnx.load_from_string(onnx_bytes).graph.initializer
    assert TensorProto.FLOAT16 not in {tensor.data_type for tensor in tensors}
