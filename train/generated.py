"""The generator's pictures as a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.source import SampleSource, Showing
from train.synth import Backgrounds, Sample, SynthOptions, render


@dataclass(frozen=True)
class Emphasis:
    """A share (0..1) of the pictures that is drawn with options of its own."""

    share: float
    options: SynthOptions


class GeneratedPictures(SampleSource):
    """The endless stream of the generator's pictures of one seed.

    options: of all pictures but the shares that `emphases` take.
    """

    def __init__(
        self,
        showing: Showing,
        options: SynthOptions,
        backgrounds: Backgrounds | None,
        emphases: Sequence[Emphasis] = (),
    ) -> None:
        super().__init__(showing)
        self.options, self.backgrounds, self.emphases = options, backgrounds, emphases

    def number(self, epoch: int, position: int) -> int:
        return epoch * self.pictures_per_epoch + position

    def sample(self, number: int) -> Sample:
        options = self.options_of(number)
        return render(self.showing.seed, number, options, self.backgrounds)

    def options_of(self, number: int) -> SynthOptions:
        """What picture `number` is drawn with."""
        # The last number keeps this stream apart from the generator's and the augmentation's.
        drawn = np.random.default_rng([self.showing.seed, number, 0, 2]).random()
        for emphasis in self.emphases:
            if drawn < emphasis.share:
                return emphasis.options
            drawn -= emphasis.share
        return self.options
