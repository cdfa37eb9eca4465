"""A tiny bundle whose network can be predicted by hand.

Its gap is the reddest pixel of the canvas and its slider the bluest one (the first, row by row);
the score is that pixel's value / 255, the rival is 0.25 and the angle 30 degrees.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import openvino as ov
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from runtime.bundle import Artefact, Manifest, Model, Thresholds, sha256_of, write_bundle

MIN_SCORE = 0.5
RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)


def _keypoint(name: str, channel: int) -> list[onnx.NodeProto]:
    def node(kind: str, inputs: list[str], output: str, **options: object) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [f"{name}_{output}"], **options)

    def own(*names: str) -> list[str]:
        return [f"{name}_{part}" for part in names]

    return [
        node("Gather", ["floats", f"channel{channel}"], "plane", axis=3),
        node("Reshape", [*own("plane"), "flat_shape"], "flat"),
        node("ArgMax", own("flat"), "cell", axis=1, keepdims=1),
        node("Mod", [*own("cell"), "width"], "column"),
        node("Div", [*own("cell"), "width"], "row"),
        node("Cast", own("column"), "x", to=TensorProto.FLOAT),
        node("Cast", own("row"), "y", to=TensorProto.FLOAT),
        node("ReduceMax", [*own("flat"), "axis1"], "peak", keepdims=1),
        node("Div", [*own("peak"), "full"], "score"),
        node("Concat", [*own("x", "y", "score"), "rival"], "point", axis=1),
    ]


def build_onnx(outputs: tuple[str, str] = ("keypoints", "angle")) -> bytes:
    """The network described above, as the bytes of an ONNX file."""
    constants = {
        "channel0": np.array(0), "channel2": np.array(2), "width": np.array([512]),
        "flat_shape": np.array([1, -1]), "axis1": np.array([1]),
        "full": np.array([255], np.float32), "rival": np.array([[0.25]], np.float32),
        "both_shape": np.array([1, 2, 4]),
        "direction": np.array([[0.5, 3**0.5 / 2]], np.float32),
    }  # fmt: skip
    keypoints, angle = outputs
    nodes = [
        helper.make_node("Cast", ["canvas"], ["floats"], to=TensorProto.FLOAT),
        *_keypoint("gap", 0),
        *_keypoint("slider", 2),
        helper.make_node("Concat", ["gap_point", "slider_point"], ["both"], axis=1),
        helper.make_node("Reshape", ["both", "both_shape"], [keypoints]),
        helper.make_node("Identity", ["direction"], [angle]),
    ]
    graph = helper.make_graph(
        nodes,
        "reddest_and_bluest",
        [helper.make_tensor_value_info("canvas", TensorProto.UINT8, [1, 256, 512, 4])],
        [
            helper.make_tensor_value_info(keypoints, TensorProto.FLOAT, [1, 2, 4]),
            helper.make_tensor_value_info(angle, TensorProto.FLOAT, [1, 2]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def build_ir(network: bytes, folder: Path) -> tuple[bytes, bytes]:
    """The same network as OpenVINO's two files."""
    ov.save_model(ov.Core().read_model(network), folder / "tiny.xml", compress_to_fp16=False)
    return (folder / "tiny.xml").read_bytes(), (folder / "tiny.bin").read_bytes()


def artefact(
    files: dict[str, tuple[str, bytes]], kind: str, precision: str, *backends: str
) -> Artefact:
    return Artefact(
        files={role: name for role, (name, _) in files.items()},
        sha256={role: sha256_of(data) for role, (_, data) in files.items()},
        format=kind,
        precision=precision,
        backends=backends,
        measured={},
    )


def write_tiny_bundle(folder: Path, network: bytes, ir: tuple[bytes, bytes]) -> Path:
    fp32 = {"model": ("fp32.onnx", network)}
    int8 = {"model": ("int8.xml", ir[0]), "weights": ("int8.bin", ir[1])}
    manifest = Manifest(
        model=Model("tiny", {}),
        row_agreement=1.0,
        thresholds=Thresholds(MIN_SCORE),
        artefacts={
            "fp32": artefact(fp32, "onnx", "fp32", "openvino", "onnxruntime"),
            "int8": artefact(int8, "openvino-ir", "int8", "openvino"),
        },
        calibration=None,
        golden=None,
        versions={"edge-locator": "0.1.0"},
    )
    write_bundle(folder, manifest, dict([*fp32.values(), *int8.values()]))
    return folder


@pytest.fixture(scope="session")
def network() -> bytes:
    return build_onnx()


@pytest.fixture(scope="session")
def ir(network: bytes, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    return build_ir(network, tmp_path_factory.mktemp("ir"))


@pytest.fixture(scope="session")
def shared_bundle(
    network: bytes, ir: tuple[bytes, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny bundle's folder; for tests that only read it."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle"), network, ir)


@pytest.fixture
def own_bundle(network: bytes, ir: tuple[bytes, bytes], tmp_path: Path) -> Path:
    """A copy of the tiny bundle that a test may damage."""
    return write_tiny_bundle(tmp_path / "own_bundle", network, ir)


def puzzle(
    gap_xy: tuple[int, int], slider_xy: tuple[int, int], size: tuple[int, int] = (512, 256)
) -> NDArray[np.uint8]:
    """A BGR picture of (width, height) whose reddest and bluest pixels are where they say."""
    width, height = size
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[gap_xy[1], gap_xy[0]] = RED
    picture[slider_xy[1], slider_xy[0]] = BLUE
    return picture
