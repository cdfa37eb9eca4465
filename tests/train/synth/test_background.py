"""Procedural backgrounds, and the choice between them and photographs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.synth.background import (
    _FAMILIES,
    BACKGROUND_FAMILIES,
    PHOTO_FAMILY,
    choose_background,
    procedural,
)
from train.synth.photos import Backgrounds

DIGEST = """
import hashlib, sys
import cv2, numpy as np
from train.synth.background import procedural
from train.synth.degrade import degrade
from train.synth.furniture import FURNITURE_FAMILIES, add_furniture
cv2.setNumThreads(int(sys.argv[1]))
digest = hashlib.sha256()
for seed in range(60):
    rng = np.random.default_rng(seed)
    picture, family = procedural(rng, 260 + seed, 130)
    names = add_furniture(rng, picture, set(FURNITURE_FAMILIES), [(20, 40, 60, 80)])
    picture, wear = degrade(rng, picture)
    digest.update(picture.tobytes() + repr((family, names, wear)).encode())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("family", BACKGROUND_FAMILIES)
@pytest.mark.parametrize(("width", "height"), [(340, 190), (200, 154), (700, 270)])
def test_every_family_fills_any_canvas(family: str, width: int, height: int) -> None:
    seen = set()
    for seed in range(6):
        picture = _FAMILIES[family](np.random.default_rng(seed), width, height)
        assert picture.shape == (height, width, 3)
        assert picture.dtype == np.uint8
        assert picture.flags.c_contiguous
        seen.add(picture.tobytes())
    assert len(seen) == 6


def test_procedural_draws_every_family_and_varies_in_tone() -> None:
    rng = np.random.default_rng(0)
    drawn = [procedural(rng, 200, 100) for _ in range(500)]
    assert {family for _, family in drawn} == set(BACKGROUND_FAMILIES)
    means = np.array([picture.mean() for picture, _ in drawn])
    assert np.percentile(means, 5) < 40
    assert np.percentile(means, 95) > 200
    edges = np.array([cv2.Laplacian(picture, cv2.CV_32F).std() for picture, _ in drawn])
    assert np.percentile(edges, 10) < 5
    assert np.percentile(edges, 75) > 20


def test_pictures_are_the_same_in_any_process() -> None:
    def digest(threads: int, hash_seed: int) -> str:
        done = subprocess.run(
            [sys.executable, "-c", DIGEST, str(threads)],
            env={"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": ":".join(filter(None, sys.path))},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert digest(1, 0) == digest(4, 1)


def test_choice_follows_the_probability(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((60, 90, 3), 128, np.uint8))
    backgrounds = Backgrounds(tmp_path, split="all")
    rng = np.random.default_rng(0)

    def photos(source: Backgrounds | None, probability: float) -> int:
        drawn = [choose_background(rng, 80, 40, source, probability)[1] for _ in range(200)]
        return drawn.count(PHOTO_FAMILY)

    assert photos(None, 1.0) == 0
    assert photos(backgrounds, 0.0) == 0
    assert photos(backgrounds, 1.0) == 200
    assert 110 < photos(backgrounds, 0.7) < 170
