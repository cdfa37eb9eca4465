"""ONNX Runtime, on the CPU or, where its GPU package is installed, an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from runtime.backends.base import INPUT_NAME, OUTPUT_SHAPES, check_interface
from runtime.errors import BackendError, BackendUnavailable
from runtime.geometry import Picture, RawResult

DEFAULT_DEVICE = "cpu"
_ERRORS_ONLY = 3
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def _engine() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendUnavailable(
            f'onnxruntime cannot be imported ({error}): pip install "edge-locator[onnxruntime]"'
        ) from error
    module: ModuleType = onnxruntime
    return module


def devices() -> tuple[str, ...]:
    """See `Engine.devices`."""
    present = _engine().get_available_providers()
    return tuple(device for device, provider in _PROVIDERS.items() if provider in present)


def matches(device: str) -> bool:
    """See `Engine.matches`: `cpu`, `cuda`, `cuda:1`, ..."""
    name, colon, number = device.lower().partition(":")
    numbered = name == "cuda" and number.isdigit()
    return name in devices() and (numbered or not colon)


def _error_types() -> tuple[type[Exception], ...]:
    """ONNX Runtime's exceptions: one class a status code, without a base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = vars(state).values()
    return tuple(k for k in kinds if isinstance(k, type) and issubclass(k, Exception))


def load(files: Mapping[str, bytes], model_format: str, device: str, threads: int) -> OrtBackend:
    """See `Engine.load`. model_format: `onnx`."""
    engine = _engine()
    options = engine.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    errors = _error_types()
    try:
        session = engine.InferenceSession(files["model"], options, providers=[_provider(device)])
    except errors as error:
        raise BackendError(f"onnxruntime cannot load the network: {error}") from error
    if session.get_providers()[0] != _provider(device)[0]:  # it only prints a warning
        raise BackendUnavailable(
            f"onnxruntime cannot use {device!r} here: install the driver and the CUDA libraries "
            "that this onnxruntime-gpu was made for"
        )
    check_interface(
        {port.name: tuple(port.shape) for port in session.get_inputs()},
        {port.name: tuple(port.shape) for port in session.get_outputs()},
    )
    return OrtBackend(session, device, threads)


def _provider(device: str) -> tuple[str, dict[str, str]]:
    name, _, number = device.lower().partition(":")
    return _PROVIDERS[name], {"device_id": number or "0"} if name == "cuda" else {}


class OrtBackend:
    """An inference session; its `run` may be called from several threads."""

    def __init__(self, session: Any, device: str, threads: int) -> None:
        self._session: Any = session
        self._device = device
        self._threads = threads
        self._errors = _error_types()

    def infer(self, canvas: Picture) -> RawResult:
        """See `Backend.infer`."""
        session = self._session
        if session is None:
            raise BackendError("this backend is closed: create a new Locator")
        try:
            keypoints, angle = session.run(list(OUTPUT_SHAPES), {INPUT_NAME: canvas[None]})
        except self._errors as error:
            raise BackendError(f"onnxruntime failed: {error}") from error
        return RawResult(keypoints[0], angle[0])

    def describe(self) -> dict[str, str | int]:
        """See `Backend.describe`."""
        facts: dict[str, str | int] = {
            "engine": "onnxruntime",
            "version": _engine().__version__,
            "device": self._device,
        }
        if self._device == "cpu":
            facts["threads"] = self._threads
        return facts

    def close(self) -> None:
        """See `Backend.close`."""
        self._session = None
