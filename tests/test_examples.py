"""The example pictures: they are what the generator makes, and the shipped weights find them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from examples.make import INDICES, SEED
from runtime import Locator
from train.synth import render

FOLDER = Path(__file__).parent.parent / "examples"
TRUTH = json.loads((FOLDER / "truth.json").read_text())


@pytest.mark.parametrize("name", list(INDICES))
def test_pictures_are_the_generators(name: str) -> None:
    sample = render(SEED, INDICES[name])
    np.testing.assert_array_equal(cv2.imread(str(FOLDER / f"{name}.png")), sample.picture)
    assert sample.difficulty == name
    assert sample.gap_picture_xy is not None
    np.testing.assert_allclose(TRUTH[name]["gap_picture_xy"], sample.gap_picture_xy, atol=1e-6)


@pytest.fixture(scope="module")
def locator() -> Locator:
    return Locator("int8")


@pytest.mark.parametrize("name", list(INDICES))
def test_shipped_weights_find_both_points(name: str, locator: Locator) -> None:
    location = locator.predict(FOLDER / f"{name}.png")
    for found, key in ((location.gap, "gap"), (location.slider, "slider")):
        true = TRUTH[name][f"{key}_picture_xy"]
        assert np.hypot(found.x - true[0], found.y - true[1]) <= 5, (key, found, true)
