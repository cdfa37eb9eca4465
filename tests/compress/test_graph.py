from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import openvino as ov
import pytest
import torch

from compress.graph import RAW_NAMES, DeployedGraph, RawGraph, decode
from compress.onnx_graphs import DEPLOYED_NAMES, to_onnx
from runtime import geometry
from tests.compress.conftest import tiny_net
from tests.golden import make_golden
from train.decode import decode as batch_decode
from train.model import activate, fold

FOLDER = Path(make_golden.__file__).parent
CASES = json.loads((FOLDER / "decode.json").read_text())
ENGINES = ("torch", "onnxruntime", "openvino")
Maps = tuple[np.ndarray, np.ndarray]
Answer = tuple[np.ndarray, np.ndarray]


class _Decode(torch.nn.Module):
    def __init__(self, row_agreement: float) -> None:
        super().__init__()
        self.row_agreement = row_agreement

    def forward(self, heatmaps: torch.Tensor, raw: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return decode(heatmaps, raw, self.row_agreement)


@cache
def _decoder(engine: str, row_agreement: float) -> Callable[[Maps], Answer]:
    """The decode on an engine: heatmaps [2,64,128] and raw maps [8,64,128] to points, angle."""
    graph = _Decode(row_agreement)
    if engine == "torch":
        return lambda maps: tuple(
            out[0].numpy() for out in graph(*(torch.from_numpy(m[None]) for m in maps))
        )
    shapes = {"heatmaps": (1, 2, 64, 128), "raw": (1, 8, 64, 128)}
    inputs = {name: torch.zeros(shape) for name, shape in shapes.items()}
    onnx_bytes = to_onnx(graph, inputs, DEPLOYED_NAMES, {})
    if engine == "onnxruntime":
        session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
        run = lambda feed: session.run(list(DEPLOYED_NAMES), feed)  # noqa: E731
    else:
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
        compiled = ov.Core().compile_model(ov.Core().read_model(onnx_bytes), "CPU", settings)
        run = lambda feed: [compiled(feed)[name] for name in DEPLOYED_NAMES]  # noqa: E731
    return lambda maps: tuple(
        np.array(out[0]) for out in run({"heatmaps": maps[0][None], "raw": maps[1][None]})
    )


def _golden_maps(case: dict) -> Maps:
    """A golden case's maps; the logits' planes hold what would mislead whoever read them."""
    full = np.full((10, 64, 128), 99, np.float32)
    if "dense" in case:
        plane = np.load(FOLDER / "decode_dense.npy")[case["dense"]].astype(np.float32)
        full[:2] = plane[:2] / 256
        full[4:8] = (plane[2:6] - 128) / 256
        full[8:] = (plane[6:] - 128) / 128
        return full[:2], full[2:]
    parts = {"heatmap_gap": 0, "heatmap_slider": 1, "offset_gap": 4, "offset_slider": 6, "angle": 8}
    for name, first in parts.items():
        fill = np.atleast_1d(case[name]["fill"])
        planes = full[first : first + len(fill)]
        planes[...] = fill[:, None, None]
        for row, column, *values in case[name]["cells"]:
            planes[:, row, column] = values
    return full[:2], full[2:]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden_decode_on_every_engine(engine, case):
    keypoints, angle = _decoder(engine, float(case["row_agreement"]))(_golden_maps(case))
    expected = np.array(case["keypoints"])
    assert keypoints[:, :2] == pytest.approx(expected[:, :2], abs=1e-3)
    assert keypoints[:, 2:] == pytest.approx(expected[:, 2:], abs=1e-5)
    assert angle == pytest.approx(np.array(case["angle_out"]), abs=1e-6)


def _random_maps(seed: int) -> Maps:
    """Maps like a trained network's (odd seeds) or noise full of exact ties (even seeds)."""
    rng = np.random.default_rng(seed)
    raw = rng.uniform(-0.5, 0.5, (8, 64, 128)).astype(np.float32)
    if seed % 2:
        return (rng.random((2, 64, 128)) ** 6).astype(np.float32), raw
    return (rng.integers(0, 9, (2, 64, 128)) / 8).astype(np.float32), raw


@pytest.mark.parametrize("row_agreement", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("engine", ENGINES)
def test_decode_equals_the_numpy_oracle_on_random_maps(engine, row_agreement):
    run = _decoder(engine, row_agreement)
    for seed in range(40):
        heatmaps, raw = _random_maps(seed)
        keypoints, angle = run((heatmaps, raw))
        oracle = geometry.decode(*heatmaps, raw[2:4], raw[4:6], raw[6:8], row_agreement)
        assert keypoints == pytest.approx(oracle.keypoints, abs=1e-3), seed
        assert angle == pytest.approx(oracle.angle, abs=1e-6), seed


def test_decode_equals_the_batch_decode_of_training():
    for seed in range(6):
        heatmaps, raw = (torch.from_numpy(m[None]) for m in _random_maps(seed))
        outputs = activate(raw) | {
            "heatmap_gap": heatmaps[:, :1],
            "heatmap_slider": heatmaps[:, 1:],
        }
        for own, other in zip(decode(heatmaps, raw, 1.0), batch_decode(outputs, 1.0), strict=True):
            torch.testing.assert_close(own, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("row_agreement", [0.0, 1.0])
def test_deployed_graph_is_normalise_network_activate_decode(row_agreement):
    net = fold(tiny_net())
    clamped = 0
    for seed in range(2):
        canvas = np.random.default_rng(seed).integers(0, 256, (1, 256, 512, 4), dtype=np.uint8)
        scaled = torch.from_numpy(canvas.transpose(0, 3, 1, 2).astype(np.float32) / 255)
        with torch.no_grad():
            maps = {name: m[0].numpy() for name, m in net(scaled).items()}
            keypoints, angle = DeployedGraph(net, row_agreement)(torch.from_numpy(canvas))
            raw = RawGraph(net)(torch.from_numpy(canvas))
        for name, value in zip(RAW_NAMES, raw, strict=True):
            np.testing.assert_allclose(value[0].numpy(), maps[name], rtol=0, atol=1e-5)
        maps["heatmap_gap"], maps["heatmap_slider"] = (
            maps["heatmap_gap"][0],
            maps["heatmap_slider"][0],
        )
        oracle = geometry.decode(**maps, row_agreement=row_agreement)
        assert keypoints[0].numpy() == pytest.approx(oracle.keypoints, abs=1e-3)
        assert angle[0].numpy() == pytest.approx(oracle.angle, abs=1e-5)
        cells = (oracle.keypoints[:, :2] + 0.5) / 4
        clamped += np.isin(cells - np.floor(cells), (0.0, 1.0)).sum()
    assert clamped, "no offset reached a half: the clamp was not tried"
