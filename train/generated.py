"""The generator's pictures as a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from train.source import SampleSource, Showing
from train.synth import Backgrounds, Sample, SynthOptions, render
from train.variations import check_finish, finished


@dataclass(frozen=True)
class Emphasis:
    """A share (0..1) of the pictures that is drawn with options of its own, and what is done to
    them then: variation -> range, as `train.variations` names them.

    Raises:
        ValueError: as `train.variations.check_finish`.
    """

    share: float
    options: SynthOptions
    finish: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_finish(self.finish)


class GeneratedPictures(SampleSource):
    """The stream of the generator's pictures of one seed: endless, or `distinct` of them shown over
    and over, in another order each time.

    options: of all pictures but the shares that `emphases` take.
    """

    def __init__(
        self,
        showing: Showing,
        options: SynthOptions,
        backgrounds: Backgrounds | None,
        emphases: Sequence[Emphasis] = (),
        distinct: int | None = None,
    ) -> None:
        super().__init__(showing)
        self.options, self.backgrounds, self.emphases = options, backgrounds, emphases
        self.distinct = distinct
        self.show_only(np.arange(distinct or 0))

    def show_only(self, numbers: NDArray[np.int64]) -> None:
        """From now on these of the distinct pictures are the ones shown over and over."""
        self._numbers = numbers
        self._order = (-1, numbers)  # a time's, that of the last one asked for

    def number(self, epoch: int, position: int) -> int:
        shown = epoch * self.pictures_per_epoch + position
        if self.distinct is None:
            return shown
        time, place = divmod(shown, len(self._numbers))
        if self._order[0] != time:
            # The last number keeps this stream apart from the others.
            rng = np.random.default_rng([self.showing.seed, time, 0, 3])
            self._order = (time, rng.permutation(self._numbers))
        return int(self._order[1][place])

    def sample(self, number: int) -> Sample:
        chosen, seed = self._emphasis_of(number), self.showing.seed
        sample = render(seed, number, chosen.options, self.backgrounds)
        # The last number keeps a stream apart from the others, here and below.
        return finished(sample, chosen.finish, np.random.default_rng([seed, number, 0, 4]))

    def options_of(self, number: int) -> SynthOptions:
        """What picture `number` is drawn with."""
        return self._emphasis_of(number).options

    def _emphasis_of(self, number: int) -> Emphasis:
        drawn = np.random.default_rng([self.showing.seed, number, 0, 2]).random()
        for emphasis in self.emphases:
            if drawn < emphasis.share:
                return emphasis
            drawn -= emphasis.share
        return Emphasis(1.0, self.options)
