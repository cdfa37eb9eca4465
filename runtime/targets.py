"""The latency targets, as targets.toml holds them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class LatencyTarget:
    """See targets.toml."""

    device_name: str
    precisions: list[str]
    contract_ms: float
    aim_ms: float


@dataclass(frozen=True)
class SpeedupTarget:
    """See targets.toml."""

    cap: str
    least: float


def latency_targets() -> tuple[LatencyTarget, ...]:
    """All latency targets."""
    return tuple(LatencyTarget(**entry) for entry in _document()["latency"])


def speedup_targets() -> dict[str, float]:
    """The least speed-up of INT8 over FP32, by instruction-set cap."""
    targets = (SpeedupTarget(**entry) for entry in _document()["speedup"])
    return {target.cap: target.least for target in targets}


def _document() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "targets.toml").read_text())
