"""What the generator makes and what it may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from train.synth.degrade import DEGRADATIONS, PERLIN_PROBABILITY
from train.synth.families import FAMILIES, kind_of
from train.synth.shapes import Outline

# In the order in which the class of a picture with several of these properties is decided.
DIFFICULTIES = (
    "negative",
    "ambiguous",
    "confusing",
    "rotated",
    "noise",
    "low-contrast",
    "edge",
    "normal",
)


@dataclass(frozen=True)
class SynthOptions:
    """How pictures are drawn; the defaults are the training distribution.

    Probabilities are per picture and independent of each other. `leave_out` and `require` name
    style families (see `train.synth.families`).

    Raises:
        ValueError: a range is empty or a probability, family or combination is impossible.
    """

    width_px: tuple[int, int] = (200, 700)
    aspect: tuple[float, float] = (1.3, 2.6)
    piece_height: tuple[float, float] = (0.08, 0.50)  # fraction of the picture's height
    photo_probability: float = 0.8  # only where photographs are given
    decoy_probability: float = 0.3
    ambiguous_probability: float = 0.02
    overlapping_probability: float = 0.1  # of pieces that lie partly over their gap
    right_probability: float = 0.1  # of pieces right of it, of those not at the left edge
    flush_probability: float = 0.0  # of pieces that touch the left edge, of those near it
    deep_blank_probability: float = 0.0  # of jigsaw pieces with blanks as deep as tabs are long
    rotation_probability: float = 0.12
    max_rotation_deg: float = 45.0
    highlight_probability: float = 0.1
    no_gap_probability: float = 0.04
    no_piece_probability: float = 0.03
    furniture_probability: float = 0.5
    plain_probability: float = 0.0  # of pictures that show nothing but the gap and the piece
    degradations: tuple[str, ...] = DEGRADATIONS
    perlin_probability: float = PERLIN_PROBABILITY  # where "perlin-noise" is among them
    leave_out: frozenset[str] = frozenset()
    require: frozenset[str] = frozenset()

    def plain(self) -> SynthOptions:
        """The same without decoys, turned or highlit gaps, furniture, wear and tear."""
        return replace(
            self,
            decoy_probability=0.0,
            ambiguous_probability=0.0,
            rotation_probability=0.0,
            highlight_probability=0.0,
            furniture_probability=0.0,
            degradations=(),
        )

    def __post_init__(self) -> None:
        for name in ("width_px", "aspect", "piece_height"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name}: expected 0 < low <= high, got ({low}, {high})")
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name.endswith("_probability") and not 0 <= value <= 1:
                raise ValueError(f"{name}: expected 0..1, got {value}")
        for family in self.require:
            kind_of(family)
        left = {kind: set(members) - self.leave_out for kind, members in FAMILIES.items()}
        for family in self.leave_out:
            if not left[kind_of(family)]:
                raise ValueError(f"leave_out leaves no family of {kind_of(family)}")


@dataclass(frozen=True)
class Sample:
    """One generated picture and its truth.

    Attributes:
        picture: u8 [H, W, 3], BGR.
        gap_picture_xy, slider_picture_xy: the two anchors in pixels (the centre of the top-left
            pixel is (0, 0)), None where the picture has none.
        angle_deg: the gap against the piece, anticlockwise positive as seen; None where there is
            no gap or the shape's symmetry leaves it undefined.
        difficulty: one of `DIFFICULTIES`.
        families: style kind -> family; also "background", "furniture" and "effects", the last two
            joined with "+" (empty when there are none).
        piece_size_px: the longer side of the piece's tight box.
        outlines_picture_xy: "gap", "slider" and "decoy" -> the outlines drawn, f64 [N, 2] each, the
            whole shape even where something covers it.
        unit_px: how many pixels count as one when errors are judged; more than 1 where a picture
            was enlarged afterwards.
    """

    picture: npt.NDArray[np.uint8]
    gap_picture_xy: tuple[float, float] | None
    slider_picture_xy: tuple[float, float] | None
    angle_deg: float | None
    difficulty: str
    families: Mapping[str, str]
    piece_size_px: float
    outlines_picture_xy: Mapping[str, tuple[Outline, ...]] = field(default_factory=dict)
    unit_px: float = 1.0
