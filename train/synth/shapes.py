"""Outlines of puzzle pieces: closed polygons, one function per shape family.

An outline is f64 [N, 2] (x right, y down). `draw_outline` scales it so that the longer side of
its tight box is 1 and puts that box's centre, the anchor of SPEC's truth, at the origin.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Outline = npt.NDArray[np.float64]

_SHALLOW = 0.22  # of a body of size 1: blanks on all sides do not meet in its middle


def draw_outline(
    rng: np.random.Generator, family: str, deep_blank_probability: float = 0.0
) -> Outline:
    """A random outline of a family, turned and stretched now and then.

    Args:
        deep_blank_probability: of jigsaw pieces whose blanks take in such a tab as their own.

    Returns:
        f64 [N, 2], the tight box centred on the origin, its longer side 1.
    """
    jigsaw = family.startswith("jigsaw")
    deep = jigsaw and happens(rng, deep_blank_probability)
    outline = _jigsaw(rng, _TABS[family], deep) if jigsaw else _MAKERS[family](rng)
    if rng.random() < (0.12 if jigsaw else 0.4):
        outline = turn(outline, rng.uniform(-180, 180))
    if not jigsaw and rng.random() < 0.25:
        outline = outline * [rng.uniform(0.75, 1.0), 1.0]
    if rng.random() < 0.25:
        outline = _cut_corners(_normalised(outline), reach=rng.uniform(0.04, 0.2))
    return _normalised(outline)


def happens(rng: np.random.Generator, probability: float) -> bool:
    """Draws only where something may happen: what never does leaves the stream as it was."""
    return probability > 0 and bool(rng.random() < probability)


def turn(outline: Outline, angle_deg: float) -> Outline:
    """Turn about the origin, anticlockwise as seen (y points down)."""
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return outline @ np.array([[cos, -sin], [sin, cos]])


def has_defined_angle(outline: Outline) -> bool:
    """Whether no turn within +-90 degrees maps the outline (nearly) onto itself.

    Gaps are turned by at most 45 degrees, so two answers differ by at most 90; a shape that some
    turn in that range leaves as it was has no defined angle.
    """
    moments = cv2.moments(outline.astype(np.float32))
    centroid = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    outline = outline - centroid  # a symmetric shape turns onto itself about its centroid
    reference = _silhouette(outline)
    for angle_deg in (20, 30, 36, 45, 51.4, 60, 72, 90):
        turned = _silhouette(turn(outline, angle_deg))
        union = np.count_nonzero(reference | turned)
        if np.count_nonzero(reference & turned) >= 0.9 * union:
            return False
    return True


def overlap(first: Outline, second: Outline) -> float:
    """IoU of two normalised outlines laid anchor on anchor."""
    a, b = _silhouette(first), _silhouette(second)
    return float(np.count_nonzero(a & b) / np.count_nonzero(a | b))


def _silhouette(outline: Outline) -> npt.NDArray[np.uint8]:
    mask = np.zeros((64, 64), np.uint8)
    # Fixed-point vertices (1/16 px); a unit outline spans 40 of the 64 cells, so turns fit.
    cv2.fillPoly(mask, [np.rint((outline * 40 + 31.5) * 16).astype(np.int32)], 1, shift=4)
    return mask


def _normalised(outline: Outline) -> Outline:
    low, high = outline.min(axis=0), outline.max(axis=0)
    return (outline - (low + high) / 2) / (high - low).max()


def _cut_corners(outline: Outline, reach: float) -> Outline:
    """Two rounds of Chaikin's corner cutting (Chaikin 1974), on edges split to length `reach` so
    that long edges do not lose more than short ones."""
    parts = []
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        pieces = max(1, int(np.hypot(*(end - start)) / reach))
        parts.append(start + (end - start) * (np.arange(pieces) / pieces)[:, None])
    points = np.vstack(parts)
    for _ in range(2):
        following = np.roll(points, -1, axis=0)
        pair = [0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following]
        points = np.stack(pair, axis=1).reshape(-1, 2)
    return points


# --- jigsaw pieces -------------------------------------------------------------------------------


def _jigsaw(
    rng: np.random.Generator,
    tab: Callable[[np.random.Generator, float, float], Outline],
    deep: bool,
) -> Outline:
    """A rectangle whose sides are each flat, a tab or a blank.

    `tab(rng, reach, side)` gives the side's profile as points (along, outwards) for a tab that
    reaches outwards by `reach` from a side of that length. Blanks are shallow unless `deep`.
    """
    width, height = 1.0, rng.choice([1.0, rng.uniform(0.75, 1.33)], p=[0.7, 0.3])
    size = rng.uniform(0.10, 0.55)  # how far tabs reach, against the shorter side: small to huge
    alike = rng.random() < 0.7  # all tabs of a piece are usually alike
    lengths = (width, height, width, height)
    kinds = _side_kinds(rng)
    deepest = _deepest_blank(kinds) if deep else _SHALLOW
    sides = []
    for length, kind in zip(lengths, kinds, strict=True):
        reach = size * min(width, height) * (1.0 if alike else rng.uniform(0.6, 1.1))
        if kind == 0:
            profile = np.empty((0, 2))
        else:
            profile = tab(rng, reach if kind > 0 else min(reach, deepest), length)
        sides.append(np.vstack([[[0.0, 0.0]], profile * [1.0, kind]]))
    top, right, bottom, left = sides
    return np.vstack(
        [
            top * [1, -1],
            right[:, ::-1] * [1, 1] + [width, 0],
            bottom * [-1, 1] + [width, height],
            left[:, ::-1] * [-1, -1] + [0, height],
        ]
    )


def _side_kinds(rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """1 = tab, -1 = blank, 0 = flat, for each side; at least one is not flat."""
    kinds = rng.integers(-1, 2, size=4)
    if not kinds.any():
        kinds[rng.integers(4)] = rng.choice([-1, 1])
    return kinds


def _deepest_blank(kinds: npt.NDArray[np.int64]) -> float:
    """How far the blanks of a body of size 1 may reach without meeting in its middle."""
    return (0.45, 0.45, 0.3, _SHALLOW, _SHALLOW)[np.count_nonzero(kinds == -1)]


def _tab_centre(rng: np.random.Generator, half_width: float, side: float) -> float:
    centre = side / 2
    if rng.random() < 0.3:
        centre += rng.uniform(-0.25, 0.25) * side
    return float(np.clip(centre, half_width + 0.02, max(side - half_width - 0.02, side / 2)))


def _round_tab(rng: np.random.Generator, reach: float, side: float) -> Outline:
    neck = rng.uniform(0.0, 0.8)  # 0: half a disc, towards 1: a disc on a narrow neck
    radius = min(reach / (1 + neck), 0.45 * side)
    dip = np.arcsin(neck)
    angles = np.linspace(np.pi + dip, -dip, 20)
    centre = _tab_centre(rng, radius, side)
    return np.stack([centre + radius * np.cos(angles), radius * (neck + np.sin(angles))], axis=1)


def _square_tab(rng: np.random.Generator, reach: float, side: float) -> Outline:
    half = min(rng.uniform(0.5, 1.1) * reach, 0.4 * side)
    end = half * rng.choice([1.0, rng.uniform(0.0, 1.3)])  # straight, tapered, pointed, dovetail
    end = min(end, 0.45 * side)
    centre = _tab_centre(rng, max(half, end), side)
    return np.array(
        [[centre - half, 0], [centre - end, reach], [centre + end, reach], [centre + half, 0]]
    )


# --- the other families --------------------------------------------------------------------------


def _polar(angles: Outline, radii: Outline | float) -> Outline:
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _circle(rng: np.random.Generator) -> Outline:
    return _polar(np.linspace(0, 2 * np.pi, 64, endpoint=False), 1.0)


def _polygon(rng: np.random.Generator) -> Outline:
    if rng.random() < 0.6:
        corners = int(rng.integers(5, 9))
        start = -np.pi / 2
        return _polar(start + np.arange(corners) * 2 * np.pi / corners, 1.0)
    slant, top = rng.uniform(-0.5, 0.5), rng.uniform(0.4, 1.2)  # trapezia and parallelograms
    return np.array([[slant - top, -0.8], [slant + top, -0.8], [1.0, 0.8], [-1.0, 0.8]])


def _star(rng: np.random.Generator) -> Outline:
    points = int(rng.integers(4, 9))
    angles = -np.pi / 2 + np.arange(2 * points) * np.pi / points
    return _polar(angles, np.tile([1.0, rng.uniform(0.4, 0.75)], points))


def _heart(rng: np.random.Generator) -> Outline:
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    dent = rng.uniform(4.0, 6.5)
    y = 13 * np.cos(t) - dent * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, -y], axis=1)


def _cross(rng: np.random.Generator) -> Outline:
    a = rng.uniform(0.2, 0.5)
    b = a if rng.random() < 0.6 else rng.uniform(0.2, 0.5)
    quarter = np.array([[a, -1.0], [a, -b], [1.0, -b]])
    parts = [quarter, quarter[::-1] * [1, -1], quarter * [-1, -1], quarter[::-1] * [-1, 1]]
    return np.vstack(parts)


def _rounded_square(rng: np.random.Generator) -> Outline:
    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    power = 2 / rng.uniform(3, 14)  # superellipse: from nearly round to nearly square
    x, y = np.cos(t), np.sin(t)
    points = np.stack([np.sign(x) * np.abs(x) ** power, np.sign(y) * np.abs(y) ** power], axis=1)
    return points * [1.0, rng.choice([1.0, rng.uniform(0.6, 1.4)])]


def _triangle(rng: np.random.Generator) -> Outline:
    apex = 0.0 if rng.random() < 0.6 else rng.uniform(-1, 1)
    height = rng.uniform(1.2, 2.0)
    flip = rng.choice([-1, 1])
    return np.array([[-1.0, 0.0], [1.0, 0.0], [apex, -height]]) * [1, flip]


def _blob(rng: np.random.Generator) -> Outline:
    t = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    radii = np.ones_like(t)
    for k in range(2, 7):
        radii += rng.uniform(0, 0.5 / k) * np.cos(k * t + rng.uniform(0, 2 * np.pi))
    return _polar(t, radii)


def _emblem(rng: np.random.Generator) -> Outline:
    return [_drop, _moon, _arrow, _shield][rng.integers(4)](rng)


def _drop(rng: np.random.Generator) -> Outline:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    sharpness = rng.uniform(1.0, 2.5)
    return np.stack([0.75 * np.sin(t) * np.sin(t / 2) ** sharpness, -np.cos(t)], axis=1)


def _moon(rng: np.random.Generator) -> Outline:
    bite = rng.uniform(0.35, 0.8)
    t = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 32)
    outer = _polar(t, 1.0)
    inner = outer[::-1] * [1 - bite, 1.0]
    return np.vstack([outer, inner[1:-1]]) * [rng.choice([-1, 1]), 1]


def _arrow(rng: np.random.Generator) -> Outline:
    stem, head = rng.uniform(0.25, 0.5), rng.uniform(-0.2, 0.3)
    upper = np.array([[-1, -stem], [head, -stem], [head, -0.9], [1, 0]])
    return np.vstack([upper, upper[2::-1] * [1, -1]])


def _shield(rng: np.random.Generator) -> Outline:
    t = np.linspace(0, np.pi, 24)
    body = np.stack([np.cos(t), 1.3 * np.sin(t) ** rng.uniform(0.7, 1.3)], axis=1)
    return np.vstack([body, [[-1.0, -0.6], [0.0, -rng.uniform(0.4, 0.9)], [1.0, -0.6]]])


_TABS = {"jigsaw-round": _round_tab, "jigsaw-square": _square_tab}
_MAKERS: dict[str, Callable[[np.random.Generator], Outline]] = {
    "circle": _circle,
    "polygon": _polygon,
    "star": _star,
    "heart": _heart,
    "cross": _cross,
    "rounded-square": _rounded_square,
    "triangle": _triangle,
    "blob": _blob,
    "emblem": _emblem,
}
