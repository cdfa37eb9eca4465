"""Post-training INT8 for OpenVINO."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nncf
import openvino as ov

from compress.accuracy import AccuracyControl
from compress.calibration import CalibrationSet
from compress.layers import IrModel, decode_operations, matching, name_layers

PRESETS: Mapping[str, nncf.QuantizationPreset] = {
    "mixed": nncf.QuantizationPreset.MIXED,
    "performance": nncf.QuantizationPreset.PERFORMANCE,
}
# Patterns of layers that stay in floating point unless a command is told otherwise: what
# `compress.sensitivity` found to pay.
FLOATING: tuple[str, ...] = ()
# What OpenVINO calls an operation that nobody named.
_RUNNING_NUMBER = re.compile(r"[A-Z][A-Za-z]*_\d+")


def quantize(
    onnx_bytes: bytes,
    calibration: CalibrationSet,
    preset: str,
    floating: Sequence[str] = FLOATING,
    control: AccuracyControl | None = None,
) -> IrModel:
    """Quantise a deployed graph to INT8; its decode stays FP32.

    onnx_bytes: from `compress.onnx_graphs.deployed_onnx`.
    preset: a key of PRESETS; `mixed` lets activations that go below zero be asymmetric.
    floating: patterns of layers that stay in floating point (see `compress.layers`).
    control: gives layers back to floating point until the error on its pictures has grown by no
        more than it allows.
    """
    # One line for every operation that it was told to leave alone.
    logging.getLogger("nncf").setLevel(logging.ERROR)
    model = ov.Core().read_model(onnx_bytes)
    _name_by_place(model)  # NNCF writes down what it was told to leave alone
    ignored = [*matching(name_layers(model), floating), *decode_operations(model)]
    dataset = nncf.Dataset(calibration.canvases, lambda canvas: canvas[None])
    options: dict[str, Any] = {
        "preset": PRESETS[preset],
        "subset_size": calibration.count,
        "ignored_scope": nncf.IgnoredScope(names=ignored),
    }
    # Half the range for the first layer only helps CPUs without VNNI.
    advanced = nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.DISABLE)
    if control is None:
        return serialised(nncf.quantize(model, dataset, advanced_parameters=advanced, **options))
    return serialised(
        nncf.quantize_with_accuracy_control(
            model,
            dataset,
            nncf.Dataset(control.pictures),
            control.metric,
            max_drop=control.max_drop_px,
            advanced_quantization_parameters=advanced,
            **options,
        )
    )


def serialised(model: ov.Model) -> IrModel:
    """An OpenVINO model as its files; weights keep their types."""
    _name_by_place(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.xml")
        ov.save_model(model, path, compress_to_fp16=False)
        return IrModel(path.read_bytes(), path.with_suffix(".bin").read_bytes())


def _name_by_place(model: ov.Model) -> None:
    """Name operations by their place where OpenVINO gave them a running number of this process.

    So the same network gives the same bytes, whatever was done before.
    """
    for place, op in enumerate(model.get_ordered_ops()):
        if _RUNNING_NUMBER.fullmatch(op.get_friendly_name()):
            op.set_friendly_name(f"{op.get_type_name()}_{place}")
