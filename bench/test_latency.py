"""How long a prediction takes: whole and by part, by precision, engine, threads, cap and size."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

from bench.cap import AVX2_VNNI, UNCAPPED
from bench.conftest import Record
from bench.overhead import predict_beyond_engine_ms
from bench.worker import Worker, in_turn

PRECISIONS = ("int8", "fp32", "fp16")
SIZES = ((200, 100), (340, 190), (680, 380), (1280, 720), (1920, 1080))
TURNS, CALLS = 10, 15
quick = pytest.mark.quick


@pytest.mark.parametrize("threads", [pytest.param(2, marks=quick), 1])
@pytest.mark.parametrize("cap", [pytest.param(UNCAPPED, marks=quick), AVX2_VNNI])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_predict_openvino(
    timed: Record, bundle: str, precision: str, cap: str, threads: int
) -> None:
    timed("predict", cap, bundle=bundle, precision=precision, backend="openvino", threads=threads)


@pytest.mark.parametrize("threads", [2, 1])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_predict_onnxruntime(timed: Record, bundle: str, precision: str, threads: int) -> None:
    """Uncapped alone: ONNX Runtime does not obey the cap's variables."""
    timed("predict", bundle=bundle, precision=precision, backend="onnxruntime", threads=threads)


@pytest.mark.parametrize(("width", "height"), SIZES, ids=[f"{w}x{h}" for w, h in SIZES])
def test_predict_by_size(timed: Record, bundle: str, width: int, height: int) -> None:
    timed(
        "predict",
        bundle=bundle,
        precision="int8",
        backend="openvino",
        threads=2,
        width=width,
        height=height,
    )


@pytest.mark.parametrize("cap", [pytest.param(UNCAPPED, marks=quick), AVX2_VNNI])
def test_engine(timed: Record, bundle: str, cap: str) -> None:
    timed("infer", cap, bundle=bundle, precision="int8", backend="openvino", threads=2)


@pytest.mark.parametrize("cap", [pytest.param(UNCAPPED, marks=quick), AVX2_VNNI])
def test_speedup(record: Record, bundle: str, cap: str) -> None:
    """INT8 and FP32 in turn; the times are INT8's."""
    options: dict[str, Any] = {"bundle": bundle, "backend": "openvino", "threads": 2}
    with (
        Worker("predict", cap, precision="int8", **options) as int8,
        Worker("predict", cap, precision="fp32", **options) as fp32,
    ):
        ours_s, theirs_s = in_turn([int8, fp32], CALLS, TURNS)
    times = statistics.median(theirs_s) / statistics.median(ours_s)
    record(ours_s, subject="speedup", cap=cap, times_faster=times)


@quick
def test_overhead(record: Record, bundle: str) -> None:
    """Whole predictions, and how much they take beyond the engine's call, turn by turn."""
    whole_ms, engine_ms = predict_beyond_engine_ms(Path(bundle), 300)
    beyond_ms = whole_ms - engine_ms
    record([whole_ms / 1e3], subject="overhead", beyond_engine_ms=beyond_ms)


@quick
def test_letterbox(timed: Record) -> None:
    timed("letterbox")


@quick
def test_answer(timed: Record, bundle: str) -> None:
    timed("answer", bundle=bundle)
