"""Colours and light of drawn pictures: palettes of a mood, ramps, fields turned into colour."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.noise import Field, stretch

Picture = NDArray[np.uint8]
Palette = NDArray[np.float32]
Colour = tuple[int, int, int]
_Rng = np.random.Generator

# Anchor colours of scenes, as (B, G, R): jittered and mixed, never used as they stand.
_NATURAL: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((235, 190, 120), (245, 225, 190), (250, 240, 230), (200, 140, 70)),  # sky
    ((30, 60, 25), (50, 110, 60), (90, 160, 120), (20, 35, 30)),  # forest
    ((110, 160, 200), (150, 200, 230), (70, 110, 150), (190, 220, 235)),  # sand
    ((120, 80, 20), (170, 140, 60), (200, 190, 130), (80, 45, 10)),  # sea
    ((60, 90, 230), (80, 160, 250), (120, 60, 150), (60, 30, 60)),  # sunset
    ((20, 70, 170), (30, 110, 210), (40, 50, 110), (60, 150, 220)),  # autumn
    ((110, 115, 120), (150, 155, 160), (70, 75, 80), (190, 195, 195)),  # stone
    ((40, 70, 110), (70, 110, 160), (25, 40, 70), (110, 150, 190)),  # wood, skin
)
_MOODS = ("natural", "saturated", "pastel", "grey", "dark", "neighbours", "any")
_MOOD_SHARES = (0.34, 0.14, 0.12, 0.08, 0.08, 0.14, 0.10)
# Per mood: lower and upper saturation and value (0..1) of an HSV draw.
_MOOD_RANGES = {
    "saturated": (0.55, 1.0, 0.4, 1.0),
    "pastel": (0.08, 0.4, 0.75, 1.0),
    "grey": (0.0, 0.1, 0.05, 1.0),
    "dark": (0.1, 0.8, 0.02, 0.4),
    "neighbours": (0.2, 0.85, 0.15, 1.0),
    "any": (0.0, 1.0, 0.0, 1.0),
}


def random_palette(rng: _Rng, count: int) -> Palette:
    """`count` colours of one random mood: f32 [count, 3] BGR, 0..255."""
    mood = _MOODS[rng.choice(len(_MOODS), p=_MOOD_SHARES)]
    if mood == "natural":
        anchors = np.array(_NATURAL[rng.integers(len(_NATURAL))], np.float32)
        picked = anchors[rng.integers(0, len(anchors), count)]
        gain = rng.uniform(0.6, 1.2, (count, 1)).astype(np.float32)
        jitter = rng.normal(0, 14, (count, 3)).astype(np.float32)
        return np.clip(picked * gain + jitter, 0, 255)
    low_s, high_s, low_v, high_v = _MOOD_RANGES[mood]
    spread = 50.0 if mood == "neighbours" else 360.0
    hue = (rng.uniform(0, 360) + rng.uniform(0, spread, count)) % 360
    hsv = np.stack((hue, rng.uniform(low_s, high_s, count), rng.uniform(low_v, high_v, count)), 1)
    return cv2.cvtColor(hsv.astype(np.float32)[None], cv2.COLOR_HSV2BGR)[0] * 255


def colourise(rng: _Rng, field: Field, palette: Palette) -> Picture:
    """Map a field f32 [H, W] in 0..1 through the palette's colours, at uneven distances."""
    stops = np.sort(rng.random(len(palette)))
    stops[0], stops[-1] = 0.0, 1.0
    grid = np.linspace(0, 1, 256)
    table = np.stack([np.interp(grid, stops, palette[:, channel]) for channel in range(3)], 1)
    index = cv2.convertScaleAbs(field, alpha=255.0)
    return cv2.applyColorMap(index, np.rint(table).astype(np.uint8).reshape(256, 1, 3))


def bgr(colour: Palette) -> Colour:
    """A colour f32 [3] BGR as cv2's drawing functions want it."""
    blue, green, red = colour.tolist()
    return int(blue), int(green), int(red)


def filled(width: int, height: int, colour: Palette) -> Picture:
    """One colour all over: u8 [height, width, 3]."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = bgr(colour)
    return picture


def log_uniform(rng: _Rng, low: float, high: float, count: int) -> NDArray[np.float64]:
    """`count` draws between `low` and `high` (both > 0), uniform in their logarithm: f64."""
    return np.exp(rng.uniform(math.log(low), math.log(high), count))


def pixel_axes(width: int, height: int) -> tuple[Field, Field]:
    """Pixel coordinates as a row [1, W] and a column [H, 1], divided by the height."""
    x = (np.arange(width, dtype=np.float32) / np.float32(height))[None]
    return x, (np.arange(height, dtype=np.float32) / np.float32(height))[:, None]


def ramp(rng: _Rng, width: int, height: int, *, radial: bool) -> Field:
    """A linear or radial ramp in a random direction or from a random centre: f32 [H, W] 0..1."""
    x, y = pixel_axes(width, height)
    if not radial:
        angle = rng.uniform(0, 2 * math.pi)
        return stretch(x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle)))
    centre_x, centre_y = rng.uniform(-0.2, 1.2) * width / height, rng.uniform(-0.2, 1.2)
    stretch_x = rng.uniform(0.4, 2.0)
    squared = np.float32(stretch_x) * (x - np.float32(centre_x)) ** 2
    return stretch(cv2.sqrt(squared + (y - np.float32(centre_y)) ** 2))


def shade(picture: Picture, light: Field) -> Picture:
    """Multiply u8 [H, W, 3] by a light f32 [H, W] around 1."""
    return cv2.multiply(picture, cv2.cvtColor(light, cv2.COLOR_GRAY2BGR), dtype=cv2.CV_8U)
