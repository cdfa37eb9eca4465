"""Random fields: range, smoothness, statistics and repeatability."""

from __future__ import annotations

import numpy as np
import pytest

from train.synth.noise import cells, fractal_noise, grain, perlin_noise, stretch

SIZES = [(340, 190), (200, 153), (701, 270), (7, 5), (3, 40)]


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("octaves", [1, 4, 9])
def test_fractal_noise_spans_zero_to_one(width: int, height: int, octaves: int) -> None:
    field = fractal_noise(generator(), width, height, octaves, 0.6)
    assert field.shape == (height, width)
    assert field.dtype == np.float32
    assert field.min() == 0.0
    assert field.max() == pytest.approx(1.0, abs=1e-6)


def test_fractal_noise_gets_rougher_with_persistence() -> None:
    def roughness(persistence: float) -> float:
        field = fractal_noise(generator(3), 340, 190, 7, persistence)
        return float(np.abs(np.diff(field, axis=1)).mean())

    assert roughness(0.2) * 2 < roughness(0.9)


def test_stretch_of_a_constant_is_a_half() -> None:
    assert np.all(stretch(np.full((4, 6), 7.0, np.float32)) == 0.5)


def reference_perlin(rng: np.random.Generator, width: int, height: int, cell: float) -> np.ndarray:
    """One octave of gradient noise, pixel by pixel, from the same draws."""
    shift_x, shift_y = rng.random(2)
    columns = int((width - 1) / cell + shift_x) + 2
    rows = int((height - 1) / cell + shift_y) + 2
    turn = rng.random((columns, rows), dtype=np.float32).astype(float) * 2 * np.pi
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            px, py = x / cell + shift_x, y / cell + shift_y
            for i in (int(px), int(px) + 1):
                for j in (int(py), int(py) + 1):
                    dx, dy = px - i, py - j
                    slope = np.cos(turn[i, j]) * dx + np.sin(turn[i, j]) * dy
                    for part in (abs(dx), abs(dy)):
                        slope *= 1 - (6 * part**5 - 15 * part**4 + 10 * part**3)
                    out[y, x] += slope
    return out * np.sqrt(2)


def test_perlin_noise_is_the_gradient_noise_of_the_definition() -> None:
    found = perlin_noise(generator(5), 41, 23, 6.5, 1)
    expected = reference_perlin(generator(5), 41, 23, 6.5)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(("cell", "octaves"), [(3.0, 1), (17.5, 4), (64.0, 2)])
def test_perlin_noise_stays_in_range(width: int, height: int, cell: float, octaves: int) -> None:
    field = perlin_noise(generator(1), width, height, cell, octaves)
    assert field.shape == (height, width)
    assert field.dtype == np.float32
    assert np.abs(field).max() <= 1.0
    assert field.std() > 0


def test_half_resolution_keeps_the_strength_and_the_scale() -> None:
    """Cells of 8 px and more are computed at half size: no jump at that limit."""

    def figures(cell: float) -> tuple[float, float]:
        fields = [perlin_noise(generator(seed), 340, 190, cell, 1) for seed in range(8)]
        steps = np.mean([np.abs(np.diff(field, axis=1)).mean() for field in fields])
        return float(np.std(fields)), float(steps)

    below, above = figures(7.99), figures(8.01)
    assert above == pytest.approx(below, rel=0.15)


def test_grain_is_normal_and_does_not_repeat() -> None:
    noise = grain(generator(2), 340, 190, 3)
    assert noise.shape == (190, 340, 3)
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert len(np.unique(noise[:, :8].reshape(190, -1), axis=0)) > 180
    neighbours = np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]
    assert abs(neighbours) < 0.03


def test_cells_are_nearest_seed_regions() -> None:
    label, distance = cells(generator(4), 120, 80, 15)
    seeds = np.argwhere(distance == 0)
    assert len(seeds) == len(np.unique(label)) <= 15
    y, x = np.mgrid[:80, :120]
    exact = np.sqrt((y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2)
    np.testing.assert_allclose(distance, exact.min(-1), atol=1.0, rtol=0.03)


def test_one_state_gives_one_field() -> None:
    for draw in (
        lambda rng: fractal_noise(rng, 200, 110, 6, 0.6),
        lambda rng: perlin_noise(rng, 200, 110, 12.0, 3),
        lambda rng: grain(rng, 200, 110, 3),
    ):
        first, again, other = (draw(generator(seed)) for seed in (9, 9, 10))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
