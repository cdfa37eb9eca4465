"""OpenVINO, on whatever device it offers."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from functools import cache, partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from runtime.backends.base import INPUT_NAME, check_interface
from runtime.bundle import sha256_of
from runtime.cache import Entry
from runtime.errors import BackendError, BackendUnavailable
from runtime.geometry import Picture, RawResult
from runtime.pool import Pool

if TYPE_CHECKING:
    import openvino as ov

DEFAULT_DEVICE = "cpu"
_MODES = ("auto", "multi", "hetero")
_CAPS = ("OV_CPU_MAX_ISA", "ONEDNN_MAX_CPU_ISA")  # they forbid newer instructions


@cache
def _core() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise BackendUnavailable(
            f"openvino cannot be imported ({error}): pip install openvino"
        ) from error
    return openvino.Core()


def devices() -> tuple[str, ...]:
    """See `Engine.devices`."""
    return tuple(name.lower() for name in _core().available_devices)


def matches(device: str) -> bool:
    """See `Engine.matches`: `cpu`, `gpu`, `gpu.1`, `auto:gpu,cpu`, ..."""
    mode, colon, listed = device.lower().partition(":")
    if colon:
        names = [name.partition("(")[0] for name in listed.split(",")]
        return mode in _MODES and all(_present(name) for name in names)
    return _present(mode)


def _present(name: str) -> bool:
    return any(name in (found, found.partition(".")[0]) for found in devices())


def load(
    files: Mapping[str, bytes], model_format: str, device: str, threads: int
) -> OpenVinoBackend:
    """See `Engine.load`. model_format: `onnx` or `openvino-ir`.

    For the CPU the compiled network is kept in the user's cache: compiling is most of the start.
    """
    if device.lower() != "cpu":
        return OpenVinoBackend(_compile(files, model_format, device, threads), device, threads)
    entry = _entry(files, threads)
    exported = entry.get(
        lambda: _compile(files, model_format, device, threads).export_model().getvalue()
    )
    try:
        compiled = _core().import_model(BytesIO(exported), "CPU", _settings(device, threads))
    except RuntimeError as error:
        entry.forget()  # so that the next attempt compiles anew
        raise BackendError(f"openvino cannot load the network: {_reason(error)}") from error
    return OpenVinoBackend(compiled, device, threads)


def _entry(files: Mapping[str, bytes], threads: int) -> Entry:
    """The cache entry of a network compiled for the CPU, and all that decides about it."""
    import openvino

    core = _core()
    depends_on = {
        "files": {role: sha256_of(data) for role, data in files.items()},
        "version": openvino.__version__,
        "processor": core.get_property("CPU", "FULL_DEVICE_NAME"),
        "capabilities": sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
        "caps": [os.environ.get(name) for name in _CAPS],
        "settings": _settings("cpu", threads),
        "system": f"{platform.system()} {platform.machine()}",
    }
    return Entry("openvino", depends_on)


def _compile(
    files: Mapping[str, bytes], model_format: str, device: str, threads: int
) -> ov.CompiledModel:
    core = _core()
    try:
        if model_format == "openvino-ir":
            model = core.read_model(files["model"], files["weights"])
        else:
            model = core.read_model(files["model"])
    except RuntimeError as error:
        raise BackendError(f"openvino cannot read the network: {_reason(error)}") from error
    check_interface(_shapes(model.inputs), _shapes(model.outputs))
    try:
        return core.compile_model(model, device.upper(), _settings(device, threads))
    except RuntimeError as error:
        raise BackendError(
            f"openvino cannot load the network on {device!r}: {_reason(error)}"
        ) from error


def _shapes(ports: Iterable[ov.ConstOutput]) -> dict[str, tuple[int, ...]]:
    """By name, "" where there is none; -1 for a dimension that is left open."""
    return {
        min(port.names, default=""): tuple(
            dimension.get_length() if dimension.is_static else -1
            for dimension in port.partial_shape
        )
        for port in ports
    }


def _settings(device: str, threads: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if device.lower() == "cpu":
        settings["INFERENCE_NUM_THREADS"] = threads
        # The default on some CPUs is bf16, which moves ties and costs accuracy in every layer
        # that is not INT8. Accelerators keep their own default: FP32 may not exist there.
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    return settings


def _reason(error: Exception) -> str:
    """The last line of OpenVINO's text: the lines before say where in its sources it happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


class OpenVinoBackend:
    """A compiled network, with as many infer requests as were ever at work at once.

    A shared request would silently hand one thread another's answer; one for every thread would
    grow with threads that come and go.
    """

    def __init__(self, compiled: ov.CompiledModel, device: str, threads: int) -> None:
        import openvino

        self._compiled: ov.CompiledModel | None = compiled
        self._device = device
        self._threads = threads
        self._requests: Pool[ov.InferRequest] = Pool()
        self._shared = partial(openvino.Tensor, shared_memory=True)

    def infer(self, canvas: Picture) -> RawResult:
        """See `Backend.infer`."""
        compiled, requests = self._compiled, self._requests  # another thread may call `close`
        if compiled is None:
            raise BackendError("this backend is closed: create a new Locator")
        try:
            request = requests.take(compiled.create_infer_request)
            # Read where it lies; answers are copied, as the next call writes over them.
            request.set_tensor(INPUT_NAME, self._shared(canvas[None]))
            request.infer()
            keypoints, angle = (request.get_tensor(name).data[0] for name in ("keypoints", "angle"))
            answer = RawResult(keypoints.copy(), angle.copy())
        except RuntimeError as error:
            raise BackendError(f"openvino failed: {_reason(error)}") from error
        requests.give(request)
        return answer

    def describe(self) -> dict[str, str | int]:
        """See `Backend.describe`."""
        import openvino

        facts: dict[str, str | int] = {
            "engine": "openvino",
            "version": openvino.__version__,
            "device": self._device,
        }
        if ":" not in self._device:  # a mode has no hardware of its own
            name = _core().get_property(self._device.upper(), "FULL_DEVICE_NAME")
            facts["device_name"] = str(name).strip()
        if self._device == "cpu":
            facts["threads"] = self._threads
        return facts

    def close(self) -> None:
        """See `Backend.close`."""
        self._compiled = None
        self._requests = Pool()
