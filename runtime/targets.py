"""The targets, as targets.toml holds them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Classes of machines that are no hardware's name; see targets.toml.
CAPPED, TWO_THREADS, ANYWHERE = "avx2-vnni-2-threads", "2-threads", "anywhere"
CLASSES = (CAPPED, TWO_THREADS, ANYWHERE)


@dataclass(frozen=True)
class Target:
    """See targets.toml. Either `at_most` or `at_least` is given, and `aim` lies beyond it."""

    on: str
    precisions: list[str]
    metric: str
    statistic: str
    difficulty: str | None = None
    at_most: float | None = None
    at_least: float | None = None
    aim: float | None = None

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(f"{self.metric} on {self.on}: either at_most or at_least")
        if self.aim is not None and not self.met_by(self.aim):
            raise ValueError(f"{self.metric} on {self.on}: the aim is less than what must hold")

    @property
    def limit(self) -> float:
        """What must hold."""
        limit = self.at_least if self.at_most is None else self.at_most
        assert limit is not None
        return limit

    def met_by(self, value: float) -> bool:
        """Whether what must hold does."""
        return self._within(value, self.limit)

    def aim_met_by(self, value: float) -> bool:
        """Whether the aim, or else what must hold, is reached."""
        return self._within(value, self.limit if self.aim is None else self.aim)

    def _within(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_most is None else value <= limit


def targets() -> tuple[Target, ...]:
    """All of them."""
    return tuple(Target(**entry) for entry in _document()["target"])


def target(on: str, metric: str, difficulty: str | None = None) -> Target:
    """The first of that metric on that class of machine. Raises KeyError where there is none."""
    for one in targets():
        if (one.on, one.metric, one.difficulty) == (on, metric, difficulty):
            return one
    raise KeyError(f"no target for {metric} on {on}")


def _document() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "targets.toml").read_text())
