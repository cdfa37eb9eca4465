"""Picture-wide damage after composition: what cameras, encoders and pages do to a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.noise import grain, perlin_noise

Picture = NDArray[np.uint8]
_Effect = Callable[[np.random.Generator, Picture], tuple[Picture, float]]


@dataclass(frozen=True)
class Degradation:
    """What was done to one picture.

    `names`: the effects, in the order applied. `noise_sigma`: standard deviation, in grey levels
    (0..255), of all the noise that was added (gaussian, sensor, salt and Perlin); 0 without noise.
    """

    names: tuple[str, ...]
    noise_sigma: float


def _lookup(picture: Picture, curve: NDArray[np.floating]) -> Picture:
    """Map every value through `curve` ([256], or [256, 3] per channel), rounded and clipped."""
    table = np.clip(np.rint(curve), 0, 255).astype(np.uint8)
    return cv2.LUT(picture, table.reshape(256, 1, -1) if table.ndim == 2 else table)


def _add(picture: Picture, noise: NDArray[np.float32]) -> Picture:
    """Saturating sum; noise f32 [H, W, 3] in grey levels."""
    return cv2.add(picture, noise, dtype=cv2.CV_8U)


def _rescale(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    height, width = picture.shape[:2]
    factor = rng.uniform(0.5, 0.95)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    down = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_NEAREST)[rng.choice(3, p=(0.6, 0.3, 0.1))]
    up = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(2)]
    small = cv2.resize(picture, size, interpolation=down)
    return cv2.resize(small, (width, height), interpolation=up), 0.0


def _blur(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    sigma = rng.uniform(0.3, 1.2)
    return cv2.GaussianBlur(picture, (0, 0), sigma), 0.0


def _gaussian_noise(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    height, width = picture.shape[:2]
    sigma = float(rng.uniform(1.5, 12.0))
    channels = 1 if rng.random() < 0.3 else 3
    noise = grain(rng, width, height, channels) * np.float32(sigma)
    return _add(picture, np.repeat(noise, 3, axis=2) if channels == 1 else noise), sigma


def _sensor_noise(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    """High-ISO look: luminance noise that grows in the shadows, plus soft colour blotches."""
    height, width = picture.shape[:2]
    luma_sigma, chroma_sigma = float(rng.uniform(2.0, 7.0)), float(rng.uniform(2.0, 6.0))
    half = grain(rng, (width + 1) // 2, (height + 1) // 2, 3)
    blotches = cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    shade = (1.3 - 0.8 / 255 * np.arange(256)).astype(np.float32)[grey]
    luma = grain(rng, width, height, 1)[..., 0] * (shade * np.float32(luma_sigma))
    blotches *= np.float32(chroma_sigma)
    blotches += luma[..., None]
    return _add(picture, blotches), float(blotches.std())


def _salt(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    height, width = picture.shape[:2]
    share = float(rng.uniform(0.0005, 0.006))
    count = max(1, int(share * width * height))
    out = picture.copy()
    values = rng.integers(0, 2, count).astype(np.uint8) * 255
    out[rng.integers(0, height, count), rng.integers(0, width, count)] = values[:, None]
    return out, math.sqrt(share) * 127.5


def _perlin(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    height, width = picture.shape[:2]
    cell_px = float(np.exp(rng.uniform(np.log(4.0), np.log(60.0))))
    noise = perlin_noise(rng, width, height, cell_px, int(rng.integers(1, 4)))
    noise *= np.float32(rng.uniform(15.0, 70.0))
    return _add(picture, np.repeat(noise[..., None], 3, axis=2)), float(noise.std())


def _gamma(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    exponent = np.exp(rng.uniform(np.log(0.6), np.log(1.6)))
    return _lookup(picture, 255 * (np.arange(256) / 255) ** exponent), 0.0


def _contrast(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    gain, shift = rng.uniform(0.65, 1.3), rng.uniform(-35, 35)
    return _lookup(picture, (np.arange(256) - 127.5) * gain + 127.5 + shift), 0.0


def _colour_cast(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    return _lookup(picture, np.arange(256)[:, None] * rng.uniform(0.75, 1.2, 3)), 0.0


def _greyscale(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    keep = rng.uniform(0.1, 0.5) if rng.random() < 0.4 else 0.0
    return cv2.addWeighted(grey, 1 - keep, picture, keep, 0), 0.0


def _posterise(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    steps = int(rng.integers(6, 25)) - 1
    return _lookup(picture, np.rint(np.arange(256) / 255 * steps) / steps * 255), 0.0


def _jpeg(rng: np.random.Generator, picture: Picture) -> tuple[Picture, float]:
    quality = int(rng.integers(20, 96))
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f"JPEG encoding failed for a picture of shape {picture.shape}")
    return cv2.imdecode(data, cv2.IMREAD_COLOR), 0.0


# In order of application (optics, sensor, tone, encoder); the probabilities add up to about 1.7,
# so that half of the pictures get none or one.
_EFFECTS: dict[str, tuple[float, _Effect]] = {
    "blur": (0.13, _blur),
    "rescale": (0.20, _rescale),
    "sensor-noise": (0.07, _sensor_noise),
    "gaussian-noise": (0.15, _gaussian_noise),
    "salt": (0.04, _salt),
    "perlin-noise": (0.15, _perlin),
    "gamma": (0.15, _gamma),
    "contrast": (0.20, _contrast),
    "colour-cast": (0.12, _colour_cast),
    "greyscale": (0.06, _greyscale),
    "posterise": (0.04, _posterise),
    "jpeg": (0.36, _jpeg),
}
DEGRADATIONS: tuple[str, ...] = tuple(_EFFECTS)
PROBABILITIES = {name: probability for name, (probability, _) in _EFFECTS.items()}
PERLIN_PROBABILITY = PROBABILITIES["perlin-noise"]


def degrade(
    rng: np.random.Generator,
    picture: Picture,
    allowed: Collection[str] = DEGRADATIONS,
    perlin_probability: float = PERLIN_PROBABILITY,
) -> tuple[Picture, Degradation]:
    """Draw effects independently among `allowed` names and apply them.

    `picture`: u8 BGR [H, W, 3], left as it is. Returns (u8 BGR [H, W, 3], what was done); the
    picture returned is the given array itself where nothing was drawn. Geometry never changes.
    Raises ValueError for a name that is not in DEGRADATIONS.
    """
    unknown = sorted(set(allowed) - set(DEGRADATIONS))
    if unknown:
        raise ValueError(f"unknown degradations {unknown}; known: {', '.join(DEGRADATIONS)}")
    names: list[str] = []
    variance = 0.0
    draws = rng.random(len(_EFFECTS))
    for draw, (name, (usual, effect)) in zip(draws, _EFFECTS.items(), strict=True):
        probability = perlin_probability if name == "perlin-noise" else usual
        if name in allowed and draw < probability:
            picture, sigma = effect(rng, picture)
            names.append(name)
            variance += sigma**2
    return picture, Degradation(tuple(names), math.sqrt(variance))
