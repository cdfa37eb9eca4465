"""What else lies on puzzle pictures and is neither gap nor piece: text, icons, frames, light."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.drawing import (
    FONTS,
    Box,
    covers,
    find_place,
    mix,
    random_colour,
    random_words,
    rounded_box,
    write,
)
from train.synth.icons import draw_icon
from train.synth.noise import fractal_noise
from train.synth.palette import Picture

_Rng = np.random.Generator
_Draw = Callable[[_Rng, Picture, Sequence[Box]], bool]


def _text(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    height = picture.shape[0]
    scale = float(np.exp(rng.uniform(math.log(0.35), math.log(1.1)))) * max(0.8, height / 220)
    text = random_words(rng, int(rng.integers(2, 22)))
    wide, tall = int(len(text) * 19 * scale), int(34 * scale)
    place = find_place(rng, picture, (wide, tall), avoid)
    if place is None:
        return False
    if rng.random() < 0.35:
        layer = picture.copy()
        rounded_box(layer, place, (wide, tall), int(rng.integers(0, 8)), random_colour(rng))
        mix(picture, layer, float(rng.uniform(0.3, 1.0)))
    base = (place[0] + int(4 * scale), place[1] + int(25 * scale))
    write(rng, picture, text, scale, base, random_colour(rng))
    return True


def _watermark(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """Translucent text, once or tiled, turned; faint enough to lie over anything."""
    height, width = picture.shape[:2]
    side = int(rng.integers(60, 160))
    tile = np.zeros((side, side), np.uint8)
    text = random_words(rng, int(rng.integers(3, 9)))
    font = FONTS[rng.integers(len(FONTS))]
    cv2.putText(tile, text, (3, side // 2), font, side / len(text) / 24, 255, 1, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-45, 45), 1.0)
    tile = cv2.warpAffine(tile, turn, (side, side))
    ink = np.tile(tile, (-(-height // side), -(-width // side)))[:height, :width]
    if rng.random() < 0.4:
        row, column = int(rng.integers(0, height)) // side, int(rng.integers(0, width)) // side
        once = np.zeros_like(ink)
        spot = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
        once[spot] = ink[spot]
        ink = once
    strength = float(rng.uniform(0.08, 0.3))
    signed = cv2.convertScaleAbs(ink, alpha=strength)
    mark = cv2.cvtColor(signed, cv2.COLOR_GRAY2BGR)
    (cv2.add if rng.random() < 0.7 else cv2.subtract)(picture, mark, dst=picture)
    return True


def _icon(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """One to three icons, bare or on a disc or a box."""
    drawn = False
    size = max(8, int(picture.shape[0] * rng.uniform(0.06, 0.2)))
    backed = rng.random() < 0.4
    for _ in range(int(rng.integers(1, 4))):
        place = find_place(rng, picture, (size + 4, size + 4), avoid)
        if place is None:
            continue
        if backed:
            radius = size if rng.random() < 0.5 else size // 6
            rounded_box(picture, place, (size + 4, size + 4), radius, random_colour(rng))
        inner = int(size * 0.7) if backed else size
        draw_icon(rng, picture, (place[0] + size // 2 + 2, place[1] + size // 2 + 2), inner)
        drawn = True
    return drawn


def _button(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    height, width = picture.shape[:2]
    wide, tall = int(width * rng.uniform(0.12, 0.4)), int(height * rng.uniform(0.09, 0.2))
    place = find_place(rng, picture, (wide, tall), avoid)
    if place is None:
        return False
    radius = int(tall * rng.uniform(0, 0.5))
    if rng.random() < 0.5:
        rounded_box(picture, (place[0] + 1, place[1] + 2), (wide, tall), radius, (60, 60, 60))
    rounded_box(picture, place, (wide, tall), radius, random_colour(rng))
    text = random_words(rng, max(2, int(wide / tall * 1.6)))
    base = (place[0] + tall // 4, place[1] + int(tall * 0.68))
    write(rng, picture, text, tall / 50, base, random_colour(rng))
    return True


def _rounded_corners(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """Corners cut round and filled with the page behind."""
    height, width = picture.shape[:2]
    radius = max(2, int(height * rng.uniform(0.02, 0.13)))
    page = (255, 255, 255) if rng.random() < 0.6 else random_colour(rng)
    quarter = np.full((radius, radius, 3), page, np.uint8)
    cover = np.full((radius, radius), 255, np.uint8)
    cv2.circle(cover, (radius, radius), radius, 0, -1, cv2.LINE_AA)
    share = cover.astype(np.float32) / 255
    for rows, flip_y in ((slice(0, radius), False), (slice(height - radius, height), True)):
        for columns, flip_x in ((slice(0, radius), False), (slice(width - radius, width), True)):
            mask = share[:: -1 if flip_y else 1, :: -1 if flip_x else 1].copy()
            spot = picture[rows, columns]
            picture[rows, columns] = cv2.blendLinear(quarter, spot.copy(), mask, 1 - mask)
    return True


def _frame(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """A thin border along the edge, sometimes doubled."""
    height, width = picture.shape[:2]
    thickness = max(1, int(height * rng.uniform(0.004, 0.03)))
    inset = 0
    for _ in range(int(rng.integers(1, 3))):
        colour = random_colour(rng)
        for step in range(inset, inset + thickness):
            cv2.rectangle(picture, (step, step), (width - 1 - step, height - 1 - step), colour, 1)
        inset += thickness + int(rng.integers(0, 3))
        thickness = max(1, thickness // 3)
    return True


def _slider_bar(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """The track and handle of a slider along the lower (sometimes upper) edge of the picture."""
    height, width = picture.shape[:2]
    tall = max(6, int(height * rng.uniform(0.08, 0.2)))
    top = 0 if rng.random() < 0.15 else height - tall
    if covers((0, top, width, top + tall), avoid):
        return False
    layer = picture.copy()
    radius = tall if rng.random() < 0.5 else 3
    rounded_box(
        layer, (0, top), (width, tall), radius if rng.random() < 0.4 else 0, random_colour(rng)
    )
    handle = max(4, int(tall * rng.uniform(0.8, 1.6)))
    left = int(rng.uniform(0, 0.8) * (width - handle))
    if rng.random() < 0.5:
        cv2.rectangle(layer, (0, top), (left + handle // 2, top + tall - 1), random_colour(rng), -1)
    text = random_words(rng, int(rng.integers(8, 20)))
    base = (min(width - 2, left + handle + tall // 3), top + int(tall * 0.68))
    cv2.putText(layer, text, base, FONTS[0], tall / 55, random_colour(rng), 1, cv2.LINE_AA)
    rounded_box(layer, (left, top + 1), (handle, tall - 2), radius, random_colour(rng))
    draw_icon(rng, layer, (left + handle // 2, top + tall // 2), max(6, tall // 2))
    mix(picture, layer, 1.0 if rng.random() < 0.6 else float(rng.uniform(0.5, 0.95)))
    return True


def _light(picture: Picture, light: NDArray[np.float32]) -> None:
    """Multiply the picture in place by a light [H, W] that was computed small."""
    height, width = picture.shape[:2]
    full = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.multiply(picture, cv2.cvtColor(full, cv2.COLOR_GRAY2BGR), dst=picture, dtype=cv2.CV_8U)


def _vignette(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """Darker (rarely brighter) towards the border."""
    x = np.linspace(-1, 1, 48, dtype=np.float32)[None] - np.float32(rng.uniform(-0.3, 0.3))
    y = np.linspace(-1, 1, 32, dtype=np.float32)[:, None] - np.float32(rng.uniform(-0.3, 0.3))
    depth = -rng.uniform(0.1, 0.25) if rng.random() < 0.2 else rng.uniform(0.15, 0.5)
    fall = np.minimum((x * x + y * y) * np.float32(0.5), 1.2)
    _light(picture, 1 - np.float32(depth) * fall ** np.float32(rng.uniform(0.8, 2.0)))
    return True


def _light_leak(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """Slanting bands of coloured light or shadow across the picture."""
    height, width = picture.shape[:2]
    angle = rng.uniform(0, math.pi)
    x = np.arange(width // 4 + 1, dtype=np.float32)[None] * np.float32(4 * math.cos(angle) / height)
    y = np.arange(height // 4 + 1, dtype=np.float32)[:, None]
    across = x + y * np.float32(4 * math.sin(angle) / height)
    light = np.zeros_like(across)
    for _ in range(int(rng.integers(1, 4))):
        place, breadth = rng.uniform(across.min(), across.max()), rng.uniform(0.03, 0.35)
        light += np.exp(-(((across - np.float32(place)) / np.float32(breadth)) ** 2))
    light *= fractal_noise(rng, light.shape[1], light.shape[0], 2, 0.5) + np.float32(0.4)
    if rng.random() < 0.3:
        _light(picture, 1 - np.minimum(light, 1) * np.float32(rng.uniform(0.15, 0.45)))
        return True
    tint = rng.uniform(10, 75, 3).astype(np.float32)
    glow = np.minimum(light, 1.5)[..., None] * tint
    glow = cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.add(picture, glow, dst=picture, dtype=cv2.CV_8U)
    return True


# In drawing order, light first and the page's own things last; with the chance of each.
_FAMILIES: dict[str, tuple[float, _Draw]] = {
    "vignette": (0.14, _vignette),
    "light-leak": (0.12, _light_leak),
    "watermark": (0.14, _watermark),
    "text": (0.25, _text),
    "icon": (0.22, _icon),
    "button": (0.10, _button),
    "slider-bar": (0.10, _slider_bar),
    "frame": (0.12, _frame),
    "rounded-corners": (0.18, _rounded_corners),
}
FURNITURE_FAMILIES: tuple[str, ...] = tuple(_FAMILIES)


def add_furniture(
    rng: np.random.Generator,
    picture: Picture,
    allowed: Collection[str],
    avoid: Sequence[Box],
) -> list[str]:
    """Draw one or more of the `allowed` families on the picture, in place.

    `picture`: contiguous u8 BGR [H, W, 3]. `avoid`: boxes (x0, y0, x1, y1) in picture pixels of
    which opaque things hide at most a few per cent; only faint marks, light, frames and corners
    may lie over them. Returns the families drawn, in drawing order; empty when nothing is allowed
    or no free place was found. Raises ValueError for a name not in FURNITURE_FAMILIES.
    """
    unknown = sorted(set(allowed) - set(FURNITURE_FAMILIES))
    if unknown:
        raise ValueError(f"unknown furniture {unknown}; known: {', '.join(FURNITURE_FAMILIES)}")
    names = [name for name in FURNITURE_FAMILIES if name in allowed]
    draws = rng.random(len(names)).tolist()
    chosen = [name for name, draw in zip(names, draws, strict=True) if draw < _FAMILIES[name][0]]
    if names and not chosen:
        chosen = [names[rng.integers(len(names))]]
    return [name for name in chosen if _FAMILIES[name][1](rng, picture, avoid)]
