"""Why a picture may be hard: measured on its pixels and labels, not guessed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from train.synth import Sample
from train.synth.patch import ellipse_kernel, rasterise
from train.synth.shapes import Outline

CAUSES = ("rotation", "noise", "several gaps", "edge position", "low contrast")
NONE_OF_THESE = "none of these"

_ROTATED_DEG = 5.0
_NOISY_LEVELS = 5.0
_EDGE_PX = 3.0
_FAINT_LEVELS = 18.0
_BAND_PX = 4  # what is compared on either side of a gap's contour

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Conditions:
    """What was measured on one picture; the gap's conditions are harmless where it has none.

    Attributes:
        difficulty: the picture's class, which the generator gives by measurements of its own.
        rotation_deg: the gap against the piece, without sign; 0 where undefined.
        noise_levels: standard deviation of the pixel noise, grey levels; see `noise_levels`.
        decoys: gaps beside the gap, as labelled.
        margin_px: from the gap's box to the picture's border; negative when it is cut off.
        contrast_levels: of the gap's contour, grey levels (see `contrast_levels`); infinite where
            the data set does not tell the outline.
    """

    difficulty: str
    rotation_deg: float
    noise_levels: float
    decoys: int
    margin_px: float
    contrast_levels: float

    @property
    def causes(self) -> tuple[str, ...]:
        """Those of `CAUSES` that apply; empty when none does."""
        applies = (
            self.rotation_deg >= _ROTATED_DEG,
            self.noise_levels >= _NOISY_LEVELS or self.difficulty == "noise",
            self.decoys > 0 or self.difficulty in ("confusing", "ambiguous"),
            self.margin_px < _EDGE_PX,
            self.contrast_levels < _FAINT_LEVELS or self.difficulty == "low-contrast",
        )
        return tuple(cause for cause, shown in zip(CAUSES, applies, strict=True) if shown)


def measure(sample: Sample) -> Conditions:
    """The conditions of a picture."""
    gap, outlines = sample.gap_picture_xy, sample.outlines_picture_xy
    return Conditions(
        difficulty=sample.difficulty,
        rotation_deg=abs(sample.angle_deg or 0.0),
        noise_levels=noise_levels(sample.picture),
        decoys=len(outlines.get("decoy", ())),
        margin_px=np.inf if gap is None else _margin_px(gap, sample),
        contrast_levels=min(
            (contrast_levels(sample.picture, outline) for outline in outlines.get("gap", ())),
            default=np.inf,
        ),
    )


def noise_levels(picture: Picture) -> float:
    """Standard deviation of white noise in a picture u8 [H, W, 3], grey levels.

    The median absolute diagonal Haar detail over 0.6745 (Donoho and Johnstone, 1994): edges hardly
    move it, fine texture does a little, coarse noise (Perlin's) does not.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    height, width = grey.shape[0] // 2 * 2, grey.shape[1] // 2 * 2
    a, b = grey[:height:2, :width:2], grey[:height:2, 1:width:2]
    c, d = grey[1:height:2, :width:2], grey[1:height:2, 1:width:2]
    detail = (a - b - c + d) / 2
    return float(np.median(np.abs(detail))) / 0.6745 if detail.size else 0.0


def contrast_levels(picture: Picture, outline: Outline) -> float:
    """How much a gap's contour shows in a picture u8 [H, W, 3], grey levels of one channel.

    The largest of three differences: across the contour in mean and in spread (a band inside
    against one outside), and of the contour's own pixels from both bands (a drawn outline).

    Args:
        outline: f64 [N, 2], picture pixels.
    """
    height, width = picture.shape[:2]
    patch = rasterise(outline, width, height, _BAND_PX + 2)
    shape = (patch.alpha > 0.5).astype(np.uint8)
    wider, wide = (cv2.dilate(shape, ellipse_kernel(r)) > 0 for r in (_BAND_PX, 1))
    narrower, narrow = (
        cv2.erode(shape, ellipse_kernel(r), borderValue=1) > 0 for r in (_BAND_PX, 1)
    )
    pixels = picture[patch.window].astype(np.float32)
    inside, outside = pixels[narrow & ~narrower], pixels[wider & ~wide]
    if not (len(inside) and len(outside)):
        return float("inf")
    inner, outer = inside.mean(axis=0), outside.mean(axis=0)
    stroke = pixels[wide & ~narrow].mean(axis=0) - (inner + outer) / 2
    spread = inside.std(axis=0) - outside.std(axis=0)
    return float(np.abs([inner - outer, stroke, spread]).max())


def _margin_px(point_xy: tuple[float, float], sample: Sample) -> float:
    height, width = sample.picture.shape[:2]
    x, y = point_xy
    return min(x, y, width - 1 - x, height - 1 - y) - sample.piece_size_px / 2
