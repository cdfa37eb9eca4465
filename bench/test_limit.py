"""How near to the machine's measured peak the convolutions run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench.cap import AVX2_VNNI, UNCAPPED
from bench.conftest import Record


@pytest.mark.parametrize("cap", [UNCAPPED, AVX2_VNNI])
def test_fraction_of_peak(record: Record, bundle: str, cap: str) -> None:
    command = [sys.executable, "-m", "bench.limit", "--bundle", bundle]
    if cap != UNCAPPED:
        command += ["--cap", cap]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    record([found["int8"]["convolutions_ms"] / 1e3], subject="limit", **found)
    assert not found["int8"]["not_in_precision"]
