"""What a run of the benchmarks found, from pytest-benchmark's JSON or from what a report kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bench.cap import AVX2_VNNI, UNCAPPED
from runtime.targets import ANYWHERE, CAPPED, TWO_THREADS, Target, targets

Row: TypeAlias = dict[str, Any]
Verdict: TypeAlias = Literal["met", "missed", "unknown"]

_CAPS = {CAPPED: AVX2_VNNI, TWO_THREADS: UNCAPPED}


class ResultsError(ValueError):
    """A file that holds no results; the message is one line."""


@dataclass(frozen=True)
class Judged:
    """A target and what was found: `unknown` where this machine is not of its class."""

    target: Target
    precision: str
    value: float | None

    @property
    def verdict(self) -> Verdict:
        if self.value is None:
            return "unknown"
        return "met" if self.target.met_by(self.value) else "missed"


@dataclass(frozen=True)
class Results:
    """machine: see `bench.machine.fingerprint`; taken: when; rows: a benchmark each.

    A row holds its `name`, its `subject`, percentiles and what the benchmark recorded; as read from
    pytest-benchmark also `times_s`, which a report does not keep.
    """

    machine: dict[str, Any]
    taken: str
    rows: list[Row]

    @classmethod
    def read(cls, path: Path) -> Results:
        """Raises ResultsError for a file that holds none."""
        try:
            document = json.loads(path.read_text("utf-8"))
            if "benchmarks" not in document:
                return cls(document["machine"], document["taken"], document["rows"])
            rows = [
                # Rounded here: what is written is what is shown, judged and compared.
                {
                    "name": one["name"],
                    **_rounded(one["extra_info"]),
                    "times_s": one["stats"]["data"],
                }
                for one in document["benchmarks"]
            ]
            return cls(document["machine_info"], document["datetime"], rows)
        except OSError as error:
            raise ResultsError(f"{path} cannot be read: {error.strerror}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ResultsError(
                f"{path} holds no results: write them with pytest bench --benchmark-only "
                "--benchmark-json FILE"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, single times left out."""
        rows = [{k: v for k, v in row.items() if k != "times_s"} for row in self.rows]
        return {"machine": self.machine, "taken": self.taken, "rows": rows}

    def of(self, subject: str, **wanted: Any) -> Iterator[Row]:
        """Rows of a subject whose values, or whose options, are those."""
        for row in self.rows:
            known = row.get("options", {}) | row
            if row.get("subject") == subject and all(known.get(k) == v for k, v in wanted.items()):
                yield row

    def first(self, subject: str, **wanted: Any) -> Row | None:
        """The first of them."""
        return next(self.of(subject, **wanted), None)

    def judged(self) -> list[Judged]:
        """Every target, for each of its precisions."""
        return [
            Judged(target, precision, self._value(target, precision))
            for target in targets()
            for precision in target.precisions
        ]

    def _value(self, target: Target, precision: str) -> Any:
        if target.on == ANYWHERE:
            return self._accuracy(target, precision)
        if target.on not in _CAPS:
            return self._on_hardware(target, precision)
        cap = _CAPS[target.on]
        if target.metric == "predict_ms":
            return _take(self.predict(precision, cap), f"{target.statistic}_ms")
        if target.metric == "predict_beyond_engine_ms":
            return _take(self.first("overhead"), "beyond_engine_ms")
        if target.metric == "times_faster_than_fp32":
            return _take(self.first("speedup", cap=cap), "times_faster")
        if target.metric == "fraction_of_peak":
            return _take(_take(self.first("limit", cap=cap), precision), "fraction_of_peak")
        peer = target.metric.removeprefix("times_faster_than_").replace("_", "-")
        return _take(self.first("peer", peer=peer), "times_ours")

    def predict(self, precision: str, cap: str) -> Row | None:
        """Whole predictions of the usual picture by OpenVINO, two threads."""
        return self.first(
            "predict", precision=precision, backend="openvino", threads=2, cap=cap, width=None
        )

    def _on_hardware(self, target: Target, precision: str) -> Any:
        if target.on not in self.machine["processor"]:
            return None
        return _take(self.predict(precision, UNCAPPED), f"{target.statistic}_ms")

    def _accuracy(self, target: Target, precision: str) -> Any:
        row = self.first("accuracy", precision=precision, backend="openvino")
        if row is None or target.metric == "angle_error_deg":
            return _take(row, target.metric)
        group = _take(_take(row, "points"), "both")[target.difficulty or "all"]
        return _take(group[target.metric], "value")


def _take(row: Any, key: str) -> Any:
    """None where a benchmark did not run, or could not."""
    return None if row is None else row.get(key)


def _rounded(value: Any) -> Any:
    """Numbers of five digits: no more is known of them."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
