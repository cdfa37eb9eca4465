"""Picture-wide effects: geometry kept, noise strength told, probabilities as meant."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from train.synth.degrade import _EFFECTS, DEGRADATIONS, Degradation, degrade


def scene(width: int = 240, height: int = 130) -> np.ndarray:
    """A coloured ground with a bright square whose corners can be found again."""
    small = np.random.default_rng(0).integers(60, 130, (5, 8, 3), dtype=np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    picture[40:90, 100:150] = (235, 225, 230)
    return picture


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_each_effect_changes_the_picture_but_not_its_geometry(name: str) -> None:
    changed = 0
    for seed in range(12):
        before = scene()
        after, sigma = _EFFECTS[name][1](np.random.default_rng(seed), before)
        assert np.array_equal(before, scene())
        assert after.shape == before.shape
        assert after.dtype == np.uint8
        changed += not np.array_equal(after, before)
        assert (sigma > 0) == (name in {"sensor-noise", "gaussian-noise", "salt", "perlin-noise"})
        grey = cv2.GaussianBlur(cv2.cvtColor(after, cv2.COLOR_BGR2GRAY), (0, 0), 2).astype(float)
        outside = np.median(grey[:30])
        inside = np.median(grey[50:80, 110:140])
        ys, xs = np.nonzero(grey[20:110, 60:190] > (inside + outside) / 2)
        # Perlin noise may flip pixels anywhere; a median holds the square's centre all the same.
        assert np.median(xs) + 60 == pytest.approx(124.5, abs=1.5)
        assert np.median(ys) + 20 == pytest.approx(64.5, abs=1.5)
    assert changed >= 11


@pytest.mark.parametrize("name", ["gaussian-noise", "sensor-noise", "salt", "perlin-noise"])
def test_noise_sigma_is_what_was_added(name: str) -> None:
    flat = np.full((200, 300, 3), 128, np.uint8)
    for seed in range(15):
        after, sigma = _EFFECTS[name][1](np.random.default_rng(seed), flat)
        measured = (after.astype(float) - 128).std()
        assert measured == pytest.approx(sigma, rel=0.2, abs=0.5)


def test_degrade_reports_names_and_total_noise() -> None:
    rng = np.random.default_rng(1)
    flat = np.full((120, 200, 3), 128, np.uint8)
    both = 0
    for _ in range(200):
        after, wear = degrade(rng, flat, ["gaussian-noise", "salt"])
        assert isinstance(wear, Degradation)
        assert (wear.noise_sigma == 0) == (wear.names == ())
        assert (after is flat) == (wear.names == ())
        if wear.names == ("gaussian-noise", "salt"):
            both += 1
    assert both <= 8
    assert np.all(flat == 128)


def test_about_half_of_the_pictures_get_none_or_one_effect() -> None:
    rng = np.random.default_rng(2)
    picture = scene(60, 40)
    counts = np.array([len(degrade(rng, picture)[1].names) for _ in range(1500)])
    assert 0.42 < (counts <= 1).mean() < 0.58
    assert counts.max() >= 4


def test_every_effect_occurs_in_order_and_only_allowed_ones() -> None:
    rng = np.random.default_rng(3)
    picture = scene(60, 40)
    seen: set[str] = set()
    for _ in range(400):
        names = degrade(rng, picture)[1].names
        assert list(names) == sorted(names, key=DEGRADATIONS.index)
        seen.update(names)
    assert seen == set(DEGRADATIONS)
    for _ in range(100):
        assert set(degrade(rng, picture, {"jpeg", "blur"})[1].names) <= {"jpeg", "blur"}
    assert degrade(rng, picture, [])[1] == Degradation((), 0.0)
    with pytest.raises(ValueError, match="unknown degradations \\['sepia'\\]"):
        degrade(rng, picture, ["sepia"])


def test_leaving_an_effect_out_leaves_the_choice_of_the_others() -> None:
    picture = scene(60, 40)
    rest = [name for name in DEGRADATIONS if name != "gamma"]
    for seed in range(100):
        full = degrade(np.random.default_rng(seed), picture)[1].names
        part = degrade(np.random.default_rng(seed), picture, rest)[1].names
        assert tuple(name for name in full if name != "gamma") == part


def test_sensor_noise_is_strongest_in_the_shadows() -> None:
    halves = np.full((200, 300, 3), 40, np.uint8)
    halves[:, 150:] = 215
    for seed in range(10):
        after, _ = _EFFECTS["sensor-noise"][1](np.random.default_rng(seed), halves)
        change = after.astype(float) - halves
        assert change[:, :150].std() > 1.1 * change[:, 150:].std()
