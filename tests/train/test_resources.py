from types import SimpleNamespace

import pytest
import torch

from train import resources
from train.config import Config, DataConfig, TrainingConfig

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
GIB = 2**30


@pytest.mark.parametrize(
    ("total_bytes", "batch_size"),
    [
        (80 * GIB, 64),
        (25_438_126_080, 64),  # what a card sold as 24 GB has
        (23e9, 32),
        (16 * GIB, 32),
        (15e9, 16),
        (8 * GIB, 16),
        (6 * GIB, 8),
    ],
)
def test_the_batch_size_follows_the_gpus_memory(
    monkeypatch: pytest.MonkeyPatch, total_bytes: float, batch_size: int
) -> None:
    properties = SimpleNamespace(total_memory=total_bytes)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    config = Config(training=TrainingConfig(batch_size=None))
    assert resources.resolved(config, CUDA, 100).training.batch_size == batch_size


def test_without_a_gpu_a_batch_is_eight() -> None:
    config = Config(training=TrainingConfig(batch_size=None))
    assert resources.resolved(config, CPU, 100).training.batch_size == 8


def test_what_the_configuration_says_is_kept() -> None:
    config = Config(training=TrainingConfig(batch_size=5), data=DataConfig(pictures_per_epoch=60))
    assert resources.resolved(config, CPU, 60) == config


def test_an_epochs_pictures_come_from_the_source() -> None:
    assert resources.resolved(Config(), CPU, 123).data.pictures_per_epoch == 123


def test_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, dtype in ((True, torch.bfloat16), (False, None)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has})
        assert resources.autocast_dtype(CPU, amp=True) is dtype
        assert resources.autocast_dtype(CPU, amp=False) is None
    assert resources.autocast_dtype(CUDA, amp=True) is torch.float16
    assert resources.autocast_dtype(CUDA, amp=False) is None
