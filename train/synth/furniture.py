"""What else lies on puzzle pictures and is neither gap nor piece: text, icons, frames, light."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.noise import fractal_noise

Picture = NDArray[np.uint8]
Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]
_Rng = np.random.Generator
_Draw = Callable[[_Rng, Picture, Sequence[Box]], bool]

_COVERED_SHARE = 0.06  # how much of a gap or piece an opaque thing may hide
_PLACE_TRIES = 8
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX_SMALL,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
_LETTERS = "ABCDEFGHIKLMNOPRSTUVWXYZabcdefghiklmnoprstuvwxyz0123456789"


def _covers(box: Box, avoid: Sequence[Box], share: float = _COVERED_SHARE) -> bool:
    """Whether `box` hides more than `share` of any box to avoid (all x0, y0, x1, y1)."""
    for x0, y0, x1, y1 in avoid:
        wide = max(0.0, min(x1, box[2]) - max(x0, box[0]))
        tall = max(0.0, min(y1, box[3]) - max(y0, box[1]))
        if wide * tall > share * max(1.0, (x1 - x0) * (y1 - y0)):
            return True
    return False


def _place(
    rng: _Rng, picture: Picture, size: tuple[int, int], avoid: Sequence[Box]
) -> tuple[int, int] | None:
    """A free place (left, top) for something of `size` (width, height), often near a border."""
    height, width = picture.shape[:2]
    if size[0] >= width or size[1] >= height:
        return None
    room = np.array((width - size[0], height - size[1]))
    for _ in range(_PLACE_TRIES):
        part = rng.random(2)
        if rng.random() < 0.6:
            part = np.where(rng.random(2) < 0.6, np.rint(part) * 0.94 + 0.03, part)
        left, top = (int(value) for value in part * room)
        if not _covers((left, top, left + size[0], top + size[1]), avoid):
            return left, top
    return None


def _colour(rng: _Rng) -> Colour:
    """White and black often, greys and any colour as well."""
    kind = rng.random()
    if kind < 0.35:
        return (255, 255, 255)
    if kind < 0.5:
        return (20, 20, 20)
    if kind < 0.6:
        level = int(rng.integers(40, 230))
        return (level, level, level)
    blue, green, red = rng.integers(0, 256, 3).tolist()
    return (blue, green, red)


def _words(rng: _Rng, longest: int) -> str:
    """Random letters in word lengths: no language to learn."""
    letters = [_LETTERS[index] for index in rng.integers(0, len(_LETTERS), longest)]
    for index in range(int(rng.integers(2, 8)), longest - 1, int(rng.integers(4, 10))):
        letters[index] = " "
    return "".join(letters)


def _write(
    rng: _Rng, picture: Picture, text: str, scale: float, place: tuple[int, int], colour: Colour
) -> None:
    """Text with its lower left corner at `place`, sometimes with a contrasting rim."""
    font = _FONTS[rng.integers(len(_FONTS))]
    thickness = 1 if scale < 0.6 else int(rng.integers(1, 4))
    if rng.random() < 0.25:
        rim = (0, 0, 0) if sum(colour) > 380 else (255, 255, 255)
        cv2.putText(picture, text, place, font, scale, rim, thickness + 2, cv2.LINE_AA)
    cv2.putText(picture, text, place, font, scale, colour, thickness, cv2.LINE_AA)


def _rounded_box(
    picture: Picture, corner: tuple[int, int], size: tuple[int, int], radius: int, colour: Colour
) -> None:
    """A filled rectangle with round corners; `radius` at most half of the shorter side."""
    (left, top), (wide, tall) = corner, size
    radius = max(0, min(radius, (wide - 1) // 2, (tall - 1) // 2))
    right, bottom = left + wide - 1, top + tall - 1
    cv2.rectangle(picture, (left + radius, top), (right - radius, bottom), colour, -1)
    cv2.rectangle(picture, (left, top + radius), (right, bottom - radius), colour, -1)
    if radius:
        for x in (left + radius, right - radius):
            for y in (top + radius, bottom - radius):
                cv2.circle(picture, (x, y), radius, colour, -1, cv2.LINE_AA)


def _mix(picture: Picture, layer: Picture, share: float) -> None:
    """Lay `layer` over the picture, in place, with opacity `share`."""
    cv2.addWeighted(layer, share, picture, 1 - share, 0, dst=picture)


def _text(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    height = picture.shape[0]
    scale = float(np.exp(rng.uniform(math.log(0.35), math.log(1.1)))) * max(0.8, height / 220)
    text = _words(rng, int(rng.integers(2, 22)))
    wide, tall = int(len(text) * 19 * scale), int(34 * scale)
    place = _place(rng, picture, (wide, tall), avoid)
    if place is None:
        return False
    if rng.random() < 0.35:
        layer = picture.copy()
        _rounded_box(layer, place, (wide, tall), int(rng.integers(0, 8)), _colour(rng))
        _mix(picture, layer, float(rng.uniform(0.3, 1.0)))
    base = (place[0] + int(4 * scale), place[1] + int(25 * scale))
    _write(rng, picture, text, scale, base, _colour(rng))
    return True


def _watermark(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """Translucent text, once or tiled, turned; faint enough to lie over anything."""
    height, width = picture.shape[:2]
    side = int(rng.integers(60, 160))
    tile = np.zeros((side, side), np.uint8)
    text = _words(rng, int(rng.integers(3, 9)))
    font = _FONTS[rng.integers(len(_FONTS))]
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


def _draw_icon(rng: _Rng, picture: Picture, centre: tuple[int, int], size: int) -> None:
    """A refresh arrow, cross, loudspeaker, cog, tick or ring of `size` px around `centre`."""
    colour, (x, y), half = _colour(rng), centre, size // 2
    line = max(1, round(size * rng.uniform(0.06, 0.16)))
    inner = max(2, half - line)
    kind = int(rng.integers(6))
    if kind == 0:
        start = int(rng.integers(0, 360))
        cv2.ellipse(picture, centre, (inner, inner), start, 0, 290, colour, line, cv2.LINE_AA)
        tip = math.radians(start + 290)
        end = np.array((x + inner * math.cos(tip), y + inner * math.sin(tip)))
        angles = tip + np.array((0.35, 2.4, -1.2))
        head = end + size * 0.24 * np.column_stack((np.cos(angles), np.sin(angles)))
        cv2.fillConvexPoly(picture, head.astype(np.int32), colour, cv2.LINE_AA)
    elif kind == 1:
        arm = int(inner * 0.8)
        cv2.line(picture, (x - arm, y - arm), (x + arm, y + arm), colour, line, cv2.LINE_AA)
        cv2.line(picture, (x - arm, y + arm), (x + arm, y - arm), colour, line, cv2.LINE_AA)
    elif kind == 2:
        q = max(1, half // 3)
        body = np.array(((-half, -q), (-q, -q), (q, -half), (q, half), (-q, q), (-half, q)))
        cv2.fillPoly(picture, [body + centre], colour, cv2.LINE_AA)
        for radius in (q + 2, 2 * q + 2):
            spot = (x + q, y)
            cv2.ellipse(picture, spot, (radius, radius), 0, -50, 50, colour, line, cv2.LINE_AA)
    elif kind == 3:
        turn = np.arange(32) * (math.pi / 16)
        reach = np.where(np.arange(32) // 2 % 2 == 0, half, half * 0.72)
        teeth = np.column_stack((np.cos(turn), np.sin(turn))) * reach[:, None] + centre
        cv2.fillPoly(picture, [teeth.astype(np.int32)], colour, cv2.LINE_AA)
        cv2.circle(picture, centre, max(1, half // 3), _colour(rng), -1, cv2.LINE_AA)
    elif kind == 4:
        tick = np.array(((-inner, 0), (-inner // 3, inner * 2 // 3), (inner, -inner * 2 // 3)))
        cv2.polylines(picture, [tick + centre], False, colour, line, cv2.LINE_AA)
    else:
        cv2.circle(picture, centre, inner, colour, line, cv2.LINE_AA)
        letter = "i?!"[rng.integers(3)]
        spot = (x - size // 8, y + size // 5)
        cv2.putText(picture, letter, spot, _FONTS[0], size / 45, colour, line, cv2.LINE_AA)


def _icon(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """One to three icons, bare or on a disc or a box."""
    drawn = False
    size = max(8, int(picture.shape[0] * rng.uniform(0.06, 0.2)))
    backed = rng.random() < 0.4
    for _ in range(int(rng.integers(1, 4))):
        place = _place(rng, picture, (size + 4, size + 4), avoid)
        if place is None:
            continue
        if backed:
            radius = size if rng.random() < 0.5 else size // 6
            _rounded_box(picture, place, (size + 4, size + 4), radius, _colour(rng))
        inner = int(size * 0.7) if backed else size
        _draw_icon(rng, picture, (place[0] + size // 2 + 2, place[1] + size // 2 + 2), inner)
        drawn = True
    return drawn


def _button(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    height, width = picture.shape[:2]
    wide, tall = int(width * rng.uniform(0.12, 0.4)), int(height * rng.uniform(0.09, 0.2))
    place = _place(rng, picture, (wide, tall), avoid)
    if place is None:
        return False
    radius = int(tall * rng.uniform(0, 0.5))
    if rng.random() < 0.5:
        _rounded_box(picture, (place[0] + 1, place[1] + 2), (wide, tall), radius, (60, 60, 60))
    _rounded_box(picture, place, (wide, tall), radius, _colour(rng))
    text = _words(rng, max(2, int(wide / tall * 1.6)))
    base = (place[0] + tall // 4, place[1] + int(tall * 0.68))
    _write(rng, picture, text, tall / 50, base, _colour(rng))
    return True


def _rounded_corners(rng: _Rng, picture: Picture, avoid: Sequence[Box]) -> bool:
    """Corners cut round and filled with the page behind."""
    height, width = picture.shape[:2]
    radius = max(2, int(height * rng.uniform(0.02, 0.13)))
    page = (255, 255, 255) if rng.random() < 0.6 else _colour(rng)
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
        colour = _colour(rng)
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
    if _covers((0, top, width, top + tall), avoid):
        return False
    layer = picture.copy()
    radius = tall if rng.random() < 0.5 else 3
    _rounded_box(layer, (0, top), (width, tall), radius if rng.random() < 0.4 else 0, _colour(rng))
    handle = max(4, int(tall * rng.uniform(0.8, 1.6)))
    left = int(rng.uniform(0, 0.8) * (width - handle))
    if rng.random() < 0.5:
        cv2.rectangle(layer, (0, top), (left + handle // 2, top + tall - 1), _colour(rng), -1)
    text = _words(rng, int(rng.integers(8, 20)))
    base = (min(width - 2, left + handle + tall // 3), top + int(tall * 0.68))
    cv2.putText(layer, text, base, _FONTS[0], tall / 55, _colour(rng), 1, cv2.LINE_AA)
    _rounded_box(layer, (left, top + 1), (handle, tall - 2), radius, _colour(rng))
    _draw_icon(rng, layer, (left + handle // 2, top + tall // 2), max(6, tall // 2))
    _mix(picture, layer, 1.0 if rng.random() < 0.6 else float(rng.uniform(0.5, 0.95)))
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
