"""The same work by others: a canvas of bytes in, two points out, in turn within one run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bench.conftest import Record
from bench.peers import untrained
from bench.worker import Worker, WorkerError, in_turn
from train.config import PaperConfig

OURS = "int8-openvino"
TURNS, CALLS = 10, 12


@pytest.fixture(scope="module")
def peers(
    bundle: str, shipped_checkpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Name -> a worker and its times, or why it cannot run."""
    paper = untrained(PaperConfig(), tmp_path_factory.mktemp("paper"))
    ours = {"bundle": bundle, "threads": 2}
    subjects: dict[str, tuple[str, dict[str, Any]]] = {
        OURS: ("infer", {**ours, "precision": "int8", "backend": "openvino"}),
        "fp32-openvino": ("infer", {**ours, "precision": "fp32", "backend": "openvino"}),
        "int8-onnxruntime": ("infer", {**ours, "precision": "int8", "backend": "onnxruntime"}),
        "fp32-onnxruntime": ("infer", {**ours, "precision": "fp32", "backend": "onnxruntime"}),
        "fp32-torch": ("torch_eager", {**ours, "checkpoint": shipped_checkpoint}),
        "paper-fp32-openvino": ("graph", {"model": str(paper.fp32), "threads": 2}),
        "paper-int8-openvino": ("graph", {"model": str(paper.int8), "threads": 2}),
        "template-opencv": ("template", {}),
    }
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        for name, (subject, options) in subjects.items():
            try:
                found[name] = stack.enter_context(Worker(subject, **options))
            except WorkerError as error:
                if str(error).startswith("AssertionError"):
                    raise  # a wrong answer is a failure, not an absence
                found[name] = str(error)
        workers = {name: one for name, one in found.items() if isinstance(one, Worker)}
        times = in_turn(list(workers.values()), CALLS, TURNS)
        yield found | dict(zip(workers, zip(workers.values(), times, strict=True), strict=True))


NAMES = (
    OURS,
    "fp32-openvino",
    "int8-onnxruntime",
    "fp32-onnxruntime",
    "fp32-torch",
    "paper-fp32-openvino",
    "paper-int8-openvino",
    "template-opencv",
)


@pytest.mark.parametrize("name", NAMES)
def test_peer(record: Record, peers: dict[str, Any], name: str) -> None:
    ours = statistics.median(peers[OURS][1])
    if isinstance(peers[name], str):
        record([0.0], subject="peer", peer=name, cannot_run=peers[name])
        return
    worker, times_s = peers[name]
    ratio = statistics.median(times_s) / ours
    record(times_s, subject="peer", peer=name, facts=worker.facts, times_ours=ratio)
