"""A source: the pictures of a run, each a function of its place in the run alone."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from train.augment import UNCHANGED, augment
from train.canvas import CanvasCache, Item, prepare
from train.config import AugmentationConfig
from train.synth import Sample

NO_CACHE = CanvasCache(0, 0.0)


class Source(Dataset[Item]):
    """`source[epoch, position]`, with 0 <= position < `pictures_per_epoch`, is a canvas
    u8 [256, 512, 4] with its truth f32 [13] and its shapes u8 [64, 128, 3] (canvas and shapes may
    be smaller): the same in every process."""

    pictures_per_epoch: int


@dataclass(frozen=True)
class Showing:
    """How a run shows samples: what a source of them is made with.

    seed: of whatever is drawn anew. pictures_per_epoch: how many an epoch shows.
    canvas_scale: how many times smaller than the contract's the canvas is.
    augmentation: how samples are varied. cache: keeps them as they are before that.
    """

    seed: int
    pictures_per_epoch: int
    canvas_scale: int = 1
    augmentation: AugmentationConfig = UNCHANGED
    cache: CanvasCache = NO_CACHE


class SampleSource(Source):
    """Numbered samples; what is varied in one follows from (seed, epoch, its number)."""

    def __init__(self, showing: Showing) -> None:
        self.showing, self.pictures_per_epoch = showing, showing.pictures_per_epoch

    def __getitem__(self, key: tuple[int, int]) -> Item:
        epoch, position = key
        number = self.number(epoch, position)
        # The last number keeps this stream apart from the generator's own.
        rng = np.random.default_rng([self.showing.seed, epoch, number, 1])
        return augment(*self.unvaried(number), self.showing.augmentation, rng)

    def unvaried(self, number: int) -> Item:
        """That sample on its canvas, from the cache where it is there."""
        return self.showing.cache.item(
            number, lambda: prepare(self.sample(number), self.showing.canvas_scale)
        )

    @abstractmethod
    def number(self, epoch: int, position: int) -> int:
        """Which sample is shown there."""

    @abstractmethod
    def sample(self, number: int) -> Sample:
        """That sample, as it is before anything is varied."""
