from __future__ import annotations

import dataclasses

import pytest

from bench import soak
from runtime import Locator


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    monkeypatch.setattr(soak, "PICTURES", 3)


def test_a_short_soak_holds(monkeypatch, capsys):
    monkeypatch.setattr(soak, "ALLOWED_GROWTH", 2.0)  # too short for the memory to be told
    assert soak.main(["--minutes", "0.02", "--cycles", "2"]) == 0
    cycled, soaked = capsys.readouterr().out.splitlines()
    assert cycled.startswith("2 locators made and closed: memory x ")
    assert int(soaked.split()[0]) > 0
    assert ", 0 wrong: " in soaked


def test_a_wrong_answer_and_a_bad_input_that_is_taken_are_noticed():
    with Locator() as locator:
        first, _, second, *_ = soak.make_cases(locator)
        other = dataclasses.replace(first, expected=second.expected)
        refused = dataclasses.replace(first, expected=None)
        answer = locator.predict(first.source)
        assert first.fits(answer)
        assert not other.fits(answer)
        assert not refused.fits(answer)
        counter = soak.Soak(Locator, [other])
        counter._single(locator, other)
        assert (counter.answered, counter.wrong) == (1, 1)
        with pytest.raises(AssertionError, match="answered otherwise"):
            soak.cycle(Locator, other, 2)


def test_growth_fails_the_soak(monkeypatch):
    monkeypatch.setattr(soak, "cycle", lambda *_: 1.06)
    assert soak.main(["--minutes", "0", "--cycles", "1"]) == 1
