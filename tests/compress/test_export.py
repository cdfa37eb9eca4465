from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino as ov
import pytest
import torch

import compress
from compress import export
from compress.graph import RAW_NAMES, DeployedGraph
from compress.onnx_graphs import DEPLOYED_NAMES, deployed_onnx, fp16_onnx, raw_onnx
from runtime import Bundle, Locator
from tests.compress.conftest import tiny_net
from train.model import fold


@pytest.fixture(scope="module")
def net():
    return fold(tiny_net())


def _ports(ports):
    return {
        port.name: (
            port.type.tensor_type.elem_type,
            [dim.dim_value for dim in port.type.tensor_type.shape.dim],
        )
        for port in ports
    }


def test_interface_is_the_contract(onnx_bytes, net):
    model = onnx.load_from_string(onnx_bytes)
    assert _ports(model.graph.input) == {"canvas": (onnx.TensorProto.UINT8, [1, 256, 512, 4])}
    f32 = onnx.TensorProto.FLOAT
    assert _ports(model.graph.output) == {"keypoints": (f32, [1, 2, 4]), "angle": (f32, [1, 2])}
    props = {entry.key: entry.value for entry in model.metadata_props}
    assert props == {"contract_version": "1", "row_agreement": "1.0"}
    raw = onnx.load_from_string(raw_onnx(net))
    channels = dict(zip(RAW_NAMES, (1, 1, 2, 2, 2), strict=True))
    expected = {name: (f32, [1, count, 64, 128]) for name, count in channels.items()}
    assert _ports(raw.graph.output) == expected


def test_bytes_are_reproducible_and_hold_no_paths(onnx_bytes, net):
    assert deployed_onnx(net, 1.0) == onnx_bytes
    assert str(Path(compress.__file__).parent).encode() not in onnx_bytes
    assert b".py" not in onnx_bytes
    assert deployed_onnx(net, 0.0) != onnx_bytes


def test_engines_agree_with_torch(onnx_bytes, net):
    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    compiled = ov.Core().compile_model(ov.Core().read_model(onnx_bytes), "CPU", settings)
    for seed in range(4):
        canvas = np.random.default_rng(seed).integers(0, 256, (1, 256, 512, 4), dtype=np.uint8)
        with torch.no_grad():
            expected = DeployedGraph(net, 1.0)(torch.from_numpy(canvas))
        for name, value in zip(DEPLOYED_NAMES, expected, strict=True):
            assert session.run([name], {"canvas": canvas})[0] == pytest.approx(
                value.numpy(), abs=1e-3
            )
            assert compiled({"canvas": canvas})[name] == pytest.approx(value.numpy(), abs=1e-3)


def test_fp16_is_in_the_types_of_the_graph(net):
    model = onnx.load_from_string(fp16_onnx(net, 1.0))
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) > 20
    assert {types[name] for node in convolutions for name in node.input[1:]} == {
        onnx.TensorProto.FLOAT16
    }
    assert _ports(model.graph.output) == {
        "keypoints": (onnx.TensorProto.FLOAT, [1, 2, 4]),
        "angle": (onnx.TensorProto.FLOAT, [1, 2]),
    }


def test_command_writes_a_bundle(checkpoint_path, onnx_bytes, tmp_path, capsys):
    output = tmp_path / "new" / "folder"
    assert export.main([str(checkpoint_path), "-o", str(output)]) == 0
    bundle = Bundle.open(output)
    bundle.verify()
    assert set(bundle.manifest.artefacts) == {"fp32-ir", "fp32", "fp16", "raw"}
    assert bundle.manifest.calibration is bundle.manifest.compression is None
    assert (output / "fp32.onnx").read_bytes() == onnx_bytes
    assert (output / "raw.onnx").read_bytes() == raw_onnx(fold(tiny_net()))
    assert "fp32.onnx" in capsys.readouterr().out
    golden = bundle.manifest.golden
    expected = golden.answer["fp32"]["gap"]
    for precision, backend, within_px in (
        ("fp32", "openvino", 0.01),
        ("fp32", "onnxruntime", 0.01),
        ("fp16", "openvino", 1.0),
        ("fp16", "onnxruntime", 1.0),
    ):
        with Locator(precision, backend=backend, bundle=output) as locator:
            gap = locator.predict(bundle.read_golden(golden)).gap
        assert (gap.x, gap.y) == pytest.approx((expected["x"], expected["y"]), abs=within_px)


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "truncated", "foreign"])
def test_unusable_checkpoint_is_one_line_and_code_2(kind, checkpoint_path, tmp_path, capsys):
    path = tmp_path / "given.pth"
    if kind == "folder":
        path.mkdir()
    elif kind == "foreign":
        torch.save({"weights": torch.zeros(3)}, path)
    elif kind != "missing":
        whole = checkpoint_path.read_bytes()
        content = {
            "empty": b"",
            "text": b"not a checkpoint\n",
            "truncated": whole[: len(whole) // 2],
        }
        path.write_bytes(content[kind])
    assert export.main([str(path), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "given.pth" in error
    assert not (tmp_path / "out").exists()


def test_output_that_is_a_file_is_one_line_and_code_2(checkpoint_path, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert export.main([str(checkpoint_path), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "much"])
def test_impossible_row_agreement_is_refused(value, checkpoint_path, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        export.main([str(checkpoint_path), "-o", str(tmp_path), f"--row-agreement={value}"])
    assert caught.value.code == 2
    assert value in capsys.readouterr().err
