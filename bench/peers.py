"""Networks that the bundle does not hold, ready to be timed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from compress.calibration import generated
from compress.onnx_graphs import deployed_onnx
from compress.quantize import quantize
from train.config import ModelConfig
from train.model import build_model, fold

CALIBRATION_PICTURES = 16


@dataclass(frozen=True)
class Deployed:
    """Files of one deployed graph, in FP32 (ONNX) and INT8 (IR)."""

    fp32: Path
    int8: Path


def untrained(config: ModelConfig, folder: Path) -> Deployed:
    """A network with random weights, which take as long as any; its files go into the folder."""
    torch.manual_seed(0)
    fp32 = deployed_onnx(fold(build_model(config)), 1.0)
    int8 = quantize(fp32, generated(CALIBRATION_PICTURES, 0, None), "mixed")
    files = Deployed(folder / "fp32.onnx", folder / "int8.xml")
    files.fp32.write_bytes(fp32)
    files.int8.write_bytes(int8.xml)
    files.int8.with_suffix(".bin").write_bytes(int8.weights)
    return files
