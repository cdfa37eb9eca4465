"""What the things on a page are made of: free places, colours, words and boxes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from train.synth.palette import Colour, Picture

Box = tuple[float, float, float, float]
_Rng = np.random.Generator

_COVERED_SHARE = 0.06  # how much of a gap or piece an opaque thing may hide
_PLACE_TRIES = 8
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX_SMALL,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
_LETTERS = "ABCDEFGHIKLMNOPRSTUVWXYZabcdefghiklmnoprstuvwxyz0123456789"


def covers(box: Box, avoid: Sequence[Box], share: float = _COVERED_SHARE) -> bool:
    """Whether `box` hides more than `share` of any box to avoid (all x0, y0, x1, y1)."""
    for x0, y0, x1, y1 in avoid:
        wide = max(0.0, min(x1, box[2]) - max(x0, box[0]))
        tall = max(0.0, min(y1, box[3]) - max(y0, box[1]))
        if wide * tall > share * max(1.0, (x1 - x0) * (y1 - y0)):
            return True
    return False


def find_place(
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
        if not covers((left, top, left + size[0], top + size[1]), avoid):
            return left, top
    return None


def random_colour(rng: _Rng) -> Colour:
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


def random_words(rng: _Rng, longest: int) -> str:
    """Random letters in word lengths: no language to learn."""
    letters = [_LETTERS[index] for index in rng.integers(0, len(_LETTERS), longest)]
    for index in range(int(rng.integers(2, 8)), longest - 1, int(rng.integers(4, 10))):
        letters[index] = " "
    return "".join(letters)


def write(
    rng: _Rng, picture: Picture, text: str, scale: float, place: tuple[int, int], colour: Colour
) -> None:
    """Text with its lower left corner at `place`, sometimes with a contrasting rim."""
    font = FONTS[rng.integers(len(FONTS))]
    thickness = 1 if scale < 0.6 else int(rng.integers(1, 4))
    if rng.random() < 0.25:
        rim = (0, 0, 0) if sum(colour) > 380 else (255, 255, 255)
        cv2.putText(picture, text, place, font, scale, rim, thickness + 2, cv2.LINE_AA)
    cv2.putText(picture, text, place, font, scale, colour, thickness, cv2.LINE_AA)


def rounded_box(
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


def mix(picture: Picture, layer: Picture, share: float) -> None:
    """Lay `layer` over the picture, in place, with opacity `share`."""
    cv2.addWeighted(layer, share, picture, 1 - share, 0, dst=picture)
