"""The INT8 network as ONNX with QuantizeLinear and DequantizeLinear, weights stored as int8."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import torch
from nncf.torch.function_hook.wrapper import get_hook_storage
from nncf.torch.quantization.layers import SymmetricQuantizer
from onnx_ir.passes import common
from torch import Tensor, nn

from compress.fakequant import RawNet, signed_activations
from compress.graph import DeployedGraph
from compress.onnx_graphs import DEPLOYED_NAMES, OPSET, blank_canvas, deployed_facts, finished

# What only moves or picks quantised values: their scale stays.
_MOVING = ("DepthToSpace", "MaxPool", "Reshape", "Transpose")


def qdq_onnx(net: RawNet, row_agreement: float, signed: bool) -> bytes:
    """The deployed graph of a quantised network; its decode stays FP32.

    net: from `compress.fakequant.quantized`, trained or not; it is left as it is.
    signed: every activation as int8 (for TensorRT, and ONNX Runtime); otherwise those that are
        never negative as uint8, with twice the resolution (for OpenVINO). Zero points are 0.
    """
    net = copy.deepcopy(net).eval()
    if signed:
        signed_activations(net)
    storage = get_hook_storage(net)
    exportable: dict[nn.Module, nn.Module] = {}  # a quantiser that serves several stays one
    for name, hook in list(storage.named_hooks(remove_duplicate=False)):
        if isinstance(hook, SymmetricQuantizer):
            replacement = exportable.setdefault(hook, _exportable(hook))
            storage.set_submodule(name, replacement)
    graph = DeployedGraph(net, row_agreement)
    with torch.no_grad():
        graph(blank_canvas())  # the weights meet their quantisers
    return _traced(graph, deployed_facts(row_agreement))


def _traced(graph: nn.Module, facts: Mapping[str, str]) -> bytes:
    """As `to_onnx` for a deployed graph with hooks, which only torch's older exporter follows."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        # That it is the older one, and that sizes become constants, as they shall.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        path = Path(folder, "model.onnx")
        torch.onnx.export(
            graph.eval(),
            (blank_canvas(),),
            path,
            input_names=["canvas"],
            output_names=list(DEPLOYED_NAMES),
            opset_version=OPSET,
            dynamo=False,
        )
        traced = onnx.load(path)
    return finished(_tidied(traced), facts)


def _tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every constant an initialiser that its users name directly, weights named by their layer.

    Engines look for int8 weights right before DequantizeLinear.
    """
    converted = ir.serde.deserialize_model(model)
    for tidy in (
        common.IdentityEliminationPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.RemoveUnusedNodesPass(),
    ):
        tidy(converted)
    for node in list(converted.graph):
        if node.op_type == "Conv":
            data, weight, bias = (_given(value) for value in node.inputs)
            stored = _source(weight, ("DequantizeLinear",))
            _rename(converted.graph, stored, f"{str(bias.name).removesuffix('.bias')}.weight")
            _requantize(converted.graph, node, data)
    return ir.serde.serialize_model(converted)


def _given(value: ir.Value | None) -> ir.Value:
    assert value is not None  # an input left out, which no folded convolution has
    return value


def _source(value: ir.Value, through: Sequence[str]) -> ir.Value:
    """What a value is made from by operations of these types, following their first inputs."""
    node = value.producer()
    while node is not None and node.op_type in through:
        value = _given(node.inputs[0])
        node = value.producer()
    return value


def _requantize(graph: ir.Graph, conv: ir.Node, data: ir.Value) -> None:
    """Quantise right before a convolution what was quantised before it was moved about.

    Its values are steps of that scale already, so nothing changes but that engines see that the
    convolution can run in INT8.
    """
    source = _source(data, _MOVING)
    made_by = source.producer()
    if source is data or made_by is None or made_by.op_type != "DequantizeLinear":
        return
    _, *scale_and_zero = made_by.inputs
    quantize = ir.node("QuantizeLinear", [data, *scale_and_zero])
    dequantize = ir.node("DequantizeLinear", [quantize.outputs[0], *scale_and_zero])
    graph.insert_before(conv, [quantize, dequantize])
    conv.replace_input_with(0, dequantize.outputs[0])


def _rename(graph: ir.Graph, value: ir.Value, name: str) -> None:
    graph.initializers.pop(str(value.name))
    value.name = name
    graph.initializers[name] = value


def _exportable(quantizer: SymmetricQuantizer) -> nn.Module:
    scale = (quantizer.scale.detach().abs() + quantizer.eps) / quantizer.level_high
    if quantizer.narrow_range:  # which weights alone have
        return _Weight(scale, quantizer.level_high)
    return _Activation(scale.reshape(()), torch.int8 if quantizer.signed else torch.uint8)


class _Activation(nn.Module):
    """Quantises and dequantises by one scale, f32 []."""

    scale: Tensor
    zero: Tensor

    def __init__(self, scale: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("zero", torch.zeros((), dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        apply = _QuantizeDequantize.apply
        result: Tensor = apply(x, self.scale, self.zero)  # type: ignore[no-untyped-call]
        return result


class _Weight(nn.Module):
    """Keeps the int8 codes of the weight that it first meets, and gives what they stand for.

    scale: f32, as many dimensions as the weight, of size 1 but for the channels'.
    """

    scale: Tensor
    zero: Tensor
    codes: Tensor | None

    def __init__(self, scale: Tensor, level_high: int) -> None:
        super().__init__()
        self.axis = max(range(scale.ndim), key=lambda axis: scale.shape[axis])
        self.level_high = level_high
        self.register_buffer("scale", scale.flatten())
        self.register_buffer("zero", torch.zeros(scale.numel(), dtype=torch.int8))
        self.register_buffer("codes", None)

    def forward(self, weight: Tensor) -> Tensor:
        if self.codes is None:
            shape = [1] * weight.ndim
            shape[self.axis] = -1
            steps = (weight / self.scale.reshape(shape)).round()
            self.codes = steps.clamp(-self.level_high, self.level_high).to(torch.int8)
        apply, about = _Dequantize.apply, (self.scale, self.zero, self.axis)
        result: Tensor = apply(self.codes, *about)  # type: ignore[no-untyped-call]
        return result


class _QuantizeDequantize(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        levels = torch.iinfo(zero.dtype)
        return (x / scale).round().clamp(levels.min, levels.max) * scale

    @staticmethod
    def symbolic(g: Any, x: Any, scale: Any, zero: Any) -> Any:
        result = g.op("DequantizeLinear", g.op("QuantizeLinear", x, scale, zero), scale, zero)
        result.setType(x.type())
        return result


class _Dequantize(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, codes: Tensor, scale: Tensor, _zero: Tensor, axis: int) -> Tensor:
        shape = [1] * codes.ndim
        shape[axis] = -1
        return codes.float() * scale.reshape(shape)

    @staticmethod
    def symbolic(g: Any, codes: Any, scale: Any, zero: Any, axis: int) -> Any:
        result = g.op("DequantizeLinear", codes, scale, zero, axis_i=axis)
        result.setType(codes.type().with_dtype(torch.float32))
        return result
