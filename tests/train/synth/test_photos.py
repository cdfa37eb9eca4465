"""Photographs of a folder: their split, fingerprint, cache and crops."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import InputError
from train.synth.photos import Backgrounds, Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test", "all")


def write_photos(folder: Path, count: int, size: tuple[int, int] = (160, 120)) -> list[Path]:
    """Smooth random pictures: `count` PNG files of `size` (width, height)."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(count)
    paths = [folder / f"photo_{index:03d}.png" for index in range(count)]
    for path in paths:
        small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(small, size, interpolation=cv2.INTER_CUBIC))
    return paths


def test_split_goes_by_content_and_is_complete(tmp_path: Path) -> None:
    paths = write_photos(tmp_path / "photos", 120)
    parts = {name: Backgrounds(tmp_path / "photos", split=name) for name in SPLITS}
    first_bytes = {path: hashlib.sha256(path.read_bytes()).digest()[0] for path in paths}
    test_files = [path for path in paths if first_bytes[path] < 26]
    assert 0 < len(test_files) < 30
    assert list(parts["test"].files) == test_files
    validation_files = [path for path in paths if 26 <= first_bytes[path] < 33]
    assert validation_files
    assert list(parts["validation"].files) == validation_files
    together = parts["train"].files + parts["validation"].files + parts["test"].files
    assert sorted(together) == list(parts["all"].files) == paths
    hashes = sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in test_files)
    expected = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    assert parts["test"].fingerprint == expected
    assert len({part.fingerprint for part in parts.values()}) == 4


def test_fingerprint_ignores_file_names(tmp_path: Path) -> None:
    paths = write_photos(tmp_path / "photos", 4)
    before = Backgrounds(tmp_path / "photos", split="all").fingerprint
    paths[0].rename(paths[0].with_name("zzz.png"))
    assert Backgrounds(tmp_path / "photos", split="all").fingerprint == before


def draws(backgrounds: Backgrounds, count: int = 30) -> list[bytes]:
    rng = np.random.default_rng(7)
    return [backgrounds.sample(rng, 120, 70).tobytes() for _ in range(count)]


def test_neither_cache_nor_pickling_changes_samples(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 5)
    cached = Backgrounds(tmp_path / "photos", split="all")
    expected = draws(cached)
    assert draws(cached) == expected
    one = 160 * 120 * 3
    for limit in (0, one, 2 * one + 1):
        small = Backgrounds(tmp_path / "photos", split="all", cache_bytes=limit)
        assert draws(small) == expected
        assert small._cached_bytes == sum(p.nbytes for p in small._cache.values()) <= limit
    copy = pickle.loads(pickle.dumps(cached))  # noqa: S301 - our own bytes
    assert not copy._cache
    assert copy.fingerprint == cached.fingerprint
    assert draws(copy) == expected


@pytest.mark.parametrize(("width", "height"), [(200, 100), (340, 131), (700, 540), (30, 20)])
def test_sample_has_the_size_asked(tmp_path: Path, width: int, height: int) -> None:
    write_photos(tmp_path / "photos", 3)
    picture = Backgrounds(tmp_path / "photos", split="all").sample(
        np.random.default_rng(0), width, height
    )
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8


def test_large_photographs_are_preferred_to_enlarging(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"small_{index}.png"), np.full((30, 60, 3), index, np.uint8))
    cv2.imwrite(str(folder / "large.png"), np.full((300, 600, 3), 200, np.uint8))
    backgrounds = Backgrounds(folder, split="all")
    rng = np.random.default_rng(0)
    from_large = sum(backgrounds.sample(rng, 300, 150).mean() > 90 for _ in range(80))
    # Four draws find the one file of four with probability 1 - 0.75^4 = 0.68, one draw with 0.25.
    assert 38 < from_large < 72


def test_crops_are_not_enlarged_beyond_need(tmp_path: Path) -> None:
    """A horizontal ramp of slope 1 shows the scale of the crop as its inverse slope."""
    folder = tmp_path / "photos"
    folder.mkdir()
    ramp = np.repeat(np.tile(np.arange(240, dtype=np.uint8), (120, 1))[..., None], 3, axis=2)
    cv2.imwrite(str(folder / "ramp.png"), ramp)
    backgrounds = Backgrounds(folder, split="all")
    rng = np.random.default_rng(1)
    # The largest crop is 1.5 times enlarged (slope 0.667); 0.6 of it would be 2.5 times (0.4).
    rows = [backgrounds.sample(rng, 360, 180)[90, :, 1] for _ in range(80)]
    slopes = [int(row.max()) - int(row.min()) for row in rows]
    # Most samples keep their contrast, so the median is free of it.
    assert 0.61 < np.median(slopes) / 359 < 0.68


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere does not exist"):
        Backgrounds(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match=r"empty holds no picture .* of the split 'train'"):
        Backgrounds(tmp_path / "empty")
    with pytest.raises(ValueError, match="split must be one of train, validation, test, all"):
        Backgrounds(tmp_path, split="tests")  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n\0\0"])
def test_an_undecodable_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    backgrounds = Backgrounds(tmp_path, split="all")
    with pytest.raises(InputError, match=r"broken\.png cannot be decoded"):
        backgrounds.sample(np.random.default_rng(0), 100, 50)


def test_huge_photographs_are_reduced(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 1, size=(3300, 400))
    backgrounds = Backgrounds(tmp_path / "photos", split="all")
    backgrounds.sample(np.random.default_rng(0), 200, 100)
    assert backgrounds._cache[0].shape == (194, 1600, 3)
