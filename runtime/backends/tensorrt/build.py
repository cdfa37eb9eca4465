"""Turns an ONNX network into a serialised TensorRT engine."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from runtime.backends.base import check_interface
from runtime.errors import BackendError

if TYPE_CHECKING:
    import tensorrt_rtx as trt

TENSORRT, RTX = "tensorrt", "tensorrt_rtx"  # the packages, as they are imported


def build(package: str, onnx: bytes, capability: tuple[int, int]) -> bytes:
    """Build an engine for GPUs of a compute capability and return it serialised.

    package: TENSORRT, which builds for the calling thread's GPU, or RTX, which needs none.
    onnx: the network; its types are kept: nothing is converted to a lower precision.
    Raises BackendError when the library refuses the network, BundleError when it is not one of
    this package's.
    """
    if not TYPE_CHECKING:
        trt = import_module(package)
    log = new_log(package)
    builder = trt.Builder(log)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, log)
    if not parser.parse(onnx):
        reason = parser.get_error(0).desc() if parser.num_errors else log.last
        raise BackendError(f"{package} cannot read the network: {_one_line(reason)}")
    check_interface(*_interface(network))
    plan = builder.build_serialized_network(network, _config(package, builder, capability))
    if plan is None:
        raise BackendError(f"{package} cannot build the network: {_one_line(log.last)}")
    return bytes(cast(Any, plan))  # a buffer, though its type does not say so


def new_log(package: str) -> Any:
    """Return a logger for the library that prints nothing; `last` is the last error's text."""
    if not TYPE_CHECKING:
        trt = import_module(package)

    class Log(trt.ILogger):  # type: ignore[misc]  # Any where the library has no stubs
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # the library insists on this form
            self.last = "it gave no reason"

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.last = msg

    return Log()


def _interface(
    network: trt.INetworkDefinition,
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    return (
        {tensor.name: _shape(tensor) for tensor in inputs},
        {tensor.name: _shape(tensor) for tensor in outputs},
    )


def _shape(tensor: trt.ITensor) -> tuple[int, ...]:
    return tuple(tensor.shape[axis] for axis in range(len(tensor.shape)))


def _config(package: str, builder: trt.Builder, capability: tuple[int, int]) -> trt.IBuilderConfig:
    if not TYPE_CHECKING:
        trt = import_module(package)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # FP32 means FP32
    if package == RTX:
        config.num_compute_capabilities = 1
        config.set_compute_capability(_members(package)[_name(capability)], 0)
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)  # CUDA graphs need it
    return config


def supports(package: str, capability: tuple[int, int]) -> bool:
    """Whether the library knows GPUs of this compute capability; TensorRT itself does not tell."""
    return package != RTX or _name(capability) in _members(package)


def _members(package: str) -> Mapping[str, trt.ComputeCapability]:
    members: Mapping[str, trt.ComputeCapability]
    members = import_module(package).ComputeCapability.__members__
    return members


def _name(capability: tuple[int, int]) -> str:
    major, minor = capability
    return f"SM{major}{minor}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
