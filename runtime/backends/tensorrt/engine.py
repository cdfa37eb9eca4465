"""TensorRT and TensorRT for RTX as engines: which GPUs they can use, and loading a network."""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from runtime.backends.tensorrt import cuda
from runtime.backends.tensorrt.build import RTX, TENSORRT, build, new_log, supports
from runtime.backends.tensorrt.session import Session
from runtime.bundle import sha256_of
from runtime.cache import Entry
from runtime.errors import BackendError, BackendUnavailable
from runtime.geometry import Picture, RawResult

if TYPE_CHECKING:
    import tensorrt_rtx as trt

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TensorRtEngine:
    """One of the two libraries, as `runtime.backends.base.Engine`.

    package: as it is imported; name: of the backend and of the extra that installs it.
    """

    package: str
    name: str
    DEFAULT_DEVICE: str = "cuda:0"

    def devices(self) -> tuple[str, ...]:
        """See `Engine.devices`: `cuda:0`, ..."""
        self._version()
        gpus = cuda.gpus()
        usable = tuple(
            f"cuda:{number}"
            for number, gpu in enumerate(gpus)
            if supports(self.package, gpu.capability)
        )
        if not usable:
            names = ", ".join(gpu.name for gpu in gpus)
            raise BackendUnavailable(f"{self.name} does not support this machine's GPU: {names}")
        return usable

    def matches(self, device: str) -> bool:
        """See `Engine.matches`: `cuda` stands for `cuda:0`."""
        return _numbered(device) in self.devices()

    def load(
        self, files: Mapping[str, bytes], model_format: str, device: str, threads: int
    ) -> TensorRtBackend:
        """See `Engine.load`. model_format: `onnx`; threads: the GPU has its own."""
        number = int(_numbered(device).partition(":")[2])
        gpu = cuda.gpus()[number]
        cuda.use(number)
        onnx = files["model"]
        entry = self.entry(onnx, gpu.capability, cuda.driver_version())
        plan = entry.get(lambda: self._build(onnx, gpu.capability))
        try:
            session = Session(self._deserialise(plan), number)
        except BackendError as error:
            entry.forget()  # perhaps it was the engine's fault: the next attempt builds it anew
            raise BackendError(f"{self.name} cannot load the network: {error}") from error
        facts: dict[str, str | int] = {
            "engine": self.name,
            "version": self._version(),
            "device": _numbered(device),
            "device_name": gpu.name,
        }
        return TensorRtBackend(session, facts)

    def entry(self, onnx: bytes, capability: tuple[int, int], driver: str) -> Entry:
        """The cache entry of an engine: a built engine fits nothing but these."""
        depends_on = {
            "model": sha256_of(onnx),
            "library": self.package,
            "version": self._version(),
            "capability": capability,
            "driver": driver,
            "system": f"{platform.system()} {platform.machine()}",
        }
        return Entry("engines", depends_on)

    def _build(self, onnx: bytes, capability: tuple[int, int]) -> bytes:
        _log.info("building a %s engine for this machine; it is kept for the next time", self.name)
        return build(self.package, onnx, capability)

    def _deserialise(self, plan: bytes) -> trt.ICudaEngine:
        if not TYPE_CHECKING:
            trt = import_module(self.package)
        log = new_log(self.package)
        engine = trt.Runtime(log).deserialize_cuda_engine(plan)
        if engine is None:
            raise BackendError(log.last)
        return engine

    def _version(self) -> str:
        try:
            return str(import_module(self.package).__version__)
        except ImportError as error:
            raise BackendUnavailable(
                f"{self.package} cannot be imported ({error}): "
                f'pip install "edge-locator[{self.name}]"'
            ) from error


TENSORRT_ENGINE = TensorRtEngine(TENSORRT, "tensorrt")
RTX_ENGINE = TensorRtEngine(RTX, "tensorrt-rtx")


def _numbered(device: str) -> str:
    name = device.lower()
    return "cuda:0" if name == "cuda" else name


class TensorRtBackend:
    """A loaded engine."""

    def __init__(self, session: Session, facts: dict[str, str | int]) -> None:
        self._session = session
        self._facts = facts

    def infer(self, canvas: Picture) -> RawResult:
        """See `Backend.infer`."""
        return self._session.run(canvas)

    def describe(self) -> dict[str, str | int]:
        """See `Backend.describe`."""
        return dict(self._facts)

    def close(self) -> None:
        """See `Backend.close`."""
        self._session.close()
