"""The layers of a network by the names of its modules, and what an engine makes of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import openvino as ov

# As OpenVINO's compiled networks call them.
_COMPUTING_LAYERS = ("Convolution", "MatMul", "FullyConnected")
_STRUCTURE = ("Const", "Input", "Output", "Reshape", "Reorder")
_COMPUTING_OPERATIONS = ("Convolution", "MatMul")
# What may stand between a weight and its operation.
_BETWEEN = ("Convert", "Subtract", "Multiply", "FakeQuantize", "Reshape")
# Group -> what the name of a layer in it contains.
_GROUPS = {
    "stem": r"(^|\.)stem\.",
    "transitions": r"(^|\.)stage\d+\.transition\b",
    "fusion": r"\.exchange\.",
    **{f"branch {level}": rf"\.branches\.{level}\." for level in range(4)},
    "fpn": r"(^|\.)fpn\.",
    "head": r"(^|\.)head\.",
    "angle": r"(^|\.)angle\.",
}


@dataclass(frozen=True)
class IrModel:
    """An OpenVINO model as the content of its two files."""

    xml: bytes
    weights: bytes

    def read(self) -> ov.Model:
        """The model for OpenVINO."""
        return ov.Core().read_model(self.xml, self.weights)


@dataclass(frozen=True)
class ExecutedLayer:
    """A layer of a compiled network before its decode.

    name: see `name_layers`; layers without weights have some other one.
    kind: as the engine calls it. precision: what it runs in, such as `i8` or `f32`.
    """

    name: str
    kind: str
    precision: str

    @property
    def int8(self) -> bool:
        """Whether it runs in INT8."""
        return self.precision in ("i8", "u8")


def layer_name(weight: str) -> str:
    """A layer's name, `stage2.units.0.branches.1.0.0`, from that of its weight."""
    return weight.removesuffix(".weight").removeprefix("net.")


def matching(layers: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The layers' names in which some pattern is found (`re.search`)."""
    return [layer for layer in layers if any(re.search(pattern, layer) for pattern in patterns)]


def groups() -> dict[str, str]:
    """The parts of a network, finest branch first -> the pattern of their layers' names."""
    return dict(_GROUPS)


def name_layers(model: ov.Model) -> list[str]:
    """Name every operation that has weights by its layer, in place; returns the names.

    These names outlast quantisation and serialisation, those of the weights do not.
    """
    found = []
    for op in model.get_ordered_ops():
        if op.get_type_name() in _COMPUTING_OPERATIONS and (weight := _weight(op)):
            found.append(layer_name(weight))
            op.set_friendly_name(found[-1])
    return found


def _weight(op: ov.Node) -> str | None:
    """The name of the constant behind an operation's second input, quantised or not."""
    node = op.input_value(1).get_node()
    while node.get_type_name() in _BETWEEN:
        node = node.input_value(0).get_node()
    return str(node.get_friendly_name()) if node.get_type_name() == "Constant" else None


def up_to_logits(model: ov.Model, computes: Callable[[ov.Node], bool]) -> set[str]:
    """Names of the operations that compute, in that sense, or lead to one that does."""
    found: set[str] = set()
    for op in reversed(model.get_ordered_ops()):
        targets = (t for output in op.outputs() for t in output.get_target_inputs())
        if computes(op) or any(t.get_node().get_friendly_name() in found for t in targets):
            found.add(op.get_friendly_name())
    return found


def decode_operations(model: ov.Model) -> list[str]:
    """Names of the operations from the logits on: what no convolution comes after.

    Found by the graph's shape, so that it holds whatever the exporter calls its nodes.
    """
    network = up_to_logits(model, lambda op: op.get_type_name() in _COMPUTING_OPERATIONS)
    return [
        op.get_friendly_name()
        for op in model.get_ordered_ops()
        if op.get_type_name() not in ("Result", "Constant")
        and op.get_friendly_name() not in network
    ]


def executed_layers(model: ov.Model) -> list[ExecutedLayer]:
    """What the CPU runs of the network before its decode, in order.

    From the compiled network, not from the quantised one: engines decide for themselves.
    """
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(model, "CPU", settings).get_runtime_model()
    network = up_to_logits(compiled, lambda op: _fact(op, "layerType") in _COMPUTING_LAYERS)
    return [
        ExecutedLayer(
            op.get_friendly_name(),
            _fact(op, "layerType"),
            _fact(op, "runtimePrecision"),
        )
        for op in compiled.get_ordered_ops()
        if _fact(op, "layerType") not in _STRUCTURE and op.get_friendly_name() in network
    ]


def _fact(op: ov.Node, key: str) -> str:
    return str(op.get_rt_info()[key].value)


def fallbacks(layers: Sequence[ExecutedLayer]) -> list[ExecutedLayer]:
    """The layers with weights or matrix products that do not run in INT8."""
    return [layer for layer in layers if layer.kind in _COMPUTING_LAYERS and not layer.int8]


def layer_table(layers: Sequence[ExecutedLayer]) -> str:
    """The layers as text: a line a kind, the most frequent first, then what fell back."""
    counts: dict[str, list[int]] = {}
    for layer in layers:
        count = counts.setdefault(layer.kind, [0, 0])
        count[0] += layer.int8
        count[1] += 1
    rows = sorted(counts.items(), key=lambda row: (-row[1][1], row[0]))
    lines = [f"{'executed layers':<18}{'INT8':>6}{'all':>6}"]
    lines += [f"{kind:<18}{int8:>6}{total:>6}" for kind, (int8, total) in rows]
    lines += [f"not in INT8: {one.kind} {one.name} ({one.precision})" for one in fallbacks(layers)]
    return "\n".join(lines)
