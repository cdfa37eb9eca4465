"""What lies behind the puzzle: a procedural picture of one of many families, or a photograph."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from train.synth import sceneries, textures
from train.synth.noise import fractal_noise, grain
from train.synth.palette import Picture, log_uniform, ramp, shade
from train.synth.photos import Backgrounds

_Rng = np.random.Generator

PHOTO_FAMILY = "photo"


def _tone_shift(rng: _Rng, width: int, height: int, *, bright: bool) -> Picture:
    """Any plain family squeezed towards black or white, some detail left."""
    name = _BASE[rng.integers(len(_BASE))]
    picture = _FAMILIES[name](rng, width, height)
    gain = rng.uniform(0.12, 0.45)
    return cv2.convertScaleAbs(picture, alpha=gain, beta=255 * (1 - gain) if bright else 2.0)


def _dark(rng: _Rng, width: int, height: int) -> Picture:
    return _tone_shift(rng, width, height, bright=False)


def _bright(rng: _Rng, width: int, height: int) -> Picture:
    return _tone_shift(rng, width, height, bright=True)


def _mixture(rng: _Rng, width: int, height: int) -> Picture:
    """Two plain families joined along a noisy contour, soft or sharp, or by a ramp."""
    first, second = (_BASE[index] for index in rng.integers(0, len(_BASE), 2))
    if rng.random() < 0.7:
        field = fractal_noise(rng, width, height, int(rng.integers(1, 6)), 0.5)
    else:
        field = ramp(rng, width, height, radial=bool(rng.random() < 0.5))
    hardness = np.float32(log_uniform(rng, 1.5, 60, 1)[0])
    mask = np.clip((field - np.float32(rng.uniform(0.35, 0.65))) * hardness + 0.5, 0, 1)
    mask = mask.astype(np.float32)
    over = _FAMILIES[first](rng, width, height)
    return cv2.blendLinear(over, _FAMILIES[second](rng, width, height), mask, 1 - mask)


_FAMILIES: dict[str, Callable[[_Rng, int, int], Picture]] = {
    "gradient": textures.gradient,
    "plain": textures.plain,
    "blobs": textures.blobs,
    "clouds": textures.clouds,
    "marble": textures.marble,
    "wood": textures.wood,
    "terrain": textures.terrain,
    "stripes": textures.stripes,
    "leaves": sceneries.leaves,
    "shapes": sceneries.shapes,
    "mosaic": textures.mosaic,
    "bokeh": sceneries.bokeh,
    "landscape": sceneries.landscape,
    "fabric": textures.fabric,
    "bricks": sceneries.bricks,
    "dark": _dark,
    "bright": _bright,
    "mixture": _mixture,
}
BACKGROUND_FAMILIES: tuple[str, ...] = tuple(_FAMILIES)
_BASE = BACKGROUND_FAMILIES[:-3]
# Cluttered scenes teach most; flat ones are quickly learnt.
_SHARES = np.cumsum([3, 2, 3, 4, 4, 3, 5, 3, 9, 6, 5, 4, 7, 3, 5, 4, 3, 12], dtype=np.float64)


def procedural(rng: np.random.Generator, width: int, height: int) -> tuple[Picture, str]:
    """A drawn background of one random family, at times unevenly lit, softened or grained.

    Returns (u8 BGR [height, width, 3], its name in BACKGROUND_FAMILIES).
    """
    draw = rng.random() * _SHARES[-1]
    family = BACKGROUND_FAMILIES[int(np.searchsorted(_SHARES, draw, "right"))]
    picture = _FAMILIES[family](rng, width, height)
    if rng.random() < 0.35:
        depth = np.float32(rng.uniform(0.2, 0.9))
        light = fractal_noise(rng, width, height, int(rng.integers(1, 5)), 0.5) * depth
        picture = shade(picture, light + (1 - depth / 2))
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.1))
    if rng.random() < 0.3:
        noise = grain(rng, width, height, 1) * np.float32(rng.uniform(1.5, 7.0))
        picture = cv2.add(picture, cv2.cvtColor(noise, cv2.COLOR_GRAY2BGR), dtype=cv2.CV_8U)
    return picture, family


def choose_background(
    rng: np.random.Generator,
    width: int,
    height: int,
    backgrounds: Backgrounds | None,
    photo_probability: float,
) -> tuple[Picture, str]:
    """A photograph with the given probability where there are any, else a procedural picture.

    Returns (u8 BGR [height, width, 3], family): PHOTO_FAMILY or one of BACKGROUND_FAMILIES.
    """
    if backgrounds is not None and rng.random() < photo_probability:
        return backgrounds.sample(rng, width, height), PHOTO_FAMILY
    return procedural(rng, width, height)
