"""Marks the two points of a `Location` on a copy of its picture."""

from __future__ import annotations

import cv2

from runtime.errors import InputError
from runtime.geometry import Picture
from runtime.picture import ChannelOrder, PictureSource, load
from runtime.result import Keypoint, Location

# Blue and orange (BGR) stay apart for colour-blind eyes, as do the shapes + and x; the black and
# white rims keep both visible on any background.
_GAP_BGR = (0, 140, 255)
_SLIDER_BGR = (255, 90, 0)
_BLACK = (0, 0, 0)
_WHITE = (255, 255, 255)
_UPRIGHT = ((1.0, 0.0), (0.0, 1.0))
_DIAGONAL = ((0.75, 0.75), (0.75, -0.75))
_FRACTION_BITS = 4  # cv2 takes coordinates in sixteenths of a pixel
_FONT = cv2.FONT_HERSHEY_SIMPLEX

Directions = tuple[tuple[float, float], ...]
Colour = tuple[int, int, int]


def draw_location(
    location: Location, picture: PictureSource, channel_order: ChannelOrder
) -> Picture:
    """See `Location.draw`."""
    image = load(picture, channel_order).copy()
    height, width = image.shape[:2]
    if (width, height) != (location.picture_width, location.picture_height):
        expected = f"{location.picture_width} x {location.picture_height}"
        raise InputError(
            f"this location is for a picture of {expected} pixels, got one of {width} x {height}: "
            "draw on the very picture that was located"
        )
    unit = max(
        1.0, min(width, 2 * height) / 300
    )  # line width: 1 px on small pictures, then growing
    _cross(image, location.slider, _DIAGONAL, _SLIDER_BGR, unit)
    _cross(image, location.gap, _UPRIGHT, _GAP_BGR, unit)
    # One label above its point and one below, so that they stay apart where the points are close.
    _label(image, f"slider {location.slider.score:.2f}", location.slider, 1, _SLIDER_BGR, unit)
    _label(image, f"gap {location.gap.score:.2f}", location.gap, -1, _GAP_BGR, unit)
    return image


def _cross(
    image: Picture, point: Keypoint, directions: Directions, colour: Colour, unit: float
) -> None:
    arm = 8 * unit
    for ink, thickness in ((_BLACK, 5 * unit), (_WHITE, 3 * unit), (colour, 1.5 * unit)):
        for dx, dy in directions:
            start = _fixed(point.x - dx * arm, point.y - dy * arm)
            end = _fixed(point.x + dx * arm, point.y + dy * arm)
            width = max(1, round(thickness))
            cv2.line(image, start, end, ink, width, cv2.LINE_AA, _FRACTION_BITS)


def _fixed(x: float, y: float) -> tuple[int, int]:
    scale = 1 << _FRACTION_BITS
    return round(x * scale), round(y * scale)


def _label(
    image: Picture, text: str, point: Keypoint, side: int, colour: Colour, unit: float
) -> None:
    height, width = image.shape[:2]
    scale, pad = 0.35 * unit, round(2 * unit)
    (text_width, text_height), below = cv2.getTextSize(text, _FONT, scale, 1)
    box_width, box_height = text_width + 2 * pad, text_height + below + 2 * pad
    middle = point.y + side * (11 * unit + box_height / 2)
    if not box_height / 2 <= middle <= height - box_height / 2:
        # It would be pushed over the cross: to the other side, past the other point's label.
        middle = point.y - side * (11 * unit + 1.5 * box_height)
    left = _clamp(point.x - box_width / 2, width - box_width)
    top = _clamp(middle - box_height / 2, height - box_height)
    corner = (left + box_width - 1, top + box_height - 1)
    cv2.rectangle(image, (left, top), corner, _BLACK, cv2.FILLED)
    cv2.rectangle(image, (left, top), corner, colour, max(1, round(unit / 2)))
    base = (left + pad, top + pad + text_height)
    cv2.putText(image, text, base, _FONT, scale, _WHITE, max(1, round(unit / 2)), cv2.LINE_AA)


def _clamp(value: float, largest: int) -> int:
    return round(max(0, min(value, largest)))
