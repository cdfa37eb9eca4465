"""What lies behind the puzzle: procedural pictures of many families, or photographs."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from train.synth.noise import Field, cells, fractal_noise, grain, stretch

Picture = NDArray[np.uint8]
Palette = NDArray[np.float32]
_Rng = np.random.Generator

PHOTO_FAMILY = "photo"

# --- colours -------------------------------------------------------------------------------

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
        shade = rng.uniform(0.6, 1.2, (count, 1)).astype(np.float32)
        jitter = rng.normal(0, 14, (count, 3)).astype(np.float32)
        return np.clip(picked * shade + jitter, 0, 255)
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


def _ints(colour: Palette) -> tuple[int, int, int]:
    blue, green, red = colour.tolist()
    return int(blue), int(green), int(red)


def _filled(width: int, height: int, colour: Palette) -> Picture:
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = _ints(colour)
    return picture


def _log_uniform(rng: _Rng, low: float, high: float, count: int) -> NDArray[np.float64]:
    return np.exp(rng.uniform(math.log(low), math.log(high), count))


def _axes(width: int, height: int) -> tuple[Field, Field]:
    """Pixel coordinates as a row [1, W] and a column [H, 1], divided by the height."""
    x = (np.arange(width, dtype=np.float32) / np.float32(height))[None]
    return x, (np.arange(height, dtype=np.float32) / np.float32(height))[:, None]


def _ramp(rng: _Rng, width: int, height: int, *, radial: bool) -> Field:
    """A linear or radial ramp in a random direction or from a random centre: f32 [H, W] 0..1."""
    x, y = _axes(width, height)
    if not radial:
        angle = rng.uniform(0, 2 * math.pi)
        return stretch(x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle)))
    centre_x, centre_y = rng.uniform(-0.2, 1.2) * width / height, rng.uniform(-0.2, 1.2)
    stretch_x = rng.uniform(0.4, 2.0)
    squared = np.float32(stretch_x) * (x - np.float32(centre_x)) ** 2
    return stretch(cv2.sqrt(squared + (y - np.float32(centre_y)) ** 2))


def _shade(picture: Picture, light: Field) -> Picture:
    """Multiply u8 [H, W, 3] by a light f32 [H, W] around 1."""
    return cv2.multiply(picture, cv2.cvtColor(light, cv2.COLOR_GRAY2BGR), dtype=cv2.CV_8U)


def _blend(mask: Field, over: Picture, under: Picture) -> Picture:
    """`over` where the mask f32 [H, W] is 1, `under` where it is 0."""
    return cv2.blendLinear(over, under, mask, 1 - mask)


# --- families ------------------------------------------------------------------------------


def _gradient(rng: _Rng, width: int, height: int) -> Picture:
    field = _ramp(rng, width, height, radial=bool(rng.random() < 0.45))
    if rng.random() < 0.3:
        field = stretch(field + 0.4 * fractal_noise(rng, width, height, 2, 0.5))
    return colourise(rng, field, random_palette(rng, int(rng.integers(2, 6))))


def _plain(rng: _Rng, width: int, height: int) -> Picture:
    """Little texture: two close colours, softly mixed."""
    base = random_palette(rng, 1)
    palette = np.clip(base + rng.normal(0, 14, (3, 3)), 0, 255).astype(np.float32)
    return colourise(rng, fractal_noise(rng, width, height, 3, 0.5), palette)


def _blobs(rng: _Rng, width: int, height: int) -> Picture:
    """Soft coloured spots, drawn small and enlarged."""
    small_w, small_h = max(8, width // 6), max(8, height // 6)
    count = int(rng.integers(6, 30))
    palette = random_palette(rng, count + 1)
    picture = _filled(small_w, small_h, palette[-1])
    xs, ys = rng.integers(0, small_w, count), rng.integers(0, small_h, count)
    radii = _log_uniform(rng, 1.5, small_h / 2, count)
    for x, y, radius, colour in zip(
        xs.tolist(), ys.tolist(), radii.tolist(), palette[:-1], strict=True
    ):
        cv2.circle(picture, (x, y), round(radius), _ints(colour), -1)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 4.0))
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)


def _clouds(rng: _Rng, width: int, height: int) -> Picture:
    field = fractal_noise(rng, width, height, int(rng.integers(4, 8)), rng.uniform(0.4, 0.75))
    return colourise(rng, field, random_palette(rng, int(rng.integers(3, 8))))


def _marble(rng: _Rng, width: int, height: int) -> Picture:
    warp = fractal_noise(rng, width, height, 6, rng.uniform(0.45, 0.65))
    phase = _ramp(rng, width, height, radial=False) * rng.uniform(4, 30)
    phase += warp * np.float32(rng.uniform(4, 22))
    field = np.abs(np.sin(phase.astype(np.float32)))
    if rng.random() < 0.5:
        field = cv2.sqrt(field)
    return colourise(rng, field, random_palette(rng, int(rng.integers(2, 5))))


def _wood(rng: _Rng, width: int, height: int) -> Picture:
    """Rings around a far centre, bent by stretched noise."""
    fibres = fractal_noise(rng, max(4, width // 8), height, 6, 0.7)
    fibres = cv2.resize(fibres, (width, height), interpolation=cv2.INTER_LINEAR)
    rings = _ramp(rng, width, height, radial=True) * np.float32(rng.uniform(5, 25))
    rings += fibres * np.float32(rng.uniform(1, 4))
    field = stretch(rings - np.floor(rings) + np.float32(0.6) * fibres)
    picture = colourise(rng, field, random_palette(rng, 3))
    return cv2.rotate(picture, cv2.ROTATE_180) if rng.random() < 0.5 else picture


def _terrain(rng: _Rng, width: int, height: int) -> Picture:
    """A lit relief: heights choose the colour, slopes the light."""
    relief = fractal_noise(rng, width, height, int(rng.integers(5, 8)), rng.uniform(0.45, 0.7))
    smooth = cv2.GaussianBlur(relief, (0, 0), rng.uniform(0.8, 1.8))  # hides the lattice
    angle = rng.uniform(0, 2 * math.pi)
    slope = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) * np.float32(math.cos(angle))
    slope += cv2.Sobel(smooth, cv2.CV_32F, 0, 1) * np.float32(math.sin(angle))
    spread = max(float(slope.std()), 1e-6)
    light = np.clip(1 + slope * np.float32(rng.uniform(0.1, 0.35) / spread), 0.25, 1.9)
    return _shade(colourise(rng, relief, random_palette(rng, 5)), light)


def _stripes(rng: _Rng, width: int, height: int) -> Picture:
    """Stripes, checks, waves and grids: products and steps of two turned waves."""
    x, y = _axes(width, height)
    angle, frequency = rng.uniform(0, math.pi), float(_log_uniform(rng, 2, 25, 1)[0])
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
    hardness = float(_log_uniform(rng, 0.8, 30, 1)[0])
    field = np.clip(field * np.float32(hardness) * 0.5 + 0.5, 0, 1)
    return colourise(rng, field, random_palette(rng, int(rng.integers(2, 4))))


def _leaves(rng: _Rng, width: int, height: int) -> Picture:
    """Occluding shapes of every size, the dead leaves model: edges at all scales, like nature."""
    count = int(rng.integers(60, 220))
    palette = random_palette(rng, 12)
    picture = colourise(rng, fractal_noise(rng, width, height, 4, 0.6), palette[:4])
    radii = np.sort(_log_uniform(rng, 0.012, 0.45, count))[::-1] * height
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
            cv2.fillConvexPoly(picture, corners, _ints(tone), cv2.LINE_AA)
        else:
            cv2.ellipse(picture, centre, axes, 360 * d, 0, 360, _ints(tone), -1)
    if rng.random() < 0.3:
        return picture
    grit = fractal_noise(rng, width, height, 7, 0.85) * np.float32(rng.uniform(0.2, 1.0))
    return _shade(picture, grit + (1 - grit.mean()))


def _shapes(rng: _Rng, width: int, height: int) -> Picture:
    """A poster: overlapping polygons, circles, rings, lines and curves, some translucent."""
    count = int(rng.integers(8, 45))
    palette = random_palette(rng, count + 2)
    picture = colourise(rng, _ramp(rng, width, height, radial=False), palette[-2:])
    sheer = float(rng.uniform(0.35, 1.0))
    layer = picture.copy()
    for index in range(count):
        if index % 12 == 11:
            picture = cv2.addWeighted(layer, sheer, picture, 1 - sheer, 0)
            layer = picture.copy()
        _draw_shape(rng, layer, _ints(palette[index]))
    return cv2.addWeighted(layer, sheer, picture, 1 - sheer, 0)


def _draw_shape(rng: _Rng, picture: Picture, colour: tuple[int, int, int]) -> None:
    height, width = picture.shape[:2]
    size = float(_log_uniform(rng, 0.05, 0.6, 1)[0]) * height
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


def _mosaic(rng: _Rng, width: int, height: int) -> Picture:
    """Voronoi cells: flat, domed, or with joints between them."""
    count = int(_log_uniform(rng, 12, 500, 1)[0])
    label, distance = cells(rng, width, height, count)
    palette = random_palette(rng, 8)
    tones = palette[rng.integers(0, 8, count + 1)] * rng.uniform(0.75, 1.2, (count + 1, 1))
    picture = np.clip(tones, 0, 255).astype(np.uint8)[label]
    if rng.random() < 0.5:
        size = math.sqrt(width * height / count)
        dome = np.float32(rng.uniform(-0.7, 0.7) / size)
        picture = _shade(picture, np.clip(1.1 + distance * dome, 0.2, 1.6))
    if rng.random() < 0.5:
        joint = cv2.morphologyEx(label.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2)))
        picture[joint > 0] = _ints(random_palette(rng, 1)[0])
    return picture


def _bokeh(rng: _Rng, width: int, height: int) -> Picture:
    """Lights out of focus over a dark or coloured ground."""
    count = int(rng.integers(15, 70))
    palette = random_palette(rng, 4)
    ground = colourise(rng, fractal_noise(rng, width, height, 2, 0.5), palette * 0.6)
    glow = np.zeros_like(ground)
    sizes = _log_uniform(rng, 0.015, 0.16, count) * height
    strengths = rng.uniform(0.1, 0.6, count)
    for size, strength, tone in zip(
        sizes.tolist(), strengths.tolist(), random_palette(rng, count), strict=True
    ):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        light = _ints(tone * np.float32(strength) + np.float32(25))
        cv2.circle(glow, centre, max(1, round(size)), light, -1, cv2.LINE_AA)
        if size > 6:
            rim = _ints(np.minimum(tone * np.float32(strength) + np.float32(60), 255))
            cv2.circle(glow, centre, round(size), rim, 1, cv2.LINE_AA)
    return cv2.add(ground, cv2.GaussianBlur(glow, (0, 0), rng.uniform(0.5, 2.5)))


def _landscape(rng: _Rng, width: int, height: int) -> Picture:
    """A sky and ridges one before the other, nearer ones in a stronger colour."""
    sky = _ramp(rng, width, height, radial=False) * np.float32(0.15)
    sky += _axes(width, height)[1]
    sky += fractal_noise(rng, width, height, 5, 0.55) * np.float32(rng.uniform(0, 0.6))
    picture = colourise(rng, stretch(sky), random_palette(rng, 3))
    if rng.random() < 0.5:
        centre = (int(rng.integers(0, width)), int(rng.uniform(0.1, 0.5) * height))
        sun = _ints(np.clip(random_palette(rng, 1)[0] + 110, 0, 255))
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
        cv2.fillPoly(ground, [outline], _ints(far * (1 - part) + near * part))
        cv2.fillPoly(mask, [outline], 255)
    cv2.copyTo(_shade(ground, texture), mask, picture)
    return picture


def _fabric(rng: _Rng, width: int, height: int) -> Picture:
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
    return _shade(picture, folds + np.float32(0.6))


def _bricks(rng: _Rng, width: int, height: int) -> Picture:
    """Walls: bricks, tiles, planks, windows of a facade, each stone in its own tone."""
    tall = max(5, int(rng.uniform(0.05, 0.3) * height))
    wide = max(6, int(tall * rng.uniform(0.6, 4.0)))
    joint = int(rng.integers(1, tall // 4 + 2))
    bond = (0.0, 0.5, 0.33)[rng.integers(3)]
    palette = random_palette(rng, 6)
    mortar = _ints(palette[5])
    rows, columns = height // tall + 2, width // wide + 3
    tones = palette[rng.integers(0, 5, (rows, columns))] * rng.uniform(0.7, 1.2, (rows, columns, 1))
    stones = np.clip(tones, 0, 255).astype(np.uint8)
    picture = _filled(width, height, palette[5])
    left, top = int(rng.integers(0, wide)), int(rng.integers(0, tall))
    for row in range(rows):
        line = np.repeat(stones[row], wide, axis=0)
        line.reshape(columns, wide, 3)[:, :joint] = mortar
        start = (left + int(wide * (row * bond % 1.0))) % wide
        upper, lower = max(0, row * tall - top), max(0, (row + 1) * tall - top - joint)
        picture[upper:lower] = line[start : start + width]
    light = fractal_noise(rng, width, height, 6, 0.8) * np.float32(rng.uniform(0.1, 0.7))
    return _shade(picture, light + np.float32(0.7))


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
        field = _ramp(rng, width, height, radial=bool(rng.random() < 0.5))
    hardness = np.float32(_log_uniform(rng, 1.5, 60, 1)[0])
    mask = np.clip((field - np.float32(rng.uniform(0.35, 0.65))) * hardness + 0.5, 0, 1)
    over = _FAMILIES[first](rng, width, height)
    return _blend(mask.astype(np.float32), over, _FAMILIES[second](rng, width, height))


_FAMILIES: dict[str, Callable[[_Rng, int, int], Picture]] = {
    "gradient": _gradient,
    "plain": _plain,
    "blobs": _blobs,
    "clouds": _clouds,
    "marble": _marble,
    "wood": _wood,
    "terrain": _terrain,
    "stripes": _stripes,
    "leaves": _leaves,
    "shapes": _shapes,
    "mosaic": _mosaic,
    "bokeh": _bokeh,
    "landscape": _landscape,
    "fabric": _fabric,
    "bricks": _bricks,
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
        picture = _shade(picture, light + (1 - depth / 2))
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.1))
    if rng.random() < 0.3:
        noise = grain(rng, width, height, 1) * np.float32(rng.uniform(1.5, 7.0))
        picture = cv2.add(picture, cv2.cvtColor(noise, cv2.COLOR_GRAY2BGR), dtype=cv2.CV_8U)
    return picture, family


# --- photographs ---------------------------------------------------------------------------

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
_TEST_BYTES = 26  # of 256: about a tenth of the files
_MAX_SIDE_PX = 1600  # larger photographs are reduced on loading
_MAX_ENLARGEMENT = 1.6
_FILE_DRAWS = 4


class Backgrounds:
    """Photographs of a folder, cropped at random; a stable tenth of the files is kept for tests.

    Files are told apart by content: a file belongs to the test split when the first byte of its
    sha256 is below 26, wherever it lies and whatever it is called. Decoded pictures are kept up to
    `cache_bytes` per process; the cache changes speed alone. Can be pickled and forked.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        split: Literal["train", "test", "all"] = "train",
        cache_bytes: int = 1 << 30,
    ) -> None:
        """List and hash the picture files of `directory` (not its subfolders), sorted by name.

        Raises:
            InputError: the folder is missing, holds no picture of the split, or a file cannot be
                read; the message names it.
            ValueError: `split` is none of train, test, all.
        """
        if split not in ("train", "test", "all"):
            raise ValueError(f"split must be 'train', 'test' or 'all', got {split!r}")
        self.directory = Path(directory)
        self.split = split
        self.cache_bytes = cache_bytes
        if not self.directory.is_dir():
            raise InputError(f"the background folder {self.directory} does not exist")
        files: list[Path] = []
        hashes: list[str] = []
        for path in sorted(self.directory.iterdir(), key=lambda entry: entry.name):
            if path.suffix.lower() not in PICTURE_SUFFIXES or not path.is_file():
                continue
            digest = hashlib.sha256(_read_bytes(path)).digest()
            if split == "all" or (split == "test") == (digest[0] < _TEST_BYTES):
                files.append(path)
                hashes.append(digest.hex())
        if not files:
            kinds = ", ".join(PICTURE_SUFFIXES)
            raise InputError(
                f"the background folder {self.directory} holds no picture ({kinds}) "
                f"of the split {split!r}"
            )
        self.files = tuple(files)
        self._hashes = tuple(hashes)
        self._cache: OrderedDict[int, Picture] = OrderedDict()
        self._cached_bytes = 0

    def __len__(self) -> int:
        return len(self.files)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": OrderedDict(), "_cached_bytes": 0}

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) over the sorted sha256 hashes of the split's files, one a line."""
        return hashlib.sha256("\n".join(sorted(self._hashes)).encode()).hexdigest()

    def sample(self, rng: np.random.Generator, width: int, height: int) -> Picture:
        """A random crop of a random photograph: u8 BGR [height, width, 3].

        The crop has the asked aspect and 0.6 to 1 of the largest fitting size, more where it
        would have to be enlarged beyond 1.6 times; other photographs are tried before that.

        Raises:
            InputError: the photograph drawn cannot be decoded; the message names the file.
        """
        for _ in range(_FILE_DRAWS):
            photo = self._load(int(rng.integers(len(self.files))))
            largest = min(photo.shape[1] / width, photo.shape[0] / height)
            if largest * _MAX_ENLARGEMENT >= 1.0:
                break
        scale = min(largest, max(largest * rng.uniform(0.6, 1.0), 1 / _MAX_ENLARGEMENT))
        return _vary(rng, _crop(rng, photo, width, height, scale))

    def _load(self, index: int) -> Picture:
        """The decoded photograph, from the cache if it is there (least recently used go first)."""
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index]
        photo = _decode(self.files[index])
        self._cache[index] = photo
        self._cached_bytes += photo.nbytes
        while self._cached_bytes > self.cache_bytes and self._cache:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return photo


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the background picture {path}: {error.strerror}") from error


def _decode(path: Path) -> Picture:
    data = np.frombuffer(_read_bytes(path), np.uint8)
    try:
        photo = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise InputError(f"the background picture {path} cannot be decoded") from error
    if photo is None:
        raise InputError(f"the background picture {path} cannot be decoded")
    longest = max(photo.shape[:2])
    if longest <= _MAX_SIDE_PX:
        return photo
    factor = _MAX_SIDE_PX / longest
    return cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _crop(rng: _Rng, photo: Picture, width: int, height: int, scale: float) -> Picture:
    """A crop of `scale` photograph pixels per picture pixel, mirrored half of the time."""
    crop_w = min(photo.shape[1], max(1, round(width * scale)))
    crop_h = min(photo.shape[0], max(1, round(height * scale)))
    left = int(rng.integers(0, photo.shape[1] - crop_w + 1))
    top = int(rng.integers(0, photo.shape[0] - crop_h + 1))
    crop = photo[top : top + crop_h, left : left + crop_w]
    how = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    picture = cv2.resize(crop, (width, height), interpolation=how)
    return cv2.flip(picture, 1) if rng.random() < 0.5 else picture


def _vary(rng: _Rng, picture: Picture) -> Picture:
    """Now and then another brightness, contrast or hue."""
    if rng.random() < 0.3:
        gain, shift = rng.uniform(0.7, 1.25), rng.uniform(-30, 30)
        curve = (np.arange(256) - 127.5) * gain + 127.5 + shift
        picture = cv2.LUT(picture, np.clip(np.rint(curve), 0, 255).astype(np.uint8))
    if rng.random() < 0.15:
        hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV_FULL)
        # u8 hue covers the whole circle here, so that wrapping around is right.
        hsv[..., 0] += np.uint8(rng.integers(0, 256))
        picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL)
    return picture


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
