"""What is reported every few steps, and the sums it is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass


class Means:
    """Means since the last report: every value over the steps that really brought it."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._counts: defaultdict[str, int] = defaultdict(int)

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, values: Mapping[str, float]) -> None:
        """Adds one step's values."""
        for name, value in values.items():
            self._sums[name] += value
            self._counts[name] += 1

    def take(self) -> dict[str, float]:
        """The means; the next ones start afresh."""
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        self._sums.clear()
        self._counts.clear()
        return means


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A report: where the run is, and means over the steps since the last one.

    epoch, step: counted from 1 over the whole run.
    rates: the learning rate of every parameter group, by its name or number.
    losses: "loss" and its components.
    data_s, batch_s: seconds a step waited for data, and took in all. eta_s: seconds left.
    gradient_norm: before clipping; None where it was never finite. update_ratio: |Δw| / |w|; None
        where it was not measured.
    """

    epoch: int
    step: int
    rates: dict[str, float]
    losses: dict[str, float]
    data_s: float
    batch_s: float
    eta_s: float
    gradient_norm: float | None = None
    update_ratio: float | None = None
