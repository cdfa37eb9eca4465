"""Photographs as training shows them: parts, turned and recoloured, often two in one picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth.palette import Picture, log_uniform
from train.synth.photos import Backgrounds, crop, vary

_Rng = np.random.Generator

_SMALLEST = 0.2  # of the largest crop
_TURNED = 0.4
_CHANNELS_EXCHANGED = 0.3
_MIXED = 0.4


class Mixtures(Backgrounds):
    """`Backgrounds` that are never twice alike.

    A network that is shown the same photographs in picture after picture comes to know them, and
    finds what was changed in them; on other photographs that does not help.
    """

    def sample(self, rng: np.random.Generator, width: int, height: int) -> Picture:
        """A picture of one or two photographs: u8 BGR [height, width, 3].

        Raises:
            InputError: a photograph drawn cannot be decoded; the message names the file.
        """
        picture = self._part(rng, width, height)
        if rng.random() >= _MIXED:
            return picture
        other = self._part(rng, width, height)
        share = _share(rng, width, height)
        return np.asarray(cv2.blendLinear(picture, other, share, 1 - share), np.uint8)

    def _part(self, rng: _Rng, width: int, height: int) -> Picture:
        photo = self._large_enough(rng, width, height)
        if rng.random() < _TURNED:
            photo = np.rot90(photo, int(rng.integers(1, 4)))
        picture = vary(rng, crop(rng, photo, width, height, _SMALLEST))
        if rng.random() < _CHANNELS_EXCHANGED:
            picture = np.ascontiguousarray(picture[..., rng.permutation(3)])
        return picture


def _share(rng: _Rng, width: int, height: int) -> NDArray[np.float32]:
    """How much of each pixel is the first photograph's, f32 [height, width] in 0..1: anything from
    an even mixture to areas with sharp borders."""
    coarse = rng.random((int(rng.integers(2, 6)), int(rng.integers(2, 8))), np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    contrast = np.float32(log_uniform(rng, 0.5, 50, 1)[0])
    return np.asarray(np.clip(contrast * (smooth - 0.5) + 0.5, 0, 1), np.float32)
