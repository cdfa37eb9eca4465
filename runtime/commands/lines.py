"""How `locator predict` prints an answer: as a line to read, a JSON object or a row of CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from typing import Any

from runtime.result import Keypoint, Location

Formatter = Callable[[str, Location], str]


def as_text(path: str, location: Location) -> str:
    """A line for people."""
    angle_deg = round(location.angle_deg, 1) + 0.0  # the sum turns -0.0 into 0.0
    verdict = "ok" if location.ok else f"not sure: {'; '.join(location.reasons)}"
    return (
        f"{path}: gap {_point(location.gap)}, slider {_point(location.slider)}, "
        f"angle {angle_deg:.1f} deg, distance {location.distance_px:.1f} px, {verdict}"
    )


def _point(keypoint: Keypoint) -> str:
    return f"({keypoint.x:.1f}, {keypoint.y:.1f}) score {keypoint.score:.2f}"


def as_json(path: str, location: Location) -> str:
    """`Location.to_dict` and the path, on one line."""
    return json.dumps({"path": path, **location.to_dict()})


class CsvTable:
    """Rows of comma-separated values, the names of the columns above the first one."""

    def __init__(self) -> None:
        self._started = False

    def __call__(self, path: str, location: Location) -> str:
        """`Location.to_dict` and the path, flattened: `gap_x` and so on; reasons with `; `."""
        row = {"path": path, **_flat(location.to_dict())}
        lines = [_joined(row.values())] if self._started else [_joined(row), _joined(row.values())]
        self._started = True
        return "\n".join(lines)


def _flat(answer: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in answer.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{part}": item for part, item in value.items()}
        else:
            flat[key] = "; ".join(value) if isinstance(value, list) else value
    return flat


def _joined(values: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()
