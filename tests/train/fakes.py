"""Small stand-ins for the picture generator."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from train.canvas import Item, prepare
from train.source import Source
from train.synth import Sample


def sample(
    gap: tuple[float, float] | None = (200.0, 90.0),
    slider: tuple[float, float] | None = (40.0, 90.0),
    angle_deg: float | None = 20.0,
    difficulty: str = "normal",
    size: tuple[int, int] = (340, 190),
    piece_size_px: float = 50.0,
) -> Sample:
    """A grey picture with a dark disc at the gap and a light one at the slider."""
    width, height = size
    picture = np.full((height, width, 3), 128, np.uint8)
    for point, shade in ((gap, 30), (slider, 230)):
        if point is not None:
            centre = (round(point[0]), round(point[1]))
            cv2.circle(picture, centre, round(piece_size_px / 2), (shade,) * 3, -1)
    return Sample(picture, gap, slider, angle_deg, difficulty, {}, piece_size_px)


def outlined(one: Sample) -> Sample:
    """The same with the outlines of its discs."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    disc = one.piece_size_px / 2 * np.column_stack([np.cos(turn), np.sin(turn)])
    points = {"gap": one.gap_picture_xy, "slider": one.slider_picture_xy}
    discs = {name: () if xy is None else (disc + xy,) for name, xy in points.items()}
    return replace(one, outlines_picture_xy={**discs, "decoy": ()})


class FakePictures(Source):
    """Discs at places that depend on the picture's number in the run alone."""

    def __init__(self, pictures_per_epoch: int = 6, canvas_scale: int = 1) -> None:
        self.pictures_per_epoch, self.canvas_scale = pictures_per_epoch, canvas_scale

    def __getitem__(self, key: tuple[int, int]) -> Item:
        epoch, position = key
        rng = np.random.default_rng(epoch * self.pictures_per_epoch + position)
        y = rng.uniform(40, 150)
        gap, slider = (rng.uniform(150, 300), y), (rng.uniform(30, 110), y)
        one = outlined(sample(gap, slider, rng.uniform(-40, 40)))
        return prepare(one, self.canvas_scale)
