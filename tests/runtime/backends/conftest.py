"""The shipped network with its convolutions in FP16, as TensorRT wants it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.bundle import Bundle, default_bundle_path, write_bundle
from tests.runtime.conftest import artefact


def fp16_convolutions(network: bytes) -> bytes:
    """Put every convolution, weights included, between casts to FP16 and back to FP32."""
    model = onnx.load_from_string(network)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type != "Conv":
            nodes.append(node)
            continue
        source, result = node.input[0], node.output[0]
        for name in node.input[1:]:
            half = numpy_helper.to_array(weights[name]).astype(np.float16)
            weights[name].CopyFrom(numpy_helper.from_array(half, name))
        node.input[0], node.output[0] = f"{result}_in_fp16", f"{result}_fp16"
        nodes += [
            helper.make_node("Cast", [source], [node.input[0]], to=TensorProto.FLOAT16),
            node,
            helper.make_node("Cast", [node.output[0]], [result], to=TensorProto.FLOAT),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def shipped_fp32() -> bytes:
    return (default_bundle_path() / "fp32.onnx").read_bytes()


@pytest.fixture(scope="session")
def fp16_onnx(shipped_fp32: bytes) -> bytes:
    return fp16_convolutions(shipped_fp32)


@pytest.fixture(scope="session")
def fp16_bundle(fp16_onnx: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle's golden picture with FP16 alone; its answer is the one of FP32."""
    shipped = Bundle.open(default_bundle_path())
    files = {"model": ("fp16.onnx", fp16_onnx)}
    golden = shipped.manifest.golden
    manifest = dataclasses.replace(
        shipped.manifest,
        artefacts={"fp16": artefact(files, "onnx", "fp16", "tensorrt", "tensorrt-rtx", "openvino")},
        golden=dataclasses.replace(golden, answer={"fp16": golden.answer["fp32"]}),
    )
    contents = {"fp16.onnx": fp16_onnx, golden.picture: shipped.read_golden(golden)}
    folder = tmp_path_factory.mktemp("fp16")
    return write_bundle(folder, manifest, contents).directory
