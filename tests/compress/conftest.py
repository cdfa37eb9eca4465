from __future__ import annotations

from pathlib import Path

import pytest
import torch

from compress.export import deployed_onnx
from train import checkpoint
from train.config import Config, ModelConfig, plain
from train.model import KeypointNet, build_model, fold

TINY = ModelConfig(
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
def checkpoint_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = tiny_net()
    path = tmp_path_factory.mktemp("checkpoint") / "best_model.pth"
    content = dict.fromkeys(checkpoint.REQUIRED_KEYS, 0)
    content |= {
        "model_state_dict": net.state_dict(),
        "ema_state_dict": None,
        "config": plain(Config(model=TINY)),
    }
    checkpoint.save(path, content)
    return path
