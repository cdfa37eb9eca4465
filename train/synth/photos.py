"""Photographs of a folder as backgrounds; stable parts are kept for tests and for validation."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from runtime.encoded import PICTURE_SUFFIXES
from runtime.errors import InputError
from train.synth.palette import Picture

log = logging.getLogger("train")

Split = Literal["train", "validation", "test", "all"]
_Rng = np.random.Generator

# Of 256, as a file's first byte of sha256 says: about a tenth of the files and a fortieth.
_BYTES: Mapping[str, range] = {
    "train": range(33, 256),
    "validation": range(26, 33),
    "test": range(26),
    "all": range(256),
}
_MAX_SIDE_PX = 1600  # larger photographs are reduced on loading
_MAX_ENLARGEMENT = 1.6
_FILE_DRAWS = 4


class Backgrounds:
    """Photographs of a folder, cropped at random; stable parts of the files are kept for tests and
    for validation.

    Files are told apart by content: a file belongs to the test split when the first byte of its
    sha256 is below 26 and to the validation split when it is below 33, wherever it lies and
    whatever it is called. Decoded pictures are kept up to `cache_bytes` per process; the cache
    changes speed alone. Can be pickled and forked.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        split: Split = "train",
        cache_bytes: int = 1 << 30,
    ) -> None:
        """List and hash the picture files of `directory` (not its subfolders), sorted by name.

        Raises:
            InputError: the folder is missing, holds no picture of the split, or a file cannot be
                read; the message names it.
            ValueError: `split` is none of train, validation, test, all.
        """
        if split not in _BYTES:
            raise ValueError(f"split must be one of {', '.join(_BYTES)}, got {split!r}")
        self.directory = Path(directory)
        self.split = split
        self.cache_bytes = cache_bytes
        if not self.directory.is_dir():
            raise InputError(f"the background folder {self.directory} does not exist")
        hashes = _hash_split(self.directory, split)
        if not hashes:
            kinds = ", ".join(PICTURE_SUFFIXES)
            raise InputError(
                f"the background folder {self.directory} holds no picture ({kinds}) "
                f"of the split {split!r}"
            )
        self.files = tuple(hashes)
        self._hashes = tuple(hashes.values())
        self._cache: OrderedDict[int, Picture] = OrderedDict()
        self._cached_bytes = 0

    def __len__(self) -> int:
        return len(self.files)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": OrderedDict(), "_cached_bytes": 0}

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) over the sorted sha256 hashes of the split's files, one a line."""
        return hashlib.sha256("\n".join(sorted(self._hashes)).encode()).hexdigest()

    def sample(self, rng: np.random.Generator, width: int, height: int) -> Picture:
        """A random crop of a random photograph: u8 BGR [height, width, 3].

        The crop has the asked aspect and 0.6 to 1 of the largest fitting size, more where it
        would have to be enlarged beyond 1.6 times; other photographs are tried before that.

        Raises:
            InputError: the photograph drawn cannot be decoded; the message names the file.
        """
        photo = self._large_enough(rng, width, height)
        return vary(rng, crop(rng, photo, width, height, 0.6))

    def _large_enough(self, rng: _Rng, width: int, height: int) -> Picture:
        """A random photograph, one that need not be enlarged much if that is soon found."""
        for _ in range(_FILE_DRAWS):
            photo = self._load(int(rng.integers(len(self.files))))
            if _largest_scale(photo, width, height) * _MAX_ENLARGEMENT >= 1.0:
                break
        return photo

    def _load(self, index: int) -> Picture:
        """The decoded photograph, from the cache if it is there (least recently used go first)."""
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        photo = _decode(self.files[index])
        self._cache[index] = photo
        self._cached_bytes += photo.nbytes
        while self._cached_bytes > self.cache_bytes and self._cache:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return photo


def held_out(directory: str | Path) -> Backgrounds:
    """Photographs to measure on that are neither training's nor a test set's.

    What a network has learned of photographs that it was shown helps with those alone. A folder
    too small to keep some gives training's, with a warning.

    Raises:
        InputError: as `Backgrounds` does.
    """
    try:
        return Backgrounds(directory, split="validation")
    except InputError:
        seen = Backgrounds(directory)
    log.warning("%s: too few photographs to keep some for validation", directory)
    return seen


def _hash_split(directory: Path, split: Split) -> dict[Path, str]:
    """The sha256 (hex) of every picture file of the split, sorted by name."""
    hashes: dict[Path, str] = {}
    for path in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if path.suffix.lower() not in PICTURE_SUFFIXES or not path.is_file():
            continue
        digest = hashlib.sha256(_read_bytes(path)).digest()
        if digest[0] in _BYTES[split]:
            hashes[path] = digest.hex()
    return hashes


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the background picture {path}: {error.strerror}") from error


def _decode(path: Path) -> Picture:
    data = np.frombuffer(_read_bytes(path), np.uint8)
    try:
        photo = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise InputError(f"the background picture {path} cannot be decoded") from error
    if photo is None:
        raise InputError(f"the background picture {path} cannot be decoded")
    longest = max(photo.shape[:2])
    if longest <= _MAX_SIDE_PX:
        return photo
    factor = _MAX_SIDE_PX / longest
    return cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _largest_scale(photo: Picture, width: int, height: int) -> float:
    """Photograph pixels per picture pixel of the largest crop with the picture's aspect."""
    return float(min(photo.shape[1] / width, photo.shape[0] / height))


def crop(rng: _Rng, photo: Picture, width: int, height: int, smallest: float) -> Picture:
    """A crop of `smallest` to 1 of the largest fitting size, more where it would have to be
    enlarged beyond 1.6 times; mirrored half of the time.

    photo: u8 BGR [H, W, 3] of any size. Returns u8 BGR [height, width, 3].
    """
    largest = _largest_scale(photo, width, height)
    scale = min(largest, max(largest * rng.uniform(smallest, 1.0), 1 / _MAX_ENLARGEMENT))
    crop_w = min(photo.shape[1], max(1, round(width * scale)))
    crop_h = min(photo.shape[0], max(1, round(height * scale)))
    left = int(rng.integers(0, photo.shape[1] - crop_w + 1))
    top = int(rng.integers(0, photo.shape[0] - crop_h + 1))
    part = photo[top : top + crop_h, left : left + crop_w]
    how = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    picture = cv2.resize(part, (width, height), interpolation=how)
    return cv2.flip(picture, 1) if rng.random() < 0.5 else picture


def vary(rng: _Rng, picture: Picture) -> Picture:
    """A picture u8 BGR [H, W, 3], now and then with another brightness, contrast or hue."""
    if rng.random() < 0.3:
        gain, shift = rng.uniform(0.7, 1.25), rng.uniform(-30, 30)
        curve = (np.arange(256) - 127.5) * gain + 127.5 + shift
        picture = cv2.LUT(picture, np.clip(np.rint(curve), 0, 255).astype(np.uint8))
    if rng.random() < 0.15:
        hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV_FULL)
        # u8 hue covers the whole circle here, so that wrapping around is right.
        hsv[..., 0] += np.uint8(rng.integers(0, 256))
        picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)
    return picture
