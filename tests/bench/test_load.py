"""A Locator under load: rates, waiting, and answers that must agree."""

import json
import time

import pytest

from bench import load


class Slow:
    """Answers after a while; `wrong` makes the answers differ."""

    def __init__(self, seconds: float, wrong: bool = False) -> None:
        self.seconds, self.wrong, self.calls = seconds, wrong, 0

    def predict(self, _picture: object) -> int:
        time.sleep(self.seconds)
        self.calls += 1
        return self.calls if self.wrong else 0


@pytest.fixture(autouse=True)
def no_warm_up(monkeypatch):
    monkeypatch.setattr(load, "WARM_UP", 1)


def test_callers_add_up():
    one, times_s = load.capacity(Slow(0.01), 1, 0.3)
    four, _ = load.capacity(Slow(0.01), 4, 0.3)
    assert 50 < one <= 100
    assert 2.5 * one < four < 4.5 * one
    assert min(times_s) >= 0.01


def test_waiting_counts():
    """One caller that takes 10 ms, asked 95 times a second: requests queue up."""
    idle = load.at_rate(Slow(0.01), 1, 20, 0.6)
    busy = load.at_rate(Slow(0.01), 1, 95, 0.6)
    assert min(idle) >= 0.01
    assert max(busy) > 0.02


@pytest.mark.parametrize(
    "measure", [load.capacity, lambda slow, n, s: load.at_rate(slow, n, 50, s)]
)
def test_a_different_answer_is_a_failure(measure):
    with pytest.raises(AssertionError):
        measure(Slow(0.001, wrong=True), 2, 0.2)


def test_the_command_prints_json():
    written: list[str] = []
    options = ["--callers", "1", "--threads", "1", "--seconds", "0.1"]
    assert load.main(options, written.append) == 0
    found = json.loads(written[0])
    assert [row["callers"] for row in found["capacity"]] == [1]
    assert [row["share"] for row in found["loaded"]] == [0.5, 0.8, 0.95]
    assert found["peak_memory_mib"] > 50
