"""Background families that look alike all over: gradients, noise, weaves, stripes, cells.

Each draws u8 BGR [height, width, 3] from the generator alone.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from train.synth.noise import cells, fractal_noise, stretch
from train.synth.palette import (
    Picture,
    bgr,
    colourise,
    filled,
    log_uniform,
    pixel_axes,
    ramp,
    random_palette,
    shade,
)

_Rng = np.random.Generator


def gradient(rng: _Rng, width: int, height: int) -> Picture:
    """A linear or radial ramp through a palette, at times ruffled by noise."""
    field = ramp(rng, width, height, radial=bool(rng.random() < 0.45))
    if rng.random() < 0.3:
        field = stretch(field + 0.4 * fractal_noise(rng, width, height, 2, 0.5))
    return colourise(rng, field, random_palette(rng, int(rng.integers(2, 6))))


def plain(rng: _Rng, width: int, height: int) -> Picture:
    """Little texture: two close colours, softly mixed."""
    base = random_palette(rng, 1)
    palette = np.clip(base + rng.normal(0, 14, (3, 3)), 0, 255).astype(np.float32)
    return colourise(rng, fractal_noise(rng, width, height, 3, 0.5), palette)


def blobs(rng: _Rng, width: int, height: int) -> Picture:
    """Soft coloured spots, drawn small and enlarged."""
    small_w, small_h = max(8, width // 6), max(8, height // 6)
    count = int(rng.integers(6, 30))
    palette = random_palette(rng, count + 1)
    picture = filled(small_w, small_h, palette[-1])
    xs, ys = rng.integers(0, small_w, count), rng.integers(0, small_h, count)
    radii = log_uniform(rng, 1.5, small_h / 2, count)
    for x, y, radius, colour in zip(
        xs.tolist(), ys.tolist(), radii.tolist(), palette[:-1], strict=True
    ):
        cv2.circle(picture, (x, y), round(radius), bgr(colour), -1)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 4.0))
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)


def clouds(rng: _Rng, width: int, height: int) -> Picture:
    """Fractal noise through a palette."""
    field = fractal_noise(rng, width, height, int(rng.integers(4, 8)), rng.uniform(0.4, 0.75))
    return colourise(rng, field, random_palette(rng, int(rng.integers(3, 8))))


def marble(rng: _Rng, width: int, height: int) -> Picture:
    """Veins: a sine of a ramp bent by noise."""
    warp = fractal_noise(rng, width, height, 6, rng.uniform(0.45, 0.65))
    phase = ramp(rng, width, height, radial=False) * rng.uniform(4, 30)
    phase += warp * np.float32(rng.uniform(4, 22))
    field = np.abs(np.sin(phase.astype(np.float32)))
    if rng.random() < 0.5:
        field = cv2.sqrt(field)
    return colourise(rng, field, random_palette(rng, int(rng.integers(2, 5))))


def wood(rng: _Rng, width: int, height: int) -> Picture:
    """Rings around a far centre, bent by stretched noise."""
    fibres = fractal_noise(rng, max(4, width // 8), height, 6, 0.7)
    fibres = cv2.resize(fibres, (width, height), interpolation=cv2.INTER_LINEAR)
    rings = ramp(rng, width, height, radial=True) * np.float32(rng.uniform(5, 25))
    rings += fibres * np.float32(rng.uniform(1, 4))
    field = stretch(rings - np.floor(rings) + np.float32(0.6) * fibres)
    picture = colourise(rng, field, random_palette(rng, 3))
    return cv2.rotate(picture, cv2.ROTATE_180) if rng.random() < 0.5 else picture


def terrain(rng: _Rng, width: int, height: int) -> Picture:
    """A lit relief: heights choose the colour, slopes the light."""
    relief = fractal_noise(rng, width, height, int(rng.integers(5, 8)), rng.uniform(0.45, 0.7))
    smooth = cv2.GaussianBlur(relief, (0, 0), rng.uniform(0.8, 1.8))  # hides the lattice
    angle = rng.uniform(0, 2 * math.pi)
    slope = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) * np.float32(math.cos(angle))
    slope += cv2.Sobel(smooth, cv2.CV_32F, 0, 1) * np.float32(math.sin(angle))
    spread = max(float(slope.std()), 1e-6)
    light = np.clip(1 + slope * np.float32(rng.uniform(0.1, 0.35) / spread), 0.25, 1.9)
    return shade(colourise(rng, relief, random_palette(rng, 5)), light)


def stripes(rng: _Rng, width: int, height: int) -> Picture:
    """Stripes, checks, waves and grids: products and steps of two turned waves."""
    x, y = pixel_axes(width, height)
    angle, frequency = rng.uniform(0, math.pi), float(log_uniform(rng, 2, 25, 1)[0])
    turn = np.float32(2 * math.pi * frequency)
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    first = turn * (x * cosine + y * sine)
    if rng.random() < 0.4:
        first += fractal_noise(rng, width, height, 3, 0.5) * np.float32(rng.uniform(1, 8))
    kind = int(rng.integers(4))
    field = np.sin(first)
    if kind >= 2:
        second = np.sin(turn * np.float32(rng.uniform(0.5, 1.5)) * (y * cosine - x * sine))
        field = field * second if kind == 2 else np.maximum(field, second)
    hardness = float(log_uniform(rng, 0.8, 30, 1)[0])
    field = np.clip(field * np.float32(hardness) * 0.5 + 0.5, 0, 1)
    return colourise(rng, field, random_palette(rng, int(rng.integers(2, 4))))


def mosaic(rng: _Rng, width: int, height: int) -> Picture:
    """Voronoi cells: flat, domed, or with joints between them."""
    count = int(log_uniform(rng, 12, 500, 1)[0])
    label, distance = cells(rng, width, height, count)
    palette = random_palette(rng, 8)
    tones = palette[rng.integers(0, 8, count + 1)] * rng.uniform(0.75, 1.2, (count + 1, 1))
    picture = np.clip(tones, 0, 255).astype(np.uint8)[label]
    if rng.random() < 0.5:
        size = math.sqrt(width * height / count)
        dome = np.float32(rng.uniform(-0.7, 0.7) / size)
        picture = shade(picture, np.clip(1.1 + distance * dome, 0.2, 1.6))
    if rng.random() < 0.5:
        joint = cv2.morphologyEx(label.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2)))
        picture[joint > 0] = bgr(random_palette(rng, 1)[0])
    return picture


def fabric(rng: _Rng, width: int, height: int) -> Picture:
    """A woven tile, repeated, under soft folds."""
    side = int(rng.integers(3, 15))
    tile = (rng.random((side, side)) < 0.5).astype(np.float32) + rng.random(
        (side, side), dtype=np.float32
    ) * np.float32(rng.uniform(0.1, 0.9))
    if rng.random() < 0.6:
        tile = tile + tile[:, ::-1]
    zoom = int(rng.integers(1, 5))
    tile = cv2.resize(tile, (side * zoom, side * zoom), interpolation=cv2.INTER_NEAREST)
    rows, columns = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    weave = stretch(np.tile(tile, (rows, columns))[:height, :width])
    picture = colourise(rng, weave, random_palette(rng, 3))
    folds = fractal_noise(rng, width, height, 3, 0.5) * np.float32(rng.uniform(0.1, 1.0))
    return shade(picture, folds + np.float32(0.6))
