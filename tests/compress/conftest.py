from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from compress.calibration import CalibrationSet
from compress.fakequant import RawNet, quantized
from compress.onnx_graphs import deployed_onnx
from train import checkpoint
from train.config import Config, EdgeConfig, plain
from train.model import KeypointNet, build_model, fold

TINY = EdgeConfig(
    widths=(8, 8, 8, 8),
    stem_width=8,
    stage2=((1, 1),),
    stage3=((1, 1, 1),),
    stage4=((1, 1, 1, 1),),
    fpn_width=8,
)


def tiny_net(seed: int = 0) -> KeypointNet:
    """A random network whose maps vary enough to have clear peaks and offsets beyond a half."""
    torch.manual_seed(seed)
    net = build_model(TINY)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    torch.nn.init.normal_(net.head.out.weight, std=0.5)
    return net.eval()


@pytest.fixture(scope="session")
def onnx_bytes() -> bytes:
    """The deployed graph of `tiny_net()` as ONNX, with the row prior on."""
    return deployed_onnx(fold(tiny_net()), 1.0)


@pytest.fixture(scope="session")
def canvases() -> CalibrationSet:
    """Four canvases of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 256, 512, 4), dtype=np.uint8)
    return CalibrationSet(noise)


@pytest.fixture(scope="session")
def quantized_net(canvases: CalibrationSet) -> RawNet:
    """`tiny_net()` with calibrated quantisers."""
    return quantized(fold(tiny_net()), canvases)


# What commands that quantise are given, so that they take seconds.
SMALL = ["--calibration-pictures", "3", "--gate-pictures", "4"]


@pytest.fixture(scope="session")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Tolerances that a network with random weights keeps."""
    path = tmp_path_factory.mktemp("lenient") / "gate.toml"
    path.write_text("[int8]\nmae_px = 1000\n")
    return [*SMALL, "--tolerances", str(path)]


@pytest.fixture(scope="session")
def checkpoint_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tiny_net(), tmp_path_factory.mktemp("checkpoint") / "best_model.pth")


def save_checkpoint(net: KeypointNet, path: Path) -> Path:
    """A checkpoint as training leaves one."""
    content = dict.fromkeys(checkpoint.REQUIRED_KEYS, 0)
    content |= {
        "model_state_dict": net.state_dict(),
        "ema_state_dict": None,
        "config": plain(Config(model=TINY)),
    }
    checkpoint.save(path, content)
    return path
