"""The latency targets, as targets.toml holds them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LatencyTarget:
    """See targets.toml."""

    device_name: str
    precisions: list[str]
    contract_ms: float
    aim_ms: float


def latency_targets() -> tuple[LatencyTarget, ...]:
    """All latency targets."""
    document = tomllib.loads((Path(__file__).parent / "targets.toml").read_text())
    return tuple(LatencyTarget(**entry) for entry in document["latency"])
