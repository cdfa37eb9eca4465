"""Pictures of a COCO-keypoints data set as a source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from train.annotations import LabelledPicture
from train.source import SampleSource, Showing
from train.synth import Sample


class CocoPictures(SampleSource):
    """Labelled pictures, `pictures_per_epoch` of them an epoch.

    Where `shuffle` is set, every epoch has an order of its own, which follows from (seed, epoch).
    Showing one raises as `LabelledPicture.sample` does.
    """

    def __init__(
        self, showing: Showing, pictures: Sequence[LabelledPicture], shuffle: bool
    ) -> None:
        super().__init__(showing)
        self._pictures, self._shuffle = pictures, shuffle
        self._order = (-1, np.arange(len(pictures)))  # an epoch's, that of the last one asked for

    def number(self, epoch: int, position: int) -> int:
        if self._shuffle and self._order[0] != epoch:
            rng = np.random.default_rng([self.showing.seed, epoch])
            self._order = (epoch, rng.permutation(len(self._pictures)))
        return int(self._order[1][position])

    def sample(self, number: int) -> Sample:
        return self._pictures[number].sample()
