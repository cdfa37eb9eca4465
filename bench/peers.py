"""The models of peers that the bundle does not hold."""

from __future__ import annotations

from pathlib import Path

import torch

from compress.calibration import generated
from compress.onnx_graphs import deployed_onnx
from compress.quantize import quantize
from train.config import PaperConfig
from train.model import build_model, fold

CALIBRATION_PICTURES = 16


def paper_models(folder: Path) -> tuple[Path, Path]:
    """The `paper` network in FP32 (ONNX) and INT8 (IR), its weights random.

    Random weights take as long as any; for its accuracy see `bench.kinds`.
    """
    torch.manual_seed(0)
    fp32 = deployed_onnx(fold(build_model(PaperConfig())), 1.0)
    int8 = quantize(fp32, generated(CALIBRATION_PICTURES, 0, None), "mixed")
    paths = folder / "paper.onnx", folder / "paper.xml"
    paths[0].write_bytes(fp32)
    paths[1].write_bytes(int8.xml)
    paths[1].with_suffix(".bin").write_bytes(int8.weights)
    return paths
