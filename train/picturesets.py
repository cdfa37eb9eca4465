"""Labelled pictures to measure on: fixed test sets, data sets, sets of one style family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from train.annotations import FILE_NAME, annotation_file, load_pictures
from train.synth import Backgrounds, Sample, SynthOptions, render
from train.synth.families import kind_of
from train.testsets import load_testset, samples_of

# A stream of its own for sets of one family: neither training nor any test set draws from it.
FAMILY_SEED = 40_004
EVERY_FAMILY = "every family"


@dataclass(frozen=True)
class PictureSet:
    """Labelled pictures, made or read as they are asked for.

    Attributes:
        name, about: what to call it, and a line on what it shows.
        count: how many `samples` there are.
        fingerprint: what `Fingerprint` must give for all of them; None where nothing is recorded.
        family: the style family that every picture shows, where that is the point of the set.
    """

    name: str
    about: str
    count: int
    samples: Iterable[Sample]
    fingerprint: str | None = None
    family: str | None = None


def of_testset(name: str, backgrounds: Path | None, limit: int | None) -> PictureSet:
    """A set of testsets.toml, or the first `limit` pictures of it, which have no fingerprint.

    Raises:
        TestSetError: it is unknown or cannot be made here.
    """
    testset = load_testset(name)
    count = min(testset.count, limit or testset.count)
    fingerprint = testset.fingerprint if count == testset.count else None
    samples = samples_of(testset, backgrounds, limit)
    return PictureSet(name, testset.about, count, samples, fingerprint)


def of_dataset(path: Path, limit: int | None) -> PictureSet:
    """A COCO-keypoints data set (folder or JSON file), or the first `limit` pictures of it.

    Raises:
        DataError: it cannot be used; so does reading a picture that is not as its entry says.
    """
    pictures = load_pictures(path)[:limit]
    samples = (picture.sample() for picture in pictures)
    file = annotation_file(path).resolve()
    part = "" if file.name == FILE_NAME else f"-{file.stem}"
    name = f"{file.parent.name}{part}"
    return PictureSet(name, "a COCO-keypoints data set", len(pictures), samples)


def of_families(
    families: Sequence[str], count: int, backgrounds: Path | None
) -> Iterator[PictureSet]:
    """`count` pictures of each family, after as many of every family to compare with.

    Raises:
        ValueError: an unknown family.
    """
    options = SynthOptions()
    photographs = None if backgrounds is None else Backgrounds(backgrounds, split="test")

    def rendered(options: SynthOptions) -> Iterator[Sample]:
        return (render(FAMILY_SEED, i, options, photographs) for i in range(2**31))

    about = "the ordinary mix of styles, to compare with"
    yield PictureSet(
        EVERY_FAMILY, about, count, islice(rendered(options), count), family=EVERY_FAMILY
    )
    for family in families:
        required = replace(options, require=frozenset({family}))
        if kind_of(family) == "furniture":
            required = replace(required, furniture_probability=1.0)
        shown = filter(partial(_shows, family), rendered(required))
        about = f"only pictures with {family}"
        yield PictureSet(f"family {family}", about, count, islice(shown, count), family=family)


def _shows(family: str, sample: Sample) -> bool:
    """Whether a family was drawn in the end: furniture needs a free place."""
    return any(family in drawn.split("+") for drawn in sample.families.values())
