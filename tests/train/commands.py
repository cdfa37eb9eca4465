"""Commands of this repository in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from train import checkpoint
from train.config import Config, dump_config

ROOT = Path(__file__).parents[2]
SECONDS = 300


def written(config: Config, path: Path) -> Path:
    path.write_text(dump_config(config), encoding="utf-8")
    return path


def start(
    arguments: Sequence[object], environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """`python -m ARGUMENTS…`, its two outputs in one."""
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and output."""
    with process:
        output, _ = process.communicate(timeout=SECONDS)
        return process.returncode, output


def run_ranks(arguments: Sequence[Sequence[object]]) -> list[tuple[int, str]]:
    """One command a rank, as torchrun would start them; their exit codes and outputs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(len(arguments)),
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        start(given, shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank, given in enumerate(arguments)
    ]
    return [finish(process) for process in processes]


def threads_of_gloo() -> list[str]:
    """Names of this process's threads that carry out gloo's work."""
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]


def assert_same_run(ours: Path, theirs: Path) -> None:
    """Two checkpoints hold the same position, metrics, weights and optimiser, bit for bit."""
    a, b = checkpoint.load(ours), checkpoint.load(theirs)
    for key in ("epoch", "global_step", "step_in_epoch", "metrics", "scheduler_state_dict"):
        assert repr(a[key]) == repr(b[key]), key  # where nan is nan
    for key in ("model_state_dict", "ema_state_dict"):
        assert a[key].keys() == b[key].keys()
        for name, value in a[key].items():
            assert torch.equal(value, b[key][name]), name
    for number, slot in a["optimizer_state_dict"]["state"].items():
        for name, value in slot.items():
            assert torch.equal(value, b["optimizer_state_dict"]["state"][number][name])
    assert torch.equal(a["random_state"]["torch"], b["random_state"]["torch"])
