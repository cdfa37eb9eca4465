"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from runtime.backends.base import INPUT_NAME, OUTPUT_SHAPES, check_interface
from runtime.errors import BackendError, BackendUnavailable
from runtime.geometry import Picture, RawResult

_ERRORS_ONLY = 3


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
    _engine()
    return ("cpu",)


def matches(device: str) -> bool:
    """See `Engine.matches`."""
    return device.lower() in devices()


def _error_types() -> tuple[type[Exception], ...]:
    """ONNX Runtime's exceptions: one class a status code, without a base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = vars(state).values()
    return tuple(k for k in kinds if isinstance(k, type) and issubclass(k, Exception))


def load(files: Mapping[str, bytes], model_format: str, device: str, threads: int) -> OrtBackend:
    """See `Engine.load`. model_format: `onnx`; device: `cpu`."""
    engine = _engine()
    options = engine.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    errors = _error_types()
    try:
        session = engine.InferenceSession(
            files["model"], options, providers=["CPUExecutionProvider"]
        )
    except errors as error:
        raise BackendError(f"onnxruntime cannot load the network: {error}") from error
    check_interface(
        {port.name: tuple(port.shape) for port in session.get_inputs()},
        {port.name: tuple(port.shape) for port in session.get_outputs()},
    )
    return OrtBackend(session, threads)


class OrtBackend:
    """An inference session; its `run` may be called from several threads."""

    def __init__(self, session: Any, threads: int) -> None:
        self._session: Any = session
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
        version = _engine().__version__
        return {
            "engine": "onnxruntime",
            "version": version,
            "device": "cpu",
            "threads": self._threads,
        }

    def close(self) -> None:
        """See `Backend.close`."""
        self._session = None
