"""The pictures that quantisation is calibrated on, as canvases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compress.errors import CompressionError
from runtime.encoded import PICTURE_SUFFIXES
from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH, Letterbox, Picture
from runtime.picture import load
from train.synth import Backgrounds, render

DEFAULT_COUNT = 300
# A stream of its own: neither training nor any test set draws from it.
DEFAULT_SEED = 30_003


@dataclass(frozen=True, eq=False)
class CalibrationSet:
    """canvases: uint8 [N, 256, 512, 4], as the network gets them."""

    canvases: NDArray[np.uint8]

    @property
    def count(self) -> int:
        """How many pictures."""
        return len(self.canvases)

    @property
    def sha256(self) -> str:
        """Digest over all canvases, in order."""
        return hashlib.sha256(np.ascontiguousarray(self.canvases).data).hexdigest()


def generated(count: int, seed: int, backgrounds: Backgrounds | None) -> CalibrationSet:
    """The first `count` pictures of the generator's stream `seed`, of every difficulty.

    Raises CompressionError for a count below 1.
    """
    if count < 1:
        raise CompressionError(f"expected at least 1 calibration picture, got {count}")
    pictures = (render(seed, index, backgrounds=backgrounds).picture for index in range(count))
    return _letterboxed(pictures, count)


def from_folder(folder: Path, count: int) -> CalibrationSet:
    """The first `count` pictures of a folder and its subfolders, by path; all if it has fewer.

    Raises CompressionError for a folder without pictures and runtime's InputError for one that
    cannot be read.
    """
    if not folder.is_dir():
        raise CompressionError(f"{folder} is not a folder of calibration pictures")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)[
        :count
    ]
    if not paths:
        raise CompressionError(f"{folder} holds no pictures ({', '.join(PICTURE_SUFFIXES)})")
    return _letterboxed(map(load, paths), len(paths))


def _letterboxed(pictures: Iterable[Picture], count: int) -> CalibrationSet:
    canvases = np.empty((count, CANVAS_HEIGHT, CANVAS_WIDTH, 4), np.uint8)
    for picture, canvas in zip(pictures, _each(canvases), strict=True):
        height, width = picture.shape[:2]
        Letterbox(picture_width=width, picture_height=height).render(picture, out=canvas)
    return CalibrationSet(canvases)


def _each(canvases: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for index in range(len(canvases)):
        yield canvases[index]
