"""The generator's pictures as training shows them."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.train.items import config, same
from train import data, generated
from train.augment import augment
from train.config import AugmentationConfig, ConfigError
from train.data import GeneratedPictures
from train.source import Source
from train.synth import SynthOptions, render
from train.variations import FINISHES


def test_the_stream_is_the_generators_and_leaves_families_out() -> None:
    one = config(seed=7, leave_out=["heart", "jigsaw-round"], pictures_per_epoch=3)
    train_set, validation_set = data.sources(one)
    options = SynthOptions(leave_out=frozenset(one.data.leave_out))
    assert train_set.pictures_per_epoch == 3
    assert same(train_set[1, 2], data.prepare(render(7, 5, options)))
    expected = data.prepare(render(7 + data.VALIDATION_SEED, 2, options))
    assert same(validation_set[0, 2], expected)
    assert validation_set.pictures_per_epoch == one.data.validation_pictures
    assert data.sources(config())[0].pictures_per_epoch == 10_000


def test_generated_pictures_follow_the_augmentation_section() -> None:
    """The scene's four probabilities go to the generator, all else is applied on the canvas."""
    section = {
        "confusing_gap_prob": 1.0,
        "perlin_noise_prob": 1.0,
        "gap_rotation_prob": 1.0,
        "gap_highlight_prob": 1.0,
    }
    one = config({"augmentation": section}, seed=3, pictures_per_epoch=4, plain_share=0.25)
    training, validation = data.sources(one)
    options = SynthOptions(
        decoy_probability=1.0,
        perlin_probability=1.0,
        rotation_probability=1.0,
        highlight_probability=1.0,
        plain_probability=0.25,
    )
    on_canvas = AugmentationConfig(
        confusing_gap_prob=0, perlin_noise_prob=0, gap_highlight_prob=0, gap_rotation_prob=1.0
    )
    item = data.prepare(render(3, 5, options))
    rng = np.random.default_rng([3, 1, 5, 1])
    assert same(training[1, 1], augment(*item, on_canvas, rng))
    assert not np.array_equal(training[1, 1][0], item[0])
    expected = data.prepare(render(3 + data.VALIDATION_SEED, 1))
    assert same(validation[0, 1], expected)


def test_emphases_take_their_shares_of_the_training_pictures() -> None:
    emphases = [
        {"share": 0.3, "require": ["star", "heart"]},
        {"share": 0.2, "piece_height": [0.4, 0.5]},
        {"share": 0.1, "no_gap": 1.0},
        {"share": 0.1, "overlapping": 0.5, "right": 0.0},
        {"share": 0.1, "flush": 0.6, "deep_blanks": 0.5},
    ]
    one = config(seed=6, pictures_per_epoch=1000, emphases=emphases, plain_share=0.25)
    training, validation = data.sources(one)
    assert isinstance(training, GeneratedPictures)
    chosen = [training.options_of(number) for number in range(2000)]
    plain = SynthOptions(plain_probability=0.25)
    shares = {
        replace(plain, require=frozenset({"star", "heart"})): 0.3,
        replace(plain, piece_height=(0.4, 0.5)): 0.2,
        replace(plain, no_gap_probability=1.0): 0.1,
        replace(plain, overlapping_probability=0.5, right_probability=0.0): 0.1,
        replace(plain, flush_probability=0.6, deep_blank_probability=0.5): 0.1,
        plain: 0.2,
    }
    for options, share in shares.items():
        assert chosen.count(options) / 2000 == pytest.approx(share, abs=0.04)
    number = chosen.index(next(iter(shares)))
    expected = render(6, number, chosen[number])
    assert expected.families["shape"] in ("star", "heart")
    assert same(training[divmod(number, 1000)], data.prepare(expected))
    assert isinstance(validation, GeneratedPictures)
    assert {validation.options_of(number) for number in range(50)} == {SynthOptions()}


def test_an_emphasis_finishes_its_pictures_with_their_truth() -> None:
    drawn, _ = data.sources(config(seed=6, emphases=[{"share": 1.0}]))
    page = {"share": 1.0, "finish": {"page": [1.3, 1.5]}}
    training, validation = data.sources(config(seed=6, emphases=[page]))
    assert isinstance(drawn, GeneratedPictures)
    assert isinstance(training, GeneratedPictures)
    assert isinstance(validation, GeneratedPictures)
    for number in range(12):
        plain, finished = drawn.sample(number), training.sample(number)
        factors = np.divide(finished.picture.shape[:2], plain.picture.shape[:2])
        assert np.all((factors > 1.29) & (factors < 1.51))
        if plain.gap_picture_xy and finished.gap_picture_xy:
            left, top = np.rint(np.subtract(finished.gap_picture_xy, plain.gap_picture_xy))
            rows, columns = plain.picture.shape[:2]
            part = finished.picture[int(top) :, int(left) :][:rows, :columns]
            assert np.array_equal(part, plain.picture)
        assert np.array_equal(training.sample(number).picture, finished.picture)
    assert validation.emphases == ()


def test_an_emphasis_can_do_whatever_a_test_set_does() -> None:
    finishes = [entry["finish"] for entry in entries_of_testsets() if "finish" in entry]
    emphases = [{"share": 0.05, "finish": finish} for finish in finishes]
    training, _ = data.sources(config(emphases=emphases))
    assert isinstance(training, GeneratedPictures)
    named = [dict(emphasis.finish) for emphasis in training.emphases]
    assert named == [{k: tuple(v) for k, v in finish.items()} for finish in finishes]
    assert set().union(*named) == set(FINISHES)


def entries_of_testsets() -> list[dict[str, Any]]:
    file = Path(data.__file__).with_name("testsets.toml")
    return list(tomllib.loads(file.read_text("utf-8")).values())


@pytest.mark.parametrize(
    "finish", [{"pages": [1, 2]}, {"page": [2, 1]}, {"page": [0.5, 1]}, {"blur": [0, 1]}]
)
def test_a_finish_that_cannot_be_is_refused(finish: dict[str, list[float]]) -> None:
    emphases = [{"share": 0.5, "finish": finish}]
    with pytest.raises(ConfigError, match=next(iter(finish))):
        data.sources(config(emphases=emphases))


def test_perlin_noise_comes_as_often_as_asked() -> None:
    def effects(probability: float) -> list[bool]:
        options = SynthOptions(perlin_probability=probability, width_px=(200, 200))
        samples = [render(1, index, options) for index in range(12)]
        return ["perlin-noise" in s.families["effects"].split("+") for s in samples]

    assert all(effects(1.0))
    assert not any(effects(0.0))


def test_photographs_are_used_when_given(tmp_path: Path) -> None:
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 256, (300, 500, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    plain, _ = data.sources(config())
    with_photos, _ = data.sources(config(backgrounds=str(tmp_path)))
    assert any(not same(plain[0, i], with_photos[0, i]) for i in range(4))


def test_validation_shows_photographs_that_training_does_not(tmp_path: Path) -> None:
    for number in range(80):
        picture = np.random.default_rng(number).integers(0, 256, (30, 50, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    training, validation = data.sources(config(backgrounds=str(tmp_path)))
    shown, held_out = files_of(training), files_of(validation)
    assert shown
    assert held_out
    assert not shown & held_out


def test_too_few_photographs_are_shown_by_both(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.full((30, 50, 3), 90, np.uint8))
    training, validation = data.sources(config(backgrounds=str(tmp_path)))
    assert files_of(training) == files_of(validation) == {tmp_path / "one.png"}
    assert "too few photographs to keep some for validation" in caplog.text


def files_of(source: Source) -> set[Path]:
    assert isinstance(source, GeneratedPictures)
    assert source.backgrounds is not None
    return set(source.backgrounds.files)


def test_distinct_pictures_come_again_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of them, three an epoch: every five shown are the five, made once with a cache."""
    training, validation = data.sources(
        config(seed=4, distinct_pictures=5, pictures_per_epoch=3, cache=True, validation_pictures=2)
    )
    numbers = [training.number(*divmod(shown, 3)) for shown in range(60)]
    times = [numbers[start : start + 5] for start in range(0, 60, 5)]
    assert all(sorted(time) == [0, 1, 2, 3, 4] for time in times)
    assert len({tuple(time) for time in times}) > 8
    assert [training.number(*divmod(shown, 3)) for shown in (59, 3)] == [numbers[59], numbers[3]]
    shown = {numbers[place]: training[divmod(place, 3)] for place in range(5)}
    assert same(shown[0], data.prepare(render(4, 0)))
    monkeypatch.setattr(generated, "render", lambda *_: pytest.fail("drawn again"))
    for place in range(5, 10):
        assert same(training[divmod(place, 3)], shown[numbers[place]])
    assert validation.number(1, 0) == 2


def test_generated_pictures_are_a_function_of_seed_and_number() -> None:
    """Whatever was asked for before and however an epoch is cut."""
    first, _ = data.sources(config({}, seed=9, pictures_per_epoch=100))
    other, _ = data.sources(config({}, seed=9, pictures_per_epoch=100))
    assert isinstance(other, GeneratedPictures)
    other[3, 50]
    assert same(first[0, 7], other[0, 7])
