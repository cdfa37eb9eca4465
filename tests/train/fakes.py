"""Small stand-ins for the picture generator."""

from __future__ import annotations

import cv2
import numpy as np
from torch.utils.data import Dataset

from train.data import Item, prepare
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


class FakePictures(Dataset[Item]):
    """Discs at places that depend on the index alone."""

    def __getitem__(self, index: int) -> Item:
        rng = np.random.default_rng(index)
        y = rng.uniform(40, 150)
        gap, slider = (rng.uniform(150, 300), y), (rng.uniform(30, 110), y)
        return prepare(sample(gap, slider, rng.uniform(-40, 40)))
