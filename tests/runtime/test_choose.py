from __future__ import annotations

import sys

import pytest

from runtime import BackendUnavailable, InputError
from runtime.backends import BACKENDS, engine
from runtime.backends import onnxruntime as ort_adapter
from runtime.bundle import Bundle
from runtime.choose import choose, consider, everywhere


@pytest.fixture
def bundle(shared_bundle) -> Bundle:
    return Bundle.open(shared_bundle)


def test_the_order_of_preference():
    assert BACKENDS == ("tensorrt", "tensorrt-rtx", "openvino", "onnxruntime")


def test_every_engine_can_be_had():
    assert [engine(name).DEFAULT_DEVICE for name in BACKENDS] == ["cuda:0", "cuda:0", "cpu", "cpu"]


def test_engines_behind_the_chosen_one_are_not_imported(bundle, monkeypatch):
    monkeypatch.setattr(ort_adapter, "_engine", lambda: pytest.fail("imported"))
    _, chosen, artefact = choose(bundle, "fp32")
    assert (chosen.backend, artefact.files["model"]) == ("openvino", "fp32.onnx")


def test_a_candidate_tells_why_it_cannot_serve(bundle):
    tensorrt, rtx, openvino, ort = consider(bundle, "int8").candidates
    for candidate in (tensorrt, rtx, ort):
        assert candidate.rejected == (
            f"this bundle's int8 artefact is for openvino, not for {candidate.backend}"
        )
    assert openvino.rejected is None


@pytest.mark.parametrize("device", ["cuda", "gpu.3", "banana", "cpu:1"])
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_device_that_is_not_here_is_refused(bundle, backend, device):
    with pytest.raises(BackendUnavailable, match=rf"{backend}: has no device '{device}' here"):
        choose(bundle, "fp32", backend, device)


def test_names_that_do_not_exist(bundle):
    with pytest.raises(InputError, match="unknown precision 'int4': expected fp32 or int8"):
        consider(bundle, "int4")
    expected = "expected auto or tensorrt or tensorrt-rtx or openvino or onnxruntime"
    with pytest.raises(InputError, match=f"unknown backend 'tflite': {expected}"):
        consider(bundle, "fp32", "tflite")


def test_everywhere_lists_each_device_of_each_engine(bundle, monkeypatch):
    monkeypatch.setattr(ort_adapter, "devices", lambda: ("cpu", "cuda"))
    found = everywhere(bundle, "fp32")
    assert [(c.backend, c.device) for c in found if c.backend == "onnxruntime"] == [
        ("onnxruntime", "cpu"), ("onnxruntime", "cuda"),
    ]  # fmt: skip
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    [ort] = [c for c in everywhere(bundle, "fp32") if c.backend == "onnxruntime"]
    assert "onnxruntime cannot be imported" in ort.rejected


class _WithoutCuda:
    """Stands for an onnxruntime-gpu whose CUDA libraries cannot be loaded."""

    def __init__(self, real) -> None:
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def InferenceSession(self, model, options, providers):  # noqa: N802
        assert providers == [("CUDAExecutionProvider", {"device_id": "1"})]
        return self._real.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def test_onnxruntime_does_not_fall_back_to_the_cpu(network, monkeypatch):
    pretended = _WithoutCuda(ort_adapter._engine())
    monkeypatch.setattr(ort_adapter, "_engine", lambda: pretended)
    assert ort_adapter.devices() == ("cpu", "cuda")
    assert [ort_adapter.matches(name) for name in ("cuda", "CUDA:1", "cuda:x", "cpu:0")] == [
        True, True, False, False,
    ]  # fmt: skip
    with pytest.raises(BackendUnavailable, match="onnxruntime cannot use 'cuda:1' here"):
        ort_adapter.load({"model": network}, "onnx", "cuda:1", 1)
