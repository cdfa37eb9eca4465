"""What of a picture the network looks at, and how its answers get back into the picture."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from runtime.errors import InputError
from runtime.geometry import FloatArray, Letterbox, Picture

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Roi: TypeAlias = tuple[int, int, int, int]

# Canvas pixels per picture pixel below which the picture is hardly a puzzle alone: the largest of
# those the network learnt from are laid on the canvas at almost half of their size.
_SMALL_SCALE = 0.4


class PictureSizeWarning(UserWarning):
    """The picture is much larger than a puzzle: what is in it may be too small to be found."""


@dataclass(frozen=True)
class View:
    """A part of a picture, seen whole by the network.

    picture_width, picture_height: the whole picture's size, pixels.
    left, top, width, height: the part, in picture pixels.
    """

    picture_width: int
    picture_height: int
    left: int
    top: int
    width: int
    height: int

    @classmethod
    @lru_cache(maxsize=64)  # what follows from a size is worked out once
    def whole(cls, width: int, height: int) -> View:
        """All of a picture of that size, pixels."""
        return cls(width, height, 0, 0, width, height)

    @classmethod
    def of(cls, picture: Picture, roi: Roi | None) -> View:
        """The view of a picture [H, W, 3] through roi (x, y, w, h), or of all of it.

        Raises InputError for a roi that is none or does not lie within the picture.
        """
        height, width = picture.shape[:2]
        if roi is None:
            return cls.whole(width, height)
        try:
            left, top, roi_width, roi_height = map(operator.index, roi)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"expected roi=(x, y, width, height) in whole pixels, got {roi!r}"
            ) from error
        inside = left >= 0 and top >= 0 and left + roi_width <= width and top + roi_height <= height
        if not inside or roi_width < 1 or roi_height < 1:
            raise InputError(
                f"the roi (x {left}, y {top}, width {roi_width}, height {roi_height}) does not lie "
                f"within the picture of {width} x {height} pixels"
            )
        return cls(width, height, left, top, roi_width, roi_height)

    @cached_property
    def letterbox(self) -> Letterbox:
        """How the part is laid on the canvas."""
        return Letterbox(picture_width=self.width, picture_height=self.height)

    def render(self, picture: Picture, out: Picture) -> None:
        """Draw the part of the picture on a canvas; see `Letterbox.render`."""
        part = picture[self.top : self.top + self.height, self.left : self.left + self.width]
        self.letterbox.render(part, out=out)

    def to_picture(self, points_canvas_xy: ArrayLike) -> FloatArray:
        """Map canvas points [..., 2] to points of the whole picture, float64 [..., 2], pixels."""
        origin: FloatArray = np.array([self.left, self.top], np.float64)
        return origin + self.letterbox.to_picture(points_canvas_xy)

    def contains(self, x: float, y: float) -> bool:
        """Whether a point of the whole picture, pixels, lies in the part."""
        in_columns = self.left - 0.5 <= x < self.left + self.width - 0.5
        return in_columns and self.top - 0.5 <= y < self.top + self.height - 0.5

    @property
    def is_whole(self) -> bool:
        """Whether the part is all of the picture."""
        return (self.width, self.height) == (self.picture_width, self.picture_height)


def size_warning(width: int, height: int) -> str | None:
    """What to say about a picture of that size, pixels, looked at whole; None for usual sizes."""
    letterbox = View.whole(width, height).letterbox
    if min(letterbox.scale_x, letterbox.scale_y) >= _SMALL_SCALE:
        return None
    return (
        f"{width} x {height} pixels are much more than a puzzle has: "
        "if it is a screenshot, say where the puzzle is (roi)"
    )
