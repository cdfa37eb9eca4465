"""The inference engines. Their modules, and the engines themselves, are imported when asked for."""

from __future__ import annotations

from typing import cast

from runtime.backends.base import Engine

# Name -> where its Engine is, in the order in which they are preferred.
_ENGINES = {
    "tensorrt": "runtime.backends.tensorrt.engine:TENSORRT_ENGINE",
    "tensorrt-rtx": "runtime.backends.tensorrt.engine:RTX_ENGINE",
    "openvino": "runtime.backends.openvino",
    "onnxruntime": "runtime.backends.onnxruntime",
}
BACKENDS = tuple(_ENGINES)


def engine(name: str) -> Engine:
    """Return one of BACKENDS."""
    from pkgutil import resolve_name  # costs time; engines load it anyway

    return cast(Engine, resolve_name(_ENGINES[name]))
