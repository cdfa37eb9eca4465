from __future__ import annotations

from pathlib import Path

import pytest

from runtime import InputError
from runtime.paths import DrawingNames, expand


def test_expand_takes_names_literally_where_they_exist(tmp_path):
    odd = tmp_path / "odd[1].png"
    odd.touch()
    assert expand(str(odd)) == [odd]
    assert expand("x" * 5000) == [Path("x" * 5000)]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("b.png", "a.JPG", "notes.txt"):
        (folder / name).touch()
    return folder


def test_expand_looks_into_folders_that_alone_match(pictures):
    expected = [pictures / "a.JPG", pictures / "b.png"]
    assert expand(str(pictures.parent / "pict*")) == expand(str(pictures)) == expected


def test_an_unreadable_folder(pictures, monkeypatch):
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read .Permission denied"):
        expand(str(pictures))


def test_names_that_differ_in_case_alone_stay_apart(tmp_path):
    names = DrawingNames(tmp_path, [])
    made = [names.next(Path(name)).name for name in ("x/a.png", "x/A.png", "a.jpg")]
    assert made == ["a.png", "A-2.png", "a-3.png"]
