"""What `Locator.predict` returns: frozen, validated, in picture pixels."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

from runtime.errors import InputError

if TYPE_CHECKING:
    from runtime.geometry import Picture
    from runtime.picture import ChannelOrder, PictureSource


# Far above any screen, and far below where a distance would overflow.
MAX_DISPLAY_WIDTH = 1e9


def check_display_width(width: object) -> None:
    """Raise InputError unless it is None or a width, above 0 and at most MAX_DISPLAY_WIDTH."""
    if width is None:
        return
    if not isinstance(width, Real) or not 0 < cast(float, width) <= MAX_DISPLAY_WIDTH:
        raise InputError(f"expected a display_width above 0 and at most 1e9, got {width!r}")


@dataclass(frozen=True)
class Keypoint:
    """One found point.

    x, y: picture pixels; (0, 0) is the centre of the top-left pixel.
    score: the network's confidence, 0..1.
    rival: strength of the second-best place relative to this one; near 1 means hardly decided.
    Raises ValueError for a number that is not finite or out of range.
    """

    x: float
    y: float
    score: float
    rival: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value):
                raise ValueError(f"expected a finite {name}, got {value}")
        if not 0 <= self.score <= 1:
            raise ValueError(f"expected a score within 0..1, got {self.score}")
        if self.rival < 0:
            raise ValueError(f"expected a rival of at least 0, got {self.rival}")


@dataclass(frozen=True)
class Location:
    """Where the gap and the slider piece are in one picture.

    Both points are always there; `ok` says whether to trust them and `reasons` why not.

    gap, slider: the centres, in picture pixels.
    angle_deg: rotation of the gap relative to the piece, (-180, 180], anticlockwise positive.
    picture_width, picture_height: size of the picture, pixels.
    reasons: empty when the answer can be trusted.
    display_width: how wide the picture is shown, in the units that `distance_px` then has; None
        where it is shown pixel by pixel.
    Raises ValueError for an angle or a size out of range, and InputError, which is one, for such a
    display_width.
    """

    gap: Keypoint
    slider: Keypoint
    angle_deg: float
    picture_width: int
    picture_height: int
    reasons: tuple[str, ...] = ()
    display_width: float | None = None

    def __post_init__(self) -> None:
        if not -180 < self.angle_deg <= 180:
            raise ValueError(f"expected an angle within (-180, 180], got {self.angle_deg}")
        if self.picture_width < 1 or self.picture_height < 1:
            size = f"{self.picture_width} x {self.picture_height}"
            raise ValueError(f"expected a picture of at least 1 x 1 pixels, got {size}")
        check_display_width(self.display_width)

    @property
    def ok(self) -> bool:
        """True when nothing speaks against the answer."""
        return not self.reasons

    @property
    def distance_px(self) -> float:
        """How far the slider has to travel to the gap along x.

        Picture pixels, or pixels of the picture as it is shown where `display_width` is given.
        """
        travel_px = self.gap.x - self.slider.x
        if self.display_width is None:
            return travel_px
        return travel_px * self.display_width / self.picture_width

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values only, ready for json.dumps."""
        return {
            "ok": self.ok,
            "reasons": list(self.reasons),
            "gap": asdict(self.gap),
            "slider": asdict(self.slider),
            "angle_deg": self.angle_deg,
            "distance_px": self.distance_px,
            "picture_width": self.picture_width,
            "picture_height": self.picture_height,
            "display_width": self.display_width,
        }

    def draw(self, picture: PictureSource, channel_order: ChannelOrder = "bgr") -> Picture:
        """Return a copy of the picture, uint8 BGR [H, W, 3], with both points marked.

        picture, channel_order: as for `Locator.predict`; it must have the size this answer is for.
        Raises InputError for a picture that cannot be read or has another size.
        """
        from runtime.drawing import draw_location  # cv2 is needed for drawing alone

        return draw_location(self, picture, channel_order)
