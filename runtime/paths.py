"""Which picture files the command line means, and where the drawings of them go."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection
from pathlib import Path

from runtime.encoded import PICTURE_SUFFIXES
from runtime.errors import InputError


def expand(argument: str) -> list[Path]:
    """Return the files that a file name, a folder or a glob pattern stands for, sorted.

    A folder stands for the pictures directly in it. Raises InputError when there are none. A plain
    name is returned as it is, whether or not it exists.
    """
    path = Path(argument)
    # os.path answers False, where Path raises, for names the system cannot even look up.
    if os.path.isdir(path):
        return _pictures_in(path)
    if os.path.exists(path) or not glob.has_magic(argument):
        return [path]
    matches = [Path(match) for match in sorted(glob.glob(argument, recursive=True))]
    if not matches:
        raise InputError(f"no file matches {argument}: check the pattern")
    return [path for path in matches if not path.is_dir()] or [
        picture for folder in matches for picture in _pictures_in(folder)
    ]


def _pictures_in(folder: Path) -> list[Path]:
    try:
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): check its rights") from error
    if not found:
        suffixes = " ".join(PICTURE_SUFFIXES)
        raise InputError(f"{folder} holds no pictures ({suffixes}): give another folder or a file")
    return found


class DrawingNames:
    """Hands out a PNG file for each picture: its name, numbered where that is taken.

    folder: where the drawings go. pictures: never overwritten, though drawings of an earlier run
    are.
    """

    def __init__(self, folder: Path, pictures: Collection[Path]) -> None:
        self._folder = folder
        # Some file systems take a.png and A.png for the same file.
        self._taken = {_folded(path) for path in pictures}

    def next(self, picture: Path) -> Path:
        """Return where to draw this picture."""
        number = 1
        candidate = self._folder / f"{picture.stem}.png"
        while _folded(candidate) in self._taken:
            number += 1
            candidate = self._folder / f"{picture.stem}-{number}.png"
        self._taken.add(_folded(candidate))
        return candidate


def _folded(path: Path) -> str:
    return os.path.realpath(path).casefold()
