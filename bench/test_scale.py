"""What a Locator bears, how fast a process has its first answer, and what memory it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.conftest import Record
from bench.overhead import first_answers_ms


@pytest.fixture(scope="module")
def load(bundle: str) -> dict[str, Any]:
    """What `bench.load` measures, in a process of its own."""
    command = [sys.executable, "-m", "bench.load", "--bundle", bundle]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_capacity(record: Record, load: dict[str, Any]) -> None:
    rows = load["capacity"]
    _record_settings(record, "capacity", rows)


def test_under_load(record: Record, load: dict[str, Any]) -> None:
    rows = load["loaded"]
    _record_settings(record, "loaded", rows)


def _record_settings(record: Record, subject: str, rows: list[dict[str, Any]]) -> None:
    # One time for each setting: how they differ is no noise.
    record([row["p50_ms"] / 1e3 for row in rows], subject=subject, rows=rows, noise=0.0)


def test_memory(record: Record, load: dict[str, Any]) -> None:
    record([0.0], subject="memory", peak_memory_mib=load["peak_memory_mib"])


@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
def test_first_answer(record: Record, bundle: str, cold: bool) -> None:
    ours, bare = first_answers_ms(Path(bundle), 7, cold)
    record([ours / 1e3], subject="first answer", cold=cold, bare_script_ms=bare)
