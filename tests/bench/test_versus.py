"""Two checkouts against each other: what is slower is told, and nothing else."""

import shutil
from pathlib import Path

import pytest

from bench import versus
from bench.conftest import noise

ROOT = Path(__file__).parents[2]


@pytest.fixture
def slowed(tmp_path) -> Path:
    """This project, but that its letterbox takes 20 ms more."""
    for name in ("runtime", "train", "compress"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "bench", tmp_path / "bench")
    subjects = tmp_path / "bench" / "subjects.py"
    text = subjects.read_text()
    drawn = "        laid.render(pixels, canvas)\n"
    assert drawn in text
    subjects.write_text(text.replace(drawn, drawn + '        __import__("time").sleep(0.02)\n'))
    return tmp_path


def test_the_slower_checkout_is_told(slowed, monkeypatch):
    monkeypatch.setattr(versus, "CALLS", 3)
    monkeypatch.setattr(versus, "TURNS", 2)
    found = versus.ratios("letterbox", (ROOT, slowed), "none", pairs=2)
    assert len(found) == 2
    assert max(found) < 0.5
    assert versus.verdict(found) == "faster"
    assert versus.verdict([1 / ratio for ratio in found]) == "slower"
    assert versus.verdict([0.9, 1.1]) == "no difference seen"


def test_the_command_line_says_what_it_found(slowed, monkeypatch, capsys):
    told = {"letterbox": [1.3, 1.2, 1.25], "answer": [0.99, 1.02, 1.0]}
    monkeypatch.setattr(versus, "ratios", lambda name, *_: told[name])
    assert versus.main([str(slowed), "--subjects", "letterbox", "answer"]) == 1
    letterbox, answer = capsys.readouterr().out.splitlines()
    assert letterbox == "letterbox     x 1.250  (1.200 to 1.300)  slower"
    assert answer.endswith("no difference seen")
    assert versus.main([str(slowed), "--subjects", "answer"]) == 0


def test_a_folder_that_is_no_checkout_is_one_line(tmp_path, capsys):
    assert versus.main([str(tmp_path), "--subjects", "letterbox", "--pairs", "1"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} is no checkout")


def test_noise_is_how_far_a_run_wandered():
    assert noise([1.0] * 50) == 0
    assert noise([1.0] * 40 + [1.5] * 10) == pytest.approx(0.5)
    assert noise([0.0] * 9) == 0
