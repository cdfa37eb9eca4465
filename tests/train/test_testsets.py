"""The fixed sets: known by name, reproducible, honest about what they need."""

import tomllib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import train
from train.synth import render
from train.testsets import Fingerprint, TestSetError, load_testset, names_matching, samples_of
from train.widgets import widget

NAMES = list(tomllib.loads((Path(train.__file__).parent / "testsets.toml").read_text("utf-8")))


def test_every_named_set_loads_and_has_a_seed_of_its_own() -> None:
    sets = [load_testset(name) for name in NAMES]
    assert {"fixed", "fixed-procedural", "unseen-heart", "unseen-gradient-fill"} < set(NAMES)
    assert all(testset.count >= 300 and testset.about for testset in sets)
    seeds = [testset.seed for testset in sets if not testset.name.endswith("-procedural")]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("class-")])
def test_a_class_set_holds_its_class_alone(name: str) -> None:
    testset = replace(load_testset(name), photographs=False)
    samples = samples_of(testset, None, limit=3)
    assert {sample.difficulty for sample in samples} == {name.removeprefix("class-")}


def test_a_set_draws_and_finishes_as_it_says() -> None:
    tiny = replace(load_testset("robust-tiny"), photographs=False)
    assert tiny.options().piece_height == (0.08, 0.14)
    large = replace(load_testset("robust-large-scale"), photographs=False)
    samples = list(samples_of(large, None, limit=3))
    assert all(1.1 <= sample.unit_px <= 3.0 for sample in samples)
    plain = list(samples_of(replace(large, finish={}), None, limit=3))
    for sample, before in zip(samples, plain, strict=True):
        assert sample.picture.shape[1] == round(before.picture.shape[1] * sample.unit_px)


@pytest.mark.parametrize("name", ["fixed", "other-painter"])
def test_twins_share_everything_but_the_photographs(name: str) -> None:
    one, twin = load_testset(name), load_testset(f"{name}-procedural")
    assert (one.seed, one.painter, one.generator) == (twin.seed, twin.painter, twin.generator)
    assert one.photographs
    assert not twin.photographs


def test_a_set_says_who_paints_it() -> None:
    (sample,) = samples_of(load_testset("other-painter-procedural"), None, limit=1)
    np.testing.assert_array_equal(sample.picture, widget(20050, 0, None).picture)
    (sample,) = samples_of(load_testset("fixed-procedural"), None, limit=1)
    np.testing.assert_array_equal(sample.picture, render(20001, 0).picture)


def test_unknown_set_names_the_known_ones() -> None:
    with pytest.raises(TestSetError, match="fixed-procedural"):
        load_testset("nonsense")


def test_a_pattern_names_its_sets_in_order() -> None:
    found = names_matching("robust-*")
    assert found == [name for name in NAMES if name.startswith("robust-")]
    assert len(found) > 10
    assert names_matching("fixed") == ["fixed"]
    with pytest.raises(TestSetError, match=r"'robuster-\*'; there are: fixed, "):
        names_matching("robuster-*")


def test_photographs_are_asked_for() -> None:
    with pytest.raises(TestSetError, match="--backgrounds"):
        samples_of(load_testset("fixed"), None)  # at once, not with the first picture


def test_photographs_of_the_training_split_are_not_used(tmp_path: Path) -> None:
    """Of many files about a tenth belongs to the test split; only those can appear."""
    rng = np.random.default_rng(1)
    for index in range(60):
        colour = rng.integers(0, 256, 3)
        picture = np.full((40, 60, 3), colour, np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture)
    testset = replace(load_testset("fixed"), count=3)
    samples = list(samples_of(testset, tmp_path))
    assert len(samples) == 3


def test_required_family_is_in_every_picture() -> None:
    hearts = replace(load_testset("unseen-heart"), photographs=False)
    assert {s.families["shape"] for s in samples_of(hearts, None, limit=5)} == {"heart"}


def test_fingerprint_depends_on_pictures_and_labels() -> None:
    pictures = samples_of(load_testset("fixed-procedural"), None)
    sample = next(picture for picture in pictures if picture.gap_picture_xy is not None)
    changed = sample.picture.copy()
    changed[0, 0, 0] ^= 1
    assert sample.gap_picture_xy is not None
    moved = (sample.gap_picture_xy[0] + 1e-3, sample.gap_picture_xy[1])
    variants = [
        sample,
        replace(sample, picture=changed),
        replace(sample, gap_picture_xy=moved),
        replace(sample, gap_picture_xy=None),
        replace(sample, angle_deg=None if sample.angle_deg is not None else 0.0),
    ]
    digests = set()
    for variant in variants:
        fingerprint = Fingerprint()
        fingerprint.update(variant)
        digests.add(fingerprint.hexdigest())
    assert len(digests) == len(variants)
