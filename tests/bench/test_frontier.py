"""Candidates timed and trained on one budget, a tiny one."""

import json

import pytest

from bench import frontier, report

TINY = {
    "shipped": {"widths": [4, 6, 8, 10], "stem_width": 4, "fpn_width": 8},
    "paper": {"kind": "paper", "widths": [8, 8, 16, 16], "stem_width": 8, "fpn_width": 8},
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(frontier, "CANDIDATES", TINY)
    monkeypatch.setattr(frontier, "TURNS", 1)
    monkeypatch.setattr(frontier, "CALLS", 2)


def test_candidates_are_timed_and_trained_and_shown(tmp_path, monkeypatch, capsys):
    out = ["-o", str(tmp_path)]
    budget = ["--pictures", "32", "--validation-pictures", "4", "--threads", "1"]
    assert frontier.main([*out, "--train", "paper", *budget, "--candidates", "shipped"]) == 0
    found = json.loads((tmp_path / report.FRONTIER).read_text())["candidates"]
    assert list(found) == ["shipped", "paper"]
    assert found["shipped"]["int8_avx2-vnni_ms"] > 0
    assert found["shipped"]["parameters"] > 1000
    assert 0.2 < found["shipped"]["times_reference_none"] < 5  # it is the reference itself
    assert found["paper"]["pictures"] == 32
    assert found["paper"]["val_mae"] > 0
    assert (tmp_path / "figures" / "frontier.png").stat().st_size > 5000

    # A later run adds to it.
    assert frontier.main([*out, "--no-times", "--train", "shipped", *budget]) == 0
    again = json.loads((tmp_path / report.FRONTIER).read_text())["candidates"]
    assert again["paper"] == found["paper"]
    assert again["shipped"].items() >= found["shipped"].items()
    assert again["shipped"]["pictures"] == 32

    section, _figure = report._frontier(tmp_path / report.FRONTIER)
    rows = [line for line in section.splitlines() if line.startswith("| paper |")]
    assert len(rows) == 1
    assert rows[0].startswith("| paper |  |  |")  # it was not timed


def test_every_candidate_is_a_network(monkeypatch):
    monkeypatch.undo()
    for model in frontier.CANDIDATES.values():
        total = frontier.summarise(frontier.parse_config({"model": model}).model)[-1]
        assert total.parameters > 1_000_000
