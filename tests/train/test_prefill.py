from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.train.fakes import sample
from train.canvas import CanvasCache
from train.entries import DataError
from train.prefill import prefill
from train.source import SampleSource, Showing
from train.stop import StopFlag
from train.synth import Sample


class Source(SampleSource):
    """Samples that each leave a file where they were made; number `bad` cannot be."""

    def __init__(self, folder: Path, count: int, bad: int | None = None) -> None:
        super().__init__(Showing(seed=1, pictures_per_epoch=count, cache=CanvasCache(count, 1.0)))
        self.folder, self.bad = folder, bad
        folder.mkdir()

    def number(self, epoch: int, position: int) -> int:
        return position

    def sample(self, number: int) -> Sample:
        if number == self.bad:
            raise DataError("picture 40 is damaged")
        (self.folder / str(number)).touch()
        return sample((100.0 + number, 90.0), (40.0, 91.0), 0.0, size=(300, 200))

    @property
    def made(self) -> int:
        return len(list(self.folder.iterdir()))


def test_every_item_of_every_source_is_made_once(tmp_path: Path) -> None:
    one, other = Source(tmp_path / "a", 50), Source(tmp_path / "b", 3)
    prefill((one, other), StopFlag())
    assert (one.made, other.made) == (50, 3)
    for file in one.folder.iterdir():
        file.unlink()
    fresh = Source(tmp_path / "c", 50)
    for position in (0, 17, 49):
        for shown, expected in zip(one[0, position], fresh[0, position], strict=True):
            np.testing.assert_array_equal(shown, expected)
    assert (one.made, fresh.made) == (0, 3)


def test_a_source_without_a_cache_makes_nothing(tmp_path: Path) -> None:
    source = Source(tmp_path / "a", 5)
    source.showing = Showing(seed=1, pictures_per_epoch=5)
    prefill((source,), StopFlag())
    assert source.made == 0


def test_a_stop_ends_it_early(tmp_path: Path) -> None:
    source, stop = Source(tmp_path / "a", 3000), StopFlag()
    stop.set()
    prefill((source,), stop)
    assert source.made < 3000
    source[0, 2999]  # what is missing is made when it is shown


def test_a_picture_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^picture 40 is damaged$"):
        prefill((Source(tmp_path / "a", 50, bad=40),), StopFlag())
