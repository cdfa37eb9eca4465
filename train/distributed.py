"""Several processes that train as one: torchrun's process group and what its ranks agree on.

Without a group every function does what one process needs, so that the loop reads the same.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.distributed as dist

# DistributedDataParallel imports it, and its functions' default arguments keep the group of that
# moment for good: before there is a group they keep none.
import torch.distributed.nn.functional
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from train.config import ConfigError
from train.model import KeypointNet


@contextmanager
def process_group(wanted: bool) -> Iterator[None]:
    """Joins the group that torchrun started, over nccl with GPUs and gloo without, and leaves it.

    Raises:
        ConfigError: torchrun and `wanted` do not go together, or there are too few GPUs.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if not wanted:
        if started > 1:
            raise ConfigError(f"torchrun started {started} processes: add --distributed")
        yield
        return
    if "RANK" not in os.environ:
        raise ConfigError(
            "--distributed: start with torchrun --nproc-per-node N -m train --distributed …"
        )
    cuda = torch.cuda.is_available()
    if cuda and local_rank() >= torch.cuda.device_count():
        raise ConfigError(f"{torch.cuda.device_count()} GPUs: start at most one process for each")
    if cuda:
        torch.cuda.set_device(local_rank())
    dist.init_process_group("nccl" if cuda else "gloo", device_id=device() if cuda else None)
    try:
        yield
    finally:
        # A group ends, and joins gloo's threads, once nothing holds it. Threads that are left while
        # the interpreter ends may ask it for its lock, which aborts the process.
        gc.collect()
        dist.destroy_process_group()


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this process is the one that writes and reports."""
    return rank() == 0


def local_rank() -> int:
    """This process's number on its machine, which is its GPU's."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def device() -> torch.device:
    """What this process computes on."""
    return torch.device("cuda", local_rank()) if torch.cuda.is_available() else torch.device("cpu")


class _Training(nn.Module):
    """`forward_training` under the name of the one method that DistributedDataParallel wraps."""

    def __init__(self, model: KeypointNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.model.forward_training(x)


class Network:
    """A model's `forward_training` whose gradients are averaged over the ranks."""

    def __init__(self, model: KeypointNet) -> None:
        # Batch-norm statistics stay each rank's own until `average_buffers`.
        self._parallel = (
            DistributedDataParallel(_Training(model), forward_sync_buffers=False)
            if world() > 1
            else None
        )
        self._call: Callable[[Tensor], tuple[Tensor, Tensor | None]] = (
            self._parallel or model.forward_training
        )

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """As `KeypointNet.forward_training`."""
        return self._call(x)

    def averaging(self, wanted: bool) -> AbstractContextManager[None]:
        """Around forward and backward: without `wanted` gradients pile up on each rank."""
        if self._parallel is None or wanted:
            return nullcontext()
        return self._parallel.no_sync()


def mean(values: Tensor) -> Tensor:
    """The mean over the ranks of a tensor that has the same shape on each."""
    if world() == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / world()


def on_any_rank(*flags: bool) -> tuple[bool, ...]:
    """Each flag, set where any rank has set it."""
    if world() == 1:
        return flags
    raised = torch.tensor(flags, dtype=torch.int32, device=device())
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return tuple(bool(flag) for flag in raised.tolist())


def average_buffers(model: nn.Module) -> None:
    """Gives every rank the mean of all ranks' batch-norm statistics.

    They are linear in what went into them, so it does not matter how often this is done.
    """
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.copy_(mean(buffer))


def of_all_ranks(value: Any) -> list[Any]:
    """Every rank's value, in their order."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    dist.all_gather_object(values, value)
    return values


def on_main(action: Callable[[], None]) -> None:
    """Runs `action` on the first rank alone; what it raises is raised on all, so that all stop."""
    error: Exception | None = None
    if is_main():
        try:
            action()
        except Exception as caught:  # noqa: BLE001
            error = caught
    error = of_all_ranks(error)[0]
    if error is not None:
        raise error
