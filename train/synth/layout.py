"""Where gap, piece and decoys lie: the geometry of one picture, before any pixel is painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from train.synth.families import draw_family
from train.synth.sample import SynthOptions
from train.synth.shapes import Outline, draw_outline, happens, has_defined_angle, overlap, turn

Point = npt.NDArray[np.float64]
_TRIES = 12


@dataclass(frozen=True)
class Decoy:
    """A gap that is not the gap: its outline in picture pixels and its strength (0..1)."""

    outline_picture_xy: Outline
    strength: float


@dataclass(frozen=True)
class Layout:
    """Outlines are f64 [N, 2] in pixels around their anchor; anchors are picture coordinates."""

    shape: str
    size_px: float
    piece_outline: Outline
    gap_outline: Outline
    slider_xy: Point
    gap_xy: Point
    angle_deg: float
    angle_defined: bool
    decoys: tuple[Decoy, ...]
    ambiguous: bool

    @property
    def gap_picture_xy(self) -> Outline:
        """The gap's outline where it lies."""
        return self.gap_outline + self.gap_xy

    @property
    def slider_picture_xy(self) -> Outline:
        """The piece's outline where it lies."""
        return self.piece_outline + self.slider_xy


def draw_layout(
    rng: np.random.Generator, width: int, height: int, options: SynthOptions, has_both: bool
) -> Layout:
    """Draw shape, size, turn and places for a width x height picture.

    Args:
        has_both: whether gap and piece are both shown; decoys need both to be told from the gap.
    """
    shape = draw_family(rng, "shape", options.leave_out, options.require)
    low, high = options.piece_height
    size = height * (low * (high / low) ** rng.beta(1.4, 1.2))  # log scale, both ends frequent
    unit = draw_outline(rng, shape, options.deep_blank_probability)
    rotated = rng.random() < options.rotation_probability
    limit = options.max_rotation_deg
    angle = float(rng.uniform(-limit, limit)) if rotated else 0.0
    piece, gap = unit * size, turn(unit, angle) * size
    gap_xy, slider_xy = _place(rng, width, height, piece, gap, options)
    boxes = [_box(gap + gap_xy), _box(piece + slider_xy)]
    ambiguous = has_both and rng.random() < options.ambiguous_probability
    decoys: list[Decoy] = []
    if ambiguous:
        twin = _place_decoy(rng, width, height, gap, boxes, row_y=gap_xy[1])
        ambiguous = twin is not None
        decoys += [] if twin is None else [Decoy(twin, 1.0)]
    elif has_both and rng.random() < options.decoy_probability:
        decoys = _decoys(rng, width, height, unit, gap, gap_xy, boxes, options)
    return Layout(
        shape=shape,
        size_px=float(size),
        piece_outline=piece,
        gap_outline=gap,
        slider_xy=slider_xy,
        gap_xy=gap_xy,
        angle_deg=angle,
        angle_defined=has_defined_angle(unit),
        decoys=tuple(decoys),
        ambiguous=ambiguous,
    )


def _box(outline: Outline) -> npt.NDArray[np.float64]:
    """Tight box as (x0, y0, x1, y1)."""
    return np.concatenate([outline.min(axis=0), outline.max(axis=0)])


def _range(outline: Outline, width: int, height: int) -> tuple[Point, Point]:
    """Lowest and highest anchor that keep an outline inside the picture."""
    low = -outline.min(axis=0)
    high = np.array([width - 1.0, height - 1.0]) - outline.max(axis=0)
    return low, np.maximum(low, high)


def _place(
    rng: np.random.Generator,
    width: int,
    height: int,
    piece: Outline,
    gap: Outline,
    options: SynthOptions,
) -> tuple[Point, Point]:
    """Anchors of gap and piece on one row: the piece partly over the gap, or else at the left edge
    (five of nine) or anywhere on its row."""
    gap_low, gap_high = _range(gap, width, height)
    low, high = _range(piece, width, height)
    bottom, top = max(gap_low[1], low[1]), min(gap_high[1], high[1])
    y = rng.uniform(bottom, max(bottom, top))
    if rng.random() < 0.04:
        y = rng.choice([bottom, max(bottom, top)])
    apart = (np.ptp(piece[:, 0]) + np.ptp(gap[:, 0])) / 2
    over, right = options.overlapping_probability, options.right_probability
    mode = rng.choice(3, p=[(1 - over) * 5 / 9, (1 - over) * 4 / 9, over])
    flush = mode == 0 and happens(rng, options.flush_probability)
    start = low[0] - 0.5 if flush else low[0]  # the border of the leftmost pixels, or their middle
    for _ in range(_TRIES):
        gap_x = rng.uniform(gap_low[0], gap_high[0])
        if mode == 0:
            slider_x = start if flush else low[0] + rng.exponential(0.02 * width)
        elif mode == 1:
            far = high[0] if rng.random() < right else max(low[0], gap_x)
            slider_x = rng.uniform(low[0], far)
        else:
            side = rng.choice([-1, 1], p=[1 - right, right])
            slider_x = gap_x + side * apart * rng.uniform(0.5, 0.95)
        inside = start <= slider_x <= high[0]
        if inside and (mode == 2 or abs(gap_x - slider_x) >= apart):
            break
    else:
        gap_x, slider_x = gap_high[0], start
    if rng.random() < 0.03:
        gap_x = gap_high[0] if gap_x > slider_x else gap_low[0]
    if rng.random() < 0.7:  # most puzzles move their piece by whole pixels
        travel = np.floor(gap_x - slider_x)
        gap_x, slider_x = (start + travel, start) if flush else (gap_x, gap_x - travel)
    slider_y = y
    if rng.random() < 0.08:  # rows that do not quite agree
        slider_y = np.clip(y + rng.uniform(-2, 2), low[1], high[1])
    return np.array([gap_x, y]), np.array([np.clip(slider_x, start, high[0]), slider_y])


def _decoys(
    rng: np.random.Generator,
    width: int,
    height: int,
    unit: Outline,
    gap: Outline,
    gap_xy: Point,
    boxes: list[npt.NDArray[np.float64]],
    options: SynthOptions,
) -> list[Decoy]:
    """One to three decoys: same or another shape, on the gap's row or elsewhere. Each differs
    from the gap in at least one thing: row, shape, or (same row, same shape) a weaker look."""
    decoys = []
    for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])):
        same_row, same_shape = bool(rng.random() < 0.45), bool(rng.random() < 0.45)
        outline = gap if same_shape else other_shape(rng, unit, gap, options)
        weak = same_row and same_shape
        strength = rng.uniform(0.3, 0.6) if weak else rng.uniform(0.6, 1.0)
        row_y = gap_xy[1] if same_row else None
        placed = _place_decoy(rng, width, height, outline, boxes, row_y)
        if placed is not None and (same_row or _off_row(placed, gap + gap_xy)):
            decoys.append(Decoy(placed, float(strength)))
    return decoys


def other_shape(
    rng: np.random.Generator, unit: Outline, gap: Outline, options: SynthOptions
) -> Outline:
    """An outline about as large as the gap that nobody takes for it (IoU below 0.8)."""
    size = float(np.ptp(gap, axis=0).max())
    for _ in range(_TRIES):
        shape = draw_family(rng, "shape", options.leave_out, options.require)
        other = draw_outline(rng, shape, options.deep_blank_probability)
        if overlap(other, unit) < 0.8:
            return other * size * rng.uniform(0.8, 1.2)
    return gap * 0.6  # shapes as alike as circles: another size tells them apart


def _place_decoy(
    rng: np.random.Generator,
    width: int,
    height: int,
    outline: Outline,
    boxes: list[npt.NDArray[np.float64]],
    row_y: float | None,
) -> Outline | None:
    """A free place for a decoy (its box is added to `boxes`), or None if none was found."""
    low, high = _range(outline, width, height)
    for _ in range(_TRIES):
        x = rng.uniform(low[0], high[0])
        y = rng.uniform(low[1], high[1]) if row_y is None else np.clip(row_y, low[1], high[1])
        placed = outline + np.array([x, y])
        box = _box(placed)
        if not any(_meet(box, other) for other in boxes):
            boxes.append(box)
            return placed
    return None


def _meet(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> bool:
    return bool(np.all(a[:2] < b[2:] + 2) and np.all(b[:2] < a[2:] + 2))


def _off_row(decoy: Outline, gap: Outline) -> bool:
    """Whether a decoy lies clearly on another row than the gap."""
    a, b = _box(decoy), _box(gap)
    distance = abs((a[1] + a[3]) - (b[1] + b[3])) / 2
    return bool(distance >= max(8.0, 0.3 * (b[3] - b[1])))
