"""Photographs as training shows them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InputError
from tests.train.synth.test_photos import write_photos
from train.synth import Mixtures
from train.synth.mixtures import _share


@pytest.fixture
def of_two(tmp_path: Path) -> Mixtures:
    """A black and a red photograph."""
    for name, colour in (("black", (0, 0, 0)), ("red", (0, 0, 200))):
        picture = np.full((300, 500, 3), colour, np.uint8)
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    return Mixtures(tmp_path, split="all")


def test_the_same_stream_gives_the_same_picture(tmp_path: Path) -> None:
    write_photos(tmp_path, 4)
    one, other = (Mixtures(tmp_path, split="all") for _ in range(2))
    for width, height in ((340, 190), (200, 154), (30, 20)):
        first, second = (m.sample(np.random.default_rng(3), width, height) for m in (one, other))
        assert first.shape == (height, width, 3)
        assert first.dtype == np.uint8
        assert first.flags.c_contiguous
        np.testing.assert_array_equal(first, second)


def test_some_pictures_hold_parts_of_two_photographs(of_two: Mixtures) -> None:
    rng = np.random.default_rng(0)
    pictures = [of_two.sample(rng, 160, 90).max(axis=2) for _ in range(200)]
    varied = sum(int(np.ptp(picture)) > 60 for picture in pictures)
    # Two in five are mixed, half of these of both photographs, some of them evenly.
    assert 15 < varied < 60


def test_channels_are_exchanged_now_and_then(of_two: Mixtures) -> None:
    rng = np.random.default_rng(1)
    pictures = [of_two.sample(rng, 160, 90).reshape(-1, 3).max(axis=0) for _ in range(100)]
    strongest = {int(peak.argmax()) for peak in pictures if np.ptp(peak.astype(int)) > 60}
    assert strongest == {0, 1, 2}


def test_parts_of_photographs_are_shown_turned(tmp_path: Path) -> None:
    """A ramp from left to right rises the other way, upwards or downwards when it is turned."""
    ramp = np.repeat(np.tile(np.linspace(0, 255, 1200), (900, 1))[..., None], 3, axis=2)
    cv2.imwrite(str(tmp_path / "ramp.png"), ramp)
    mixtures, rng = Mixtures(tmp_path, split="all"), np.random.default_rng(2)
    steps, upright = [], 0
    for _ in range(60):
        grey = mixtures.sample(rng, 200, 120).mean(axis=2)
        along, down = np.gradient(grey, axis=1).mean(), np.gradient(grey, axis=0).mean()
        upright += abs(along) > 2 * abs(down)
        steps.append(np.hypot(along, down))
    assert 20 < upright < 55
    # Parts down to a fifth of the largest: ramps up to five times as flat.
    assert max(steps) / min(steps) > 2.5


@given(seed=st.integers(0, 2**32), width=st.integers(1, 300), height=st.integers(1, 200))
def test_shares_lie_between_nothing_and_everything(seed: int, width: int, height: int) -> None:
    share = _share(np.random.default_rng(seed), width, height)
    assert share.shape == (height, width)
    assert share.dtype == np.float32
    assert share.min() >= 0
    assert share.max() <= 1


def test_an_undecodable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken\.png cannot be decoded"):
        Mixtures(tmp_path, split="all").sample(np.random.default_rng(0), 100, 50)
