"""Post-training INT8 for OpenVINO, and what of a network really executes in INT8."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nncf
import openvino as ov

from compress.calibration import CalibrationSet

PRESETS: Mapping[str, nncf.QuantizationPreset] = {
    "mixed": nncf.QuantizationPreset.MIXED,
    "performance": nncf.QuantizationPreset.PERFORMANCE,
}
# As OpenVINO's compiled networks call them.
_COMPUTING_LAYERS = ("Convolution", "MatMul", "FullyConnected")
_STRUCTURE = ("Const", "Input", "Output", "Reshape", "Reorder")


@dataclass(frozen=True)
class IrModel:
    """An OpenVINO model as the content of its two files."""

    xml: bytes
    weights: bytes


@dataclass(frozen=True)
class ExecutedLayers:
    """Layers of one kind in a compiled network: how many run in INT8, how many there are."""

    kind: str
    int8: int
    total: int


def _up_to_logits(model: ov.Model, computes: Callable[[ov.Node], bool]) -> set[str]:
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
    network = _up_to_logits(model, lambda op: op.get_type_name() in ("Convolution", "MatMul"))
    return [
        op.get_friendly_name()
        for op in model.get_ordered_ops()
        if op.get_type_name() not in ("Result", "Constant")
        and op.get_friendly_name() not in network
    ]


def quantize(onnx_bytes: bytes, calibration: CalibrationSet, preset: str) -> IrModel:
    """Quantise a deployed graph to INT8; its decode stays FP32.

    onnx_bytes: from `compress.export.deployed_onnx`.
    preset: a key of PRESETS; `mixed` lets activations that go below zero be asymmetric.
    """
    # One line for every operation that it was told to leave alone.
    logging.getLogger("nncf").setLevel(logging.ERROR)
    model = ov.Core().read_model(onnx_bytes)
    quantized = nncf.quantize(
        model,
        nncf.Dataset(calibration.canvases, lambda canvas: canvas[None]),
        preset=PRESETS[preset],
        subset_size=calibration.count,
        ignored_scope=nncf.IgnoredScope(names=decode_operations(model)),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            # Half the range for the first layer only helps CPUs without VNNI.
            overflow_fix=nncf.OverflowFix.DISABLE,
        ),
    )
    return _serialised(quantized)


def _serialised(model: ov.Model) -> IrModel:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.xml")
        ov.save_model(model, path, compress_to_fp16=False)
        return IrModel(path.read_bytes(), path.with_suffix(".bin").read_bytes())


def executed_layers(model: IrModel) -> list[ExecutedLayers]:
    """What the CPU runs of the network before its decode, by kind, the most frequent first.

    From the compiled network, not from the quantised one: engines decide for themselves.
    """
    core = ov.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    read = core.read_model(model.xml, model.weights)
    compiled = core.compile_model(read, "CPU", settings).get_runtime_model()
    network = _up_to_logits(compiled, lambda op: _fact(op, "layerType") in _COMPUTING_LAYERS)
    counts: dict[str, list[int]] = {}
    for op in compiled.get_ordered_ops():
        kind = _fact(op, "layerType")
        if kind not in _STRUCTURE and op.get_friendly_name() in network:
            count = counts.setdefault(kind, [0, 0])
            count[0] += _fact(op, "runtimePrecision") in ("i8", "u8")
            count[1] += 1
    rows = [ExecutedLayers(kind, int8, total) for kind, (int8, total) in counts.items()]
    return sorted(rows, key=lambda row: (-row.total, row.kind))


def _fact(op: ov.Node, key: str) -> str:
    return str(op.get_rt_info()[key].value)


def layer_table(layers: list[ExecutedLayers]) -> str:
    """The layers as text: a line a kind."""
    lines = [f"{'executed layers':<18}{'INT8':>6}{'all':>6}"]
    lines += [f"{row.kind:<18}{row.int8:>6}{row.total:>6}" for row in layers]
    return "\n".join(lines)
