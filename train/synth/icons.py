"""Icons as pages show them: refresh arrow, cross, loudspeaker, cog, tick, letter in a ring."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from train.synth.drawing import FONTS, random_colour
from train.synth.palette import Colour, Picture

_Rng = np.random.Generator


@dataclass(frozen=True)
class _Pen:
    """Where, how large and in what ink an icon is drawn; sizes in px."""

    centre: tuple[int, int]
    size: int
    line: int
    colour: Colour

    @property
    def half(self) -> int:
        return self.size // 2

    @property
    def inner(self) -> int:
        """Half the size less the line: strokes centred here stay inside the icon."""
        return max(2, self.half - self.line)


def _refresh(rng: _Rng, picture: Picture, pen: _Pen) -> None:
    (x, y), inner = pen.centre, pen.inner
    start = int(rng.integers(0, 360))
    arc = (inner, inner)
    cv2.ellipse(picture, pen.centre, arc, start, 0, 290, pen.colour, pen.line, cv2.LINE_AA)
    tip = math.radians(start + 290)
    end = np.array((x + inner * math.cos(tip), y + inner * math.sin(tip)))
    angles = tip + np.array((0.35, 2.4, -1.2))
    head = end + pen.size * 0.24 * np.column_stack((np.cos(angles), np.sin(angles)))
    cv2.fillConvexPoly(picture, head.astype(np.int32), pen.colour, cv2.LINE_AA)


def _cross(rng: _Rng, picture: Picture, pen: _Pen) -> None:
    (x, y), arm = pen.centre, int(pen.inner * 0.8)
    for rise in (arm, -arm):
        ends = (x - arm, y - rise), (x + arm, y + rise)
        cv2.line(picture, *ends, pen.colour, pen.line, cv2.LINE_AA)


def _loudspeaker(rng: _Rng, picture: Picture, pen: _Pen) -> None:
    half, q = pen.half, max(1, pen.half // 3)
    body = np.array(((-half, -q), (-q, -q), (q, -half), (q, half), (-q, q), (-half, q)))
    cv2.fillPoly(picture, [body + pen.centre], pen.colour, cv2.LINE_AA)
    spot = (pen.centre[0] + q, pen.centre[1])
    for radius in (q + 2, 2 * q + 2):
        arc = (radius, radius)
        cv2.ellipse(picture, spot, arc, 0, -50, 50, pen.colour, pen.line, cv2.LINE_AA)


def _cog(rng: _Rng, picture: Picture, pen: _Pen) -> None:
    turn = np.arange(32) * (math.pi / 16)
    reach = np.where(np.arange(32) // 2 % 2 == 0, pen.half, pen.half * 0.72)
    teeth = np.column_stack((np.cos(turn), np.sin(turn))) * reach[:, None] + pen.centre
    cv2.fillPoly(picture, [teeth.astype(np.int32)], pen.colour, cv2.LINE_AA)
    hub = max(1, pen.half // 3)
    cv2.circle(picture, pen.centre, hub, random_colour(rng), -1, cv2.LINE_AA)


def _tick(rng: _Rng, picture: Picture, pen: _Pen) -> None:
    inner = pen.inner
    tick = np.array(((-inner, 0), (-inner // 3, inner * 2 // 3), (inner, -inner * 2 // 3)))
    cv2.polylines(picture, [tick + pen.centre], False, pen.colour, pen.line, cv2.LINE_AA)


def _letter(rng: _Rng, picture: Picture, pen: _Pen) -> None:
    (x, y), size = pen.centre, pen.size
    cv2.circle(picture, pen.centre, pen.inner, pen.colour, pen.line, cv2.LINE_AA)
    letter = "i?!"[rng.integers(3)]
    spot = (x - size // 8, y + size // 5)
    cv2.putText(picture, letter, spot, FONTS[0], size / 45, pen.colour, pen.line, cv2.LINE_AA)


_ICONS: tuple[Callable[[_Rng, Picture, _Pen], None], ...] = (
    _refresh,
    _cross,
    _loudspeaker,
    _cog,
    _tick,
    _letter,
)


def draw_icon(rng: _Rng, picture: Picture, centre: tuple[int, int], size: int) -> None:
    """One random icon of about `size` px around `centre` (x, y), on u8 BGR [H, W, 3] in place."""
    colour = random_colour(rng)
    line = max(1, round(size * rng.uniform(0.06, 0.16)))
    draw = _ICONS[rng.integers(len(_ICONS))]
    draw(rng, picture, _Pen(centre, size, line, colour))
