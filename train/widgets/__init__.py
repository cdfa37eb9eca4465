"""Puzzles as sliders commonly draw them, by code that shares nothing with the generator but the
backgrounds: what a network makes of pictures that somebody else drew.

Nothing is trained on them. The piece starts at the left edge or near it, on its gap's row, and goes
by whole pixels; nothing is turned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from train.synth import Backgrounds, Sample
from train.synth.background import choose_background
from train.widgets.cuts import POLYGONS, WITH_ANGLE, Cut
from train.widgets.layers import (
    BLACK,
    PALE,
    WHITE,
    Layer,
    Picture,
    Rng,
    blurred,
    fill,
    greyed,
    laid,
    line,
    shade,
)

# Raised whenever a change alters the pictures of a seed.
WIDGETS_VERSION = 1

_DECOY_TRIES = 40
_DECOY_ALPHA = 0.28
_APART_PX = 6  # between a decoy and the gap


@dataclass(frozen=True)
class Look:
    """How one kind of puzzle is drawn.

    size_px: (width, height); side_px: range of the shape's body.
    gap: layers over the picture. under, over: layers below and above the piece.
    start_px: the piece's left side lies up to so far from the picture's.
    decoy: whether a fainter gap of another outline lies elsewhere.
    """

    size_px: tuple[int, int]
    side_px: tuple[float, float]
    shapes: tuple[str, ...]
    gap: tuple[Layer, ...]
    under: tuple[Layer, ...] = ()
    over: tuple[Layer, ...] = ()
    start_px: int = 11
    decoy: bool = False


_SUNKEN = (fill(BLACK, 0.4, 0.65), shade(4, BLACK, 0.9, inside=True))
_RAISED = (shade(4, BLACK, 0.6, inside=False),)
_ANY = tuple(POLYGONS)
LOOKS: Mapping[str, Look] = {
    "white": Look(
        (310, 155), (40, 46), ("canvas-jigsaw",),
        gap=(fill(WHITE, 0.6, 0.75), line(1, WHITE, 0.7)), over=(line(1, WHITE, 0.7),),
        start_px=0,
    ),
    "sunken": Look(
        (552, 344), (70, 86), ("jigsaw",), gap=_SUNKEN, under=_RAISED, over=(line(2, WHITE, 0.8),)
    ),
    "small": Look((260, 160), (38, 48), ("jigsaw",), gap=_SUNKEN, under=_RAISED),
    "blurred": Look(
        (310, 155), (40, 50), ("jigsaw", "canvas-jigsaw"),
        gap=(blurred(5, 0.85), line(1, WHITE, 0.4)), over=(line(1, WHITE, 0.7),),
    ),
    "large": Look(
        (672, 390), (90, 115), ("jigsaw",),
        gap=(fill(BLACK, 0.5, 0.6), line(2, WHITE, 0.6)),
        under=_RAISED, over=(line(2, WHITE, 0.8),),
    ),
    "glowing": Look(
        (600, 360), (70, 110), _ANY,
        gap=(fill(BLACK, 0.4, 0.55), line(2, WHITE, 0.5)),
        under=(shade(3, WHITE, 1.0, inside=False),), over=(line(1, PALE, 0.9),),
    ),
    "decoy": Look(
        (340, 190), (44, 56), ("jigsaw",), gap=_SUNKEN, over=(line(1, WHITE, 0.7),), decoy=True
    ),
    "grey": Look(
        (400, 200), (44, 60), ("jigsaw", "circle", "hexagon"),
        gap=(greyed(0.7),), over=(line(1, PALE, 0.9),),
    ),
    "outlined": Look(
        (480, 270), (60, 80), ("jigsaw", "shield", "hexagon"),
        gap=(fill(BLACK, 0.3, 0.4), line(1, WHITE, 0.8, outside=True)),
        over=(line(2, WHITE, 0.8),),
    ),
}  # fmt: skip


def widget(seed: int, index: int, photographs: Backgrounds | None) -> Sample:
    """Picture number `index` of the stream `seed`; the looks take turns.

    seed, index: non-negative; every pair is an independent picture, the same in any process.
    photographs: to paint on; procedural backgrounds without.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))
    name = list(LOOKS)[index % len(LOOKS)]
    look = LOOKS[name]
    width, height = look.size_px
    plain, _ = choose_background(rng, width, height, photographs, photo_probability=1.0)
    shape = str(rng.choice(look.shapes))
    cut = Cut.draw(rng, shape, float(rng.uniform(*look.side_px)))
    tall, wide = cut.mask.shape
    start = int(rng.integers(look.start_px + 1))
    x, y = int(rng.integers(start + wide + 4, width - wide)), int(rng.integers(height - tall + 1))
    drawn = plain
    if look.decoy:
        drawn = _with_decoy(rng, drawn, look, (x, y), (wide, tall))
    for layer in look.gap:
        drawn = layer(rng, drawn, cut.placed(plain, x, y))
    at_start = cut.placed(plain, start, y)
    for layer in look.under:
        drawn = layer(rng, drawn, at_start)
    content = np.roll(plain, start - x, axis=1)  # of the gap's place, where the piece is
    drawn = laid(drawn, at_start, content)
    for layer in look.over:
        drawn = layer(rng, drawn, at_start)
    return Sample(
        picture=_compressed(rng, drawn),
        gap_picture_xy=cut.anchor(x, y),
        slider_picture_xy=cut.anchor(start, y),
        angle_deg=0.0 if shape in WITH_ANGLE else None,
        difficulty="confusing" if look.decoy else "normal",
        families={"shape": shape, "look": name},
        piece_size_px=max(cut.width_px, cut.height_px),
    )


def _with_decoy(
    rng: Rng, picture: Picture, look: Look, gap_xy: tuple[int, int], gap_size: tuple[int, int]
) -> Picture:
    """A fainter gap beside, above or below the gap, if there is room for one."""
    other = Cut.draw(rng, str(rng.choice(look.shapes)), 0.9 * float(rng.uniform(*look.side_px)))
    tall, wide = other.mask.shape
    height, width = picture.shape[:2]
    for _ in range(_DECOY_TRIES):
        x, y = int(rng.integers(wide, width - wide)), int(rng.integers(height - tall))
        apart = [abs(x - gap_xy[0]) - gap_size[0], abs(y - gap_xy[1]) - gap_size[1]]
        if max(apart) > _APART_PX:
            return laid(picture, other.placed(picture, x, y) * _DECOY_ALPHA, BLACK)
    return picture


def _compressed(rng: Rng, picture: Picture) -> Picture:
    """Half of the pictures have gone through JPEG."""
    if rng.random() < 0.5:
        return picture
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
    encoded = cv2.imencode(".jpg", picture, quality)[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
