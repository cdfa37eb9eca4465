from __future__ import annotations

import re
import subprocess

import pytest

from bench import overhead


def test_every_figure_is_measured(capsys):
    assert overhead.main(["--repeats", "3", "--starts", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    patterns = (
        r"predict [\d.]+ ms, engine [\d.]+ ms: overhead -?[\d.]+ ms \(aim: 0.4\)",
        r"import beyond numpy and cv2: -?\d+ ms \(aim: 30\)",
        r"warm start to first answer \d+ ms, bare script \d+ ms: x [\d.]+ \(aim: 1.3\)",
        r"cold start to first answer \d+ ms, bare script \d+ ms: x [\d.]+ \(aim: 1.3\)",
    )
    for pattern, line in zip(patterns, lines, strict=True):
        assert re.fullmatch(pattern, line), line


def test_a_script_that_fails_is_not_timed():
    with pytest.raises(subprocess.CalledProcessError):
        overhead.started_ms([overhead.python("raise SystemExit(3)")], 1)


def test_only_a_cold_start_finds_its_cache_empty(tmp_path):
    mark = (
        "import os, pathlib, time\n"
        "mark = pathlib.Path(os.environ['XDG_CACHE_HOME'], 'mark')\n"
        "time.sleep(0 if mark.exists() else 3)\n"
        "mark.touch()"
    )
    commands = [overhead.python(mark)]
    (warm,), (cold,) = (overhead.started_ms(commands, 1, cold) for cold in (False, True))
    assert cold > warm + 1000


def test_the_slower_process_takes_longer():
    scripts = ("pass", "import time; time.sleep(2)")
    quick, slow = overhead.started_ms([overhead.python(script) for script in scripts], 1)
    assert slow > quick + 500
