"""The little of CUDA that the TensorRT backend needs; error codes become exceptions.

What is allocated is registered with an `owner`, whose closing releases it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from runtime.errors import BackendError, BackendUnavailable


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU. capability: its compute capability, such as (8, 6)."""

    name: str
    capability: tuple[int, int]


@cache
def _cudart() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise BackendUnavailable(
            f"cuda-bindings cannot be imported ({error}): pip install cuda-bindings"
        ) from error
    return runtime


def _call(name: str, *arguments: object) -> Any:
    """Call a function of the CUDA runtime and return its result. Raises BackendError."""
    cudart = _cudart()
    code, *results = getattr(cudart, name)(*arguments)
    if code != cudart.cudaError_t.cudaSuccess:
        _, text = cudart.cudaGetErrorString(code)
        raise BackendError(f"{name} failed: {text.decode()}")
    return results[0] if results else None


def gpus() -> tuple[Gpu, ...]:
    """The GPUs that CUDA can use here, by its numbers. Raises BackendUnavailable without any."""
    try:
        count = _call("cudaGetDeviceCount")
    except BackendError as error:
        if isinstance(error, BackendUnavailable):
            raise
        raise BackendUnavailable(
            f"no usable NVIDIA GPU ({error}): install one and its driver, or choose another device"
        ) from error
    found = (_call("cudaGetDeviceProperties", number) for number in range(count))
    return tuple(Gpu(gpu.name.decode(), (gpu.major, gpu.minor)) for gpu in found)


def driver_version() -> str:
    """Release of the NVIDIA driver, such as `580.65.06`. Raises BackendError."""
    from cuda.bindings import nvml

    try:
        nvml.init_v2()
        return str(nvml.system_get_driver_version())
    except RuntimeError as error:
        raise BackendError(f"the NVIDIA driver does not tell its version: {error}") from error


def use(gpu: int) -> None:
    """Make a GPU the calling thread's own. Raises BackendError."""
    _call("cudaSetDevice", gpu)


def new_stream(owner: ExitStack) -> Any:
    """Return a stream that does not wait for others. Raises BackendError."""
    stream = _call("cudaStreamCreateWithFlags", _cudart().cudaStreamNonBlocking)
    owner.callback(_cudart().cudaStreamDestroy, stream)
    return stream


def wait(stream: Any) -> None:
    """Wait until all work of a stream is done. Raises BackendError where any of it failed."""
    _call("cudaStreamSynchronize", stream)


class Buffer:
    """An array in pinned host memory with its twin on the GPU, both at fixed addresses.

    host: the array; device: the twin's address.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike, owner: ExitStack) -> None:
        size = int(np.dtype(dtype).itemsize * np.prod(shape))
        self._bytes = size
        self._address = int(_call("cudaMallocHost", size))
        owner.callback(_cudart().cudaFreeHost, self._address)
        self.device = int(_call("cudaMalloc", size))
        owner.callback(_cudart().cudaFree, self.device)
        memory = memoryview((ctypes.c_uint8 * size).from_address(self._address))
        self.host: NDArray[Any] = np.frombuffer(memory, dtype).reshape(shape)

    def upload(self, stream: Any) -> None:
        """Queue the copy from the host to the GPU. Raises BackendError."""
        kind = _cudart().cudaMemcpyKind.cudaMemcpyHostToDevice
        _call("cudaMemcpyAsync", self.device, self._address, self._bytes, kind, stream)

    def download(self, stream: Any) -> None:
        """Queue the copy from the GPU to the host. Raises BackendError."""
        kind = _cudart().cudaMemcpyKind.cudaMemcpyDeviceToHost
        _call("cudaMemcpyAsync", self._address, self.device, self._bytes, kind, stream)


class Graph:
    """Work recorded from a stream once, to be queued there again with a single call."""

    def __init__(self, stream: Any, owner: ExitStack) -> None:
        self._stream = stream
        self._owner = owner
        self._recorded: Any = None

    @contextmanager
    def record(self) -> Iterator[None]:
        """Record what the block queues on the stream instead of running it. Raises BackendError."""
        # Thread-local: what other threads do with CUDA meanwhile is no concern of this recording.
        mode = _cudart().cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _call("cudaStreamBeginCapture", self._stream, mode)
        try:
            yield
        except BaseException:
            _cudart().cudaStreamEndCapture(self._stream)
            raise
        graph = _call("cudaStreamEndCapture", self._stream)
        self._owner.callback(_cudart().cudaGraphDestroy, graph)
        self._recorded = _call("cudaGraphInstantiate", graph, 0)
        self._owner.callback(_cudart().cudaGraphExecDestroy, self._recorded)

    def launch(self) -> None:
        """Queue the recorded work. Raises BackendError."""
        _call("cudaGraphLaunch", self._recorded, self._stream)
