from __future__ import annotations

import re

import pytest

from bench import native

pytestmark = pytest.mark.native


def test_every_figure_is_measured(capsys):
    assert native.main(["--repeats", "3", "--starts", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    patterns = (
        r"predict: native p50 [\d.]+ ms, Python p50 [\d.]+ ms: x [\d.]+",
        r"start to first answer: native \d+ ms, with a cache folder \d+ ms, Python \d+ ms",
        r"size: library [\d.]+ MiB, command [\d.]+ MiB",
    )
    for pattern, line in zip(patterns, lines, strict=True):
        assert re.fullmatch(pattern, line), line
