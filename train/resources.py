"""What a configuration leaves to the machine: batch size and precision."""

from __future__ import annotations

import torch

from train.config import Config

# GPU memory in GB (10⁹ bytes; a card sold as 24 GB has a little less than 24 GiB) -> batch size.
BATCH_SIZES = ((24, 64), (16, 32), (8, 16))
SMALLEST_BATCH = 8


def resolved(config: Config, device: torch.device, pictures_per_epoch: int) -> Config:
    """The configuration with what decides a run's steps filled in where it says None.

    pictures_per_epoch: what the source of training pictures has.
    """
    training, data = config.training, config.data
    batch_size = training.batch_size or batch_size_for(memory_gb(device))
    return config.model_copy(
        update={
            "training": training.model_copy(update={"batch_size": batch_size}),
            "data": data.model_copy(update={"pictures_per_epoch": pictures_per_epoch}),
        }
    )


def memory_gb(device: torch.device) -> float:
    """A GPU's memory in 10⁹ bytes; 0 for a CPU."""
    if device.type != "cuda":
        return 0.0
    return torch.cuda.get_device_properties(device).total_memory / 1e9


def batch_size_for(gpu_memory_gb: float) -> int:
    """Pictures in a batch that a GPU of this memory holds with room to spare."""
    return next((size for least, size in BATCH_SIZES if gpu_memory_gb >= least), SMALLEST_BATCH)


def autocast_dtype(device: torch.device, amp: bool) -> torch.dtype | None:
    """What to compute in under `amp`; None for float32.

    float16 on CUDA (with a gradient scaler), bfloat16 on a CPU that computes it: emulated, it is
    slower than float32.
    """
    if not amp:
        return None
    if device.type == "cuda":
        return torch.float16
    capabilities = torch.cpu.get_capabilities()
    native = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if native else None
