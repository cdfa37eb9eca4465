"""The gate: what was measured against the tolerances of gate.toml, or of a file of one's own."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.agreement import Agreement
from compress.errors import CompressionError, RefusedError
from compress.package import finite
from runtime.bundle import Gate
from train.metrics import THRESHOLDS_PX

Tolerances = dict[str, dict[str, float]]

TOLERANCES = Path(__file__).with_name("gate.toml")
# Artefacts that it measures.
GATED = ("fp32", "fp16", "int8", "int8-qdq")
FIGURES = frozenset(
    {
        "mae_px",
        "mae_added_px",
        "shift_p50_px",
        "shift_p99_px",
        "shift_max_px",
        "shift_right_p99_px",
        "largest_file_mb",
        *(f"accuracy_lost_{px}px" for px in THRESHOLDS_PX),
    }
)


@dataclass(frozen=True)
class Check:
    """One tolerance and what was measured."""

    artefact: str
    figure: str
    limit: float
    value: float

    @property
    def passed(self) -> bool:
        """Whether it holds; what could not be measured does not."""
        return math.isfinite(self.value) and self.value <= self.limit

    def __str__(self) -> str:
        return f"{self.artefact} {self.figure} {self.value:.4g}, allowed {self.limit:g}"


def load_tolerances(path: Path = TOLERANCES) -> Tolerances:
    """Read tolerances: artefact -> figure -> largest value allowed.

    Raises CompressionError for a file that does not hold that.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CompressionError(f"{path} cannot be used as tolerances: {error}") from error
    for artefact, limits in document.items():
        if artefact not in GATED:
            raise CompressionError(f"{path}: [{artefact}] is not one of: {', '.join(GATED)}")
        if not isinstance(limits, dict):
            raise CompressionError(f"{path}: expected figures under [{artefact}], got {limits!r}")
        for figure, limit in limits.items():
            if figure not in FIGURES:
                known = ", ".join(sorted(FIGURES))
                raise CompressionError(f"{path}: {artefact}.{figure} is not one of: {known}")
            if isinstance(limit, bool) or not isinstance(limit, int | float):
                raise CompressionError(f"{path}: {artefact}.{figure}: expected a number")
    return {name: {k: float(v) for k, v in limits.items()} for name, limits in document.items()}


def checks(measured: Agreement, tolerances: Tolerances) -> list[Check]:
    """Every tolerance against its figure."""
    return [
        Check(artefact, figure, limit, float(measured.figures[artefact][figure]))
        for artefact, limits in tolerances.items()
        for figure, limit in limits.items()
    ]


def refuse_unless_passed(found: list[Check], measured: Agreement) -> None:
    """Raise RefusedError with the tolerances that do not hold, if any."""
    if failed := [str(check) for check in found if not check.passed]:
        raise RefusedError(
            f"refused on {measured.pictures.name} ({measured.pictures.count} pictures): "
            f"{'; '.join(failed)}; nothing was written"
        )


def gate_record(measured: Agreement, tolerances: Tolerances) -> Gate:
    """What a manifest keeps of it: rounded, null where there was nothing to measure."""
    pictures = measured.pictures
    figures: dict[str, dict[str, Any]] = finite(_rounded(measured.figures))
    return Gate(pictures.name, pictures.count, measured.fingerprint, tolerances, figures)


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value
