"""The fixed test sets of testsets.toml: which there are, their pictures, their fingerprint."""

from __future__ import annotations

import fnmatch
import hashlib
import itertools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from train.synth import GENERATOR_VERSION, Backgrounds, Sample, SynthOptions, render
from train.variations import finished, kept
from train.widgets import WIDGETS_VERSION, widget

# Who paints a set -> the version its pictures belong to.
_PAINTERS = {"generator": GENERATOR_VERSION, "widgets": WIDGETS_VERSION}
_FILE = Path(__file__).with_name("testsets.toml")


class TestSetError(ValueError):
    """A test set that is unknown or cannot be made here; the message says what to do."""

    __test__ = False


@dataclass(frozen=True)
class TestSet:
    """One entry of testsets.toml; `fingerprint` is None until it was once recorded.

    generator: the painter's version. draw: `SynthOptions` that differ, for the painter `generator`;
    keep, finish: see `train.variations`.
    """

    __test__ = False  # not a test case for pytest

    name: str
    about: str
    generator: int
    seed: int
    count: int
    photographs: bool
    require: list[str] = field(default_factory=list)
    draw: dict[str, Any] = field(default_factory=dict)
    keep: str | None = None
    finish: dict[str, list[float]] = field(default_factory=dict)
    painter: str = "generator"
    fingerprint: str | None = None

    def options(self) -> SynthOptions:
        """The generator's options for this set."""
        drawn = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.draw.items()
        }
        return SynthOptions(require=frozenset(self.require), **drawn)


def load_testset(name: str) -> TestSet:
    """The set of that name.

    Raises:
        TestSetError: no such set, or it belongs to another version of the generator.
    """
    entries = tomllib.loads(_FILE.read_text("utf-8"))
    if name not in entries:
        raise TestSetError(f"unknown test set {name!r}; there are: {', '.join(entries)}")
    testset = TestSet(name=name, **entries[name])
    version = _PAINTERS[testset.painter]
    if testset.generator != version:
        raise TestSetError(
            f"test set {name!r} belongs to {testset.painter} version {testset.generator}, "
            f"this is version {version}"
        )
    return testset


def names_matching(pattern: str) -> list[str]:
    """The sets whose names match a pattern such as `robust-*`, in the file's order.

    Raises:
        TestSetError: there is none.
    """
    names = list(tomllib.loads(_FILE.read_text("utf-8")))
    found = fnmatch.filter(names, pattern)
    if not found:
        raise TestSetError(f"unknown test set {pattern!r}; there are: {', '.join(names)}")
    return found


def samples_of(
    testset: TestSet, backgrounds: Path | None, limit: int | None = None
) -> Iterator[Sample]:
    """The pictures of a set in order, made as they are asked for, the first `limit` if given.

    Args:
        backgrounds: folder of photographs; needed by sets that are painted on photographs.

    Raises:
        TestSetError: the set needs photographs and no folder was given.
    """
    photographs = None
    if testset.photographs:
        if backgrounds is None:
            raise TestSetError(
                f"test set {testset.name!r} is painted on photographs: give their folder with "
                f"--backgrounds DIR, or use a procedural set"
            )
        photographs = Backgrounds(backgrounds, split="test")
    samples = (sample for sample in _drawn(testset, photographs) if kept(sample, testset.keep))
    chosen = enumerate(islice(samples, min(testset.count, limit or testset.count)))
    return (
        finished(sample, testset.finish, np.random.default_rng([testset.seed, index, 4]))
        for index, sample in chosen
    )


def _drawn(testset: TestSet, photographs: Backgrounds | None) -> Iterator[Sample]:
    """The endless stream that a set is taken from."""
    if testset.painter == "widgets":
        return (widget(testset.seed, index, photographs) for index in itertools.count())
    options = testset.options()
    return (render(testset.seed, index, options, photographs) for index in itertools.count())


class Fingerprint:
    """sha256 over pictures and labels, fed one sample at a time."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, sample: Sample) -> None:
        """Add the next sample."""
        points = (sample.gap_picture_xy, sample.slider_picture_xy, sample.angle_deg)
        self._hash.update(np.int64(sample.picture.shape).tobytes())
        self._hash.update(sample.picture.tobytes())
        # Six decimals: the last bits of a sine may differ between processors.
        for value in points:
            numbers = np.nan if value is None else value
            self._hash.update(repr(np.round(np.float64(numbers), 6).tolist()).encode())

    def hexdigest(self) -> str:
        """The fingerprint of what was fed so far."""
        return self._hash.hexdigest()
