"""The artefacts that bundles may hold: file names, formats and what each is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from compress.layers import IrModel
from runtime.bundle import Artefact, sha256_of


class _Kind(NamedTuple):
    """files: role -> file name; the rest as in `runtime.bundle.Artefact`."""

    files: dict[str, str]
    format: str
    precision: str
    backends: tuple[str, ...]


# In the order of a manifest, where the first that serves a backend is taken. `raw` gives whole maps
# and is for no backend of the runtime.
_KINDS = {
    "fp32-ir": _Kind(
        {"model": "fp32.xml", "weights": "fp32.bin"}, "openvino-ir", "fp32", ("openvino",)
    ),
    "fp32": _Kind({"model": "fp32.onnx"}, "onnx", "fp32", ("openvino", "onnxruntime")),
    "fp16": _Kind(
        {"model": "fp16.onnx"},
        "onnx",
        "fp16",
        # ONNX Runtime rounds to FP16 on a CPU, where OpenVINO computes in FP32.
        ("tensorrt", "tensorrt-rtx", "onnxruntime", "openvino"),
    ),
    "int8": _Kind(
        {"model": "int8.xml", "weights": "int8.bin"}, "openvino-ir", "int8", ("openvino",)
    ),
    "int8-qdq": _Kind({"model": "int8-qdq.onnx"}, "onnx", "int8", ("tensorrt", "onnxruntime")),
    "raw": _Kind({"model": "raw.onnx"}, "onnx", "fp32", ()),
}
FILES = frozenset(name for kind in _KINDS.values() for name in kind.files.values())


@dataclass(frozen=True, eq=False)
class Artefacts:
    """A manifest's entries, artefact name -> entry, and their files, name -> content."""

    entries: dict[str, Artefact]
    files: dict[str, bytes]


def artefacts(contents: Mapping[str, bytes | IrModel]) -> Artefacts:
    """The artefacts of these networks. contents: artefact name -> an ONNX file or an IR."""
    entries: dict[str, Artefact] = {}
    files: dict[str, bytes] = {}
    for name, kind in _KINDS.items():
        if name not in contents:
            continue
        content = contents[name]
        parts = [content.xml, content.weights] if isinstance(content, IrModel) else [content]
        digests = {role: sha256_of(part) for role, part in zip(kind.files, parts, strict=True)}
        entries[name] = Artefact(
            kind.files, digests, kind.format, kind.precision, kind.backends, measured={}
        )
        files |= dict(zip(kind.files.values(), parts, strict=True))
    return Artefacts(entries, files)
