"""The inference engines. Their modules, and the engines themselves, are imported when asked for."""

from __future__ import annotations

import importlib
from typing import cast

from runtime.backends.base import Engine

# In the order in which they are preferred.
BACKENDS = ("openvino", "onnxruntime")


def engine(name: str) -> Engine:
    """Return the module of one of BACKENDS."""
    return cast(Engine, importlib.import_module(f"runtime.backends.{name}"))
