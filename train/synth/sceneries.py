"""Background families made of things: leaves, posters, lights, landscapes, walls.

Each draws u8 BGR [height, width, 3] from the generator alone.
"""

from __future__ import annotations

import cv2
import numpy as np

from train.synth.noise import fractal_noise, stretch
from train.synth.palette import (
    Colour,
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


def leaves(rng: _Rng, width: int, height: int) -> Picture:
    """Occluding shapes of every size, the dead leaves model: edges at all scales, like nature."""
    count = int(rng.integers(60, 220))
    palette = random_palette(rng, 12)
    picture = colourise(rng, fractal_noise(rng, width, height, 4, 0.6), palette[:4])
    radii = np.sort(log_uniform(rng, 0.012, 0.45, count))[::-1] * height
    numbers = rng.random((count, 4)).tolist()
    tones = np.clip(palette[rng.integers(0, 12, count)] * rng.uniform(0.7, 1.2, (count, 1)), 0, 255)
    slim, jagged = rng.uniform(0.2, 1.0), bool(rng.random() < 0.4)
    focus = int(count * rng.uniform(0.1, 0.7)) if rng.random() < 0.5 else -1
    for index, (radius, (a, b, c, d), tone) in enumerate(zip(radii, numbers, tones, strict=True)):
        if index == focus:  # what lies behind is out of focus
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(1.0, 4.0))
        centre = (int(a * width), int(b * height))
        axes = (max(1, round(radius)), max(1, round(radius * (slim + (1 - slim) * c))))
        if jagged:
            corners = cv2.ellipse2Poly(centre, axes, int(360 * d), 0, 360, 60 + int(60 * c))
            cv2.fillConvexPoly(picture, corners, bgr(tone), cv2.LINE_AA)
        else:
            cv2.ellipse(picture, centre, axes, 360 * d, 0, 360, bgr(tone), -1)
    if rng.random() < 0.3:
        return picture
    grit = fractal_noise(rng, width, height, 7, 0.85) * np.float32(rng.uniform(0.2, 1.0))
    return shade(picture, grit + (1 - grit.mean()))


def shapes(rng: _Rng, width: int, height: int) -> Picture:
    """A poster: overlapping polygons, circles, rings, lines and curves, some translucent."""
    count = int(rng.integers(8, 45))
    palette = random_palette(rng, count + 2)
    picture = colourise(rng, ramp(rng, width, height, radial=False), palette[-2:])
    sheer = float(rng.uniform(0.35, 1.0))
    layer = picture.copy()
    for index in range(count):
        if index % 12 == 11:
            picture = cv2.addWeighted(layer, sheer, picture, 1 - sheer, 0)
            layer = picture.copy()
        _draw_shape(rng, layer, bgr(palette[index]))
    return cv2.addWeighted(layer, sheer, picture, 1 - sheer, 0)


def _draw_shape(rng: _Rng, picture: Picture, colour: Colour) -> None:
    height, width = picture.shape[:2]
    size = float(log_uniform(rng, 0.05, 0.6, 1)[0]) * height
    centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
    kind = int(rng.integers(5))
    if kind == 0:
        cv2.circle(picture, centre, max(1, round(size / 2)), colour, -1, cv2.LINE_AA)
    elif kind == 1:
        thickness = max(1, round(size * rng.uniform(0.02, 0.2)))
        cv2.circle(picture, centre, max(1, round(size / 2)), colour, thickness, cv2.LINE_AA)
    elif kind == 2:
        points = np.array(centre) + rng.normal(0, size / 2, (int(rng.integers(3, 7)), 2))
        cv2.fillPoly(picture, [points.astype(np.int32)], colour, cv2.LINE_AA)
    elif kind == 3:
        box = cv2.boxPoints((centre, (size, size * rng.uniform(0.15, 1)), rng.uniform(0, 90)))
        cv2.fillConvexPoly(picture, box.astype(np.int32), colour, cv2.LINE_AA)
    else:
        ends = rng.random((4, 2)) * (width, height)
        t = np.linspace(0, 1, 20)[:, None]
        basis = np.hstack(((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3))
        curve = (basis[:, :, None] * ends[None]).sum(axis=1).astype(np.int32)
        cv2.polylines(picture, [curve], False, colour, int(rng.integers(1, 8)), cv2.LINE_AA)


def bokeh(rng: _Rng, width: int, height: int) -> Picture:
    """Lights out of focus over a dark or coloured ground."""
    count = int(rng.integers(15, 70))
    palette = random_palette(rng, 4)
    ground = colourise(rng, fractal_noise(rng, width, height, 2, 0.5), palette * 0.6)
    glow = np.zeros_like(ground)
    sizes = log_uniform(rng, 0.015, 0.16, count) * height
    strengths = rng.uniform(0.1, 0.6, count)
    for size, strength, tone in zip(
        sizes.tolist(), strengths.tolist(), random_palette(rng, count), strict=True
    ):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        light = bgr(tone * np.float32(strength) + np.float32(25))
        cv2.circle(glow, centre, max(1, round(size)), light, -1, cv2.LINE_AA)
        if size > 6:
            rim = bgr(np.minimum(tone * np.float32(strength) + np.float32(60), 255))
            cv2.circle(glow, centre, round(size), rim, 1, cv2.LINE_AA)
    return cv2.add(ground, cv2.GaussianBlur(glow, (0, 0), rng.uniform(0.5, 2.5)))


def landscape(rng: _Rng, width: int, height: int) -> Picture:
    """A sky and ridges one before the other, nearer ones in a stronger colour."""
    sky = ramp(rng, width, height, radial=False) * np.float32(0.15)
    sky += pixel_axes(width, height)[1]
    sky += fractal_noise(rng, width, height, 5, 0.55) * np.float32(rng.uniform(0, 0.6))
    picture = colourise(rng, stretch(sky), random_palette(rng, 3))
    if rng.random() < 0.5:
        centre = (int(rng.integers(0, width)), int(rng.uniform(0.1, 0.5) * height))
        sun = bgr(np.clip(random_palette(rng, 1)[0] + 110, 0, 255))
        cv2.circle(picture, centre, max(2, int(rng.uniform(0.03, 0.12) * height)), sun, -1, 16)
    layers = int(rng.integers(2, 6))
    near, far = random_palette(rng, 2)
    texture = fractal_noise(rng, width, height, 7, 0.8) * np.float32(rng.uniform(0.1, 0.8))
    texture += np.float32(0.7)
    ridges = fractal_noise(rng, width, height, 7, rng.uniform(0.3, 0.65))
    ground = np.zeros_like(picture)
    mask = np.zeros((height, width), np.uint8)
    for layer in range(layers):
        part = (layer + rng.uniform(0.2, 0.8)) / layers
        ridge = ridges[int(part * (height - 1))] - 0.5
        line = height * (0.3 + 0.7 * part) + ridge * height * rng.uniform(0.1, 0.9)
        outline = np.column_stack((np.arange(width), line))
        outline = np.vstack((outline, (width, height), (0, height))).astype(np.int32)
        cv2.fillPoly(ground, [outline], bgr(far * (1 - part) + near * part))
        cv2.fillPoly(mask, [outline], 255)
    cv2.copyTo(shade(ground, texture), mask, picture)
    return picture


def bricks(rng: _Rng, width: int, height: int) -> Picture:
    """Walls: bricks, tiles, planks, windows of a facade, each stone in its own tone."""
    tall = max(5, int(rng.uniform(0.05, 0.3) * height))
    wide = max(6, int(tall * rng.uniform(0.6, 4.0)))
    joint = int(rng.integers(1, tall // 4 + 2))
    bond = (0.0, 0.5, 0.33)[rng.integers(3)]
    palette = random_palette(rng, 6)
    mortar = bgr(palette[5])
    rows, columns = height // tall + 2, width // wide + 3
    tones = palette[rng.integers(0, 5, (rows, columns))] * rng.uniform(0.7, 1.2, (rows, columns, 1))
    stones = np.clip(tones, 0, 255).astype(np.uint8)
    picture = filled(width, height, palette[5])
    left, top = int(rng.integers(0, wide)), int(rng.integers(0, tall))
    for row in range(rows):
        line = np.repeat(stones[row], wide, axis=0)
        line.reshape(columns, wide, 3)[:, :joint] = mortar
        start = (left + int(wide * (row * bond % 1.0))) % wide
        upper, lower = max(0, row * tall - top), max(0, (row + 1) * tall - top - joint)
        picture[upper:lower] = line[start : start + width]
    light = fractal_noise(rng, width, height, 6, 0.8) * np.float32(rng.uniform(0.1, 0.7))
    return shade(picture, light + np.float32(0.7))
