from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.cache import KEPT_ENTRIES, Entry, cache_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edge-locator" / "things"


def thing(**facts: object) -> Entry:
    return Entry("things", facts)


def never() -> bytes:
    raise AssertionError("it was made, though it is in the cache")


def test_what_was_made_is_not_made_again(folder):
    assert thing(a=1, b="x").get(lambda: b"content") == b"content"
    assert thing(b="x", a=1).get(never) == b"content"
    assert sorted(p.name for p in folder.iterdir()) == [thing(a=1, b="x").path.name, "lock"]


@pytest.mark.parametrize("facts", [{"a": 2}, {"a": 1, "b": 0}, {"A": 1}, {"a": "1"}, {}])
def test_other_facts_are_another_entry(facts):
    thing(a=1).get(lambda: b"one")
    assert thing(**facts).get(lambda: b"other") == b"other"
    assert thing(a=1).get(never) == b"one"


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "foreign"])
def test_a_damaged_file_is_made_anew_with_one_line(caplog, damage):
    path = thing(a=1).path
    thing(a=1).get(lambda: b"content" * 100)
    content = path.read_bytes()
    path.write_bytes(
        {
            "flip": content[:50] + bytes([content[50] ^ 1]) + content[51:],
            "truncate": content[:-1],
            "empty": b"",
            "foreign": b"something else entirely" * 9,
        }[damage]
    )
    with caplog.at_level(logging.WARNING):
        assert thing(a=1).get(lambda: b"new") == b"new"
    assert caplog.messages == [f"{path} is damaged: making it anew"]
    assert thing(a=1).get(never) == b"new"


def test_what_is_forgotten_is_made_anew():
    thing(a=1).get(lambda: b"old")
    thing(a=1).forget()
    thing(a=1).forget()
    assert thing(a=1).get(lambda: b"new") == b"new"


def test_the_entries_used_last_are_kept(folder):
    for number in range(KEPT_ENTRIES):
        thing(number=number).get(lambda: b"")
        os.utime(thing(number=number).path, ns=(number, number))
    thing(number=0).get(never)  # used again
    (folder / ".left-by-a-crash.1.tmp").touch()
    thing(number=99).get(lambda: b"")
    kept = {*range(KEPT_ENTRIES), 99} - {1}
    assert {p.name for p in folder.iterdir()} == {
        "lock", *(thing(number=number).path.name for number in kept)
    }  # fmt: skip


def test_a_failure_to_make_it_leaves_nothing(folder):
    def fail() -> bytes:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        thing(a=1).get(fail)
    assert [p.name for p in folder.iterdir()] == ["lock"]
    assert thing(a=1).get(lambda: b"") == b""


def test_a_cache_of_somebody_else_is_read(monkeypatch, caplog):
    thing(a=1).get(lambda: b"made")

    def refused(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "utime", refused)
    assert thing(a=1).get(lambda: b"made anew") == b"made"
    assert caplog.messages == []


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert thing(a=1).get(lambda: b"made") == b"made"
    assert len(caplog.messages) == 1
    assert "cannot be kept (Not a directory): it will be made each time" in caplog.messages[0]
    assert str(cache_folder()).startswith(str(tmp_path / "file"))


_MAKER = """
import sys, time
from pathlib import Path
from runtime.cache import Entry

def make():
    with open(sys.argv[1], "a") as log:
        log.write("made\\n")
    time.sleep(0.5)  # so that the others come while it is being made
    return b"content" * 1000

print("ready", flush=True)
sys.stdin.readline()
assert Entry("things", {"a": 1}).get(make) == b"content" * 1000
"""


def test_of_several_processes_one_makes_it(tmp_path):
    log = tmp_path / "log"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _MAKER, str(log)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate(timeout=60)
        assert worker.returncode == 0
    assert log.read_text() == "made\n"
