from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.train.datasets import labels_of, write_dataset
from tests.train.fakes import FakePictures
from tests.train.items import PLAIN, config, same
from train import annotations, data, generated
from train.annotations import load_pictures
from train.config import Config, ConfigError
from train.entries import DataError
from train.source import Source
from train.synth import render
from train.targets import TRUTH_FIELDS


def folders(tmp_path: Path, **section: Any) -> Config:
    write_dataset(tmp_path)
    path = str(tmp_path)
    training = section.pop("training", PLAIN)
    return config(training, dataset=path, validation_dataset=path, **section)


def test_a_data_set_is_shown_whole_in_an_order_of_each_epoch(tmp_path: Path) -> None:
    one = folders(tmp_path, validation_pictures=2)
    training, validation = data.sources(one)
    expected = [data.prepare(picture.sample()) for picture in load_pictures(tmp_path)]
    assert training.pictures_per_epoch == 3
    orders = []
    for epoch in range(8):
        shown = [training[epoch, position] for position in range(3)]
        orders.append([next(i for i, e in enumerate(expected) if same(e, s)) for s in shown])
    assert all(sorted(order) == [0, 1, 2] for order in orders)
    assert len({tuple(order) for order in orders}) > 2
    # A source made anew, asked in another order, says the same.
    again, _ = data.sources(one)
    assert same(again[7, 1], expected[orders[7][1]])
    assert same(again[0, 2], expected[orders[0][2]])
    assert validation.pictures_per_epoch == 2
    assert all(same(validation[0, i], expected[i]) for i in range(2))


def test_augmentation_follows_from_seed_epoch_and_picture(tmp_path: Path) -> None:
    augmented = folders(tmp_path, training={}, seed=5)
    training, validation = data.sources(augmented)
    plain, _ = data.sources(folders(tmp_path, seed=5))
    assert not same(training[0, 0], plain[0, 0])
    assert same(training[2, 1], data.sources(augmented)[0][2, 1])
    assert same(validation[0, 0], data.prepare(load_pictures(tmp_path)[0].sample()))
    # The same picture in two epochs is varied differently.
    wanted = plain[0, 0]
    places = [next(p for p in range(3) if same(plain[e, p], wanted)) for e in (0, 1)]
    assert not same(training[0, places[0]], training[1, places[1]])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_cache_changes_nothing_but_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, scale: int
) -> None:
    def batches(one: Config) -> list[torch.Tensor]:
        training, validation = data.sources(one)
        shown = list(data.loader(training, 0, 9, 2, workers))
        shown += data.loader(validation, 0, 3, 2, workers)
        if one.data.cache:
            monkeypatch.setattr(annotations, "load", lambda _: pytest.fail("read again"))
            assert all(
                torch.equal(a, b)
                for a, b in zip(
                    [t for batch in data.loader(training, 0, 9, 2, 0) for t in batch],
                    [t for batch in shown[:5] for t in batch],
                    strict=True,
                )
            )
        return [tensor for batch in shown for tensor in batch]

    plain = batches(folders(tmp_path, canvas_scale=scale, training={}))
    cached = batches(folders(tmp_path, canvas_scale=scale, training={}, cache=True))
    assert plain[0].shape == (2, 256 // scale, 512 // scale, 4)
    assert all(torch.equal(a, b) for a, b in zip(plain, cached, strict=True))


def test_a_cache_keeps_generated_validation_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    _, validation = data.sources(config(cache=True, validation_pictures=2))
    first = [validation[0, position] for position in range(2)]
    monkeypatch.setattr(generated, "render", lambda *_: pytest.fail("drawn again"))
    assert all(same(validation[0, position], first[position]) for position in range(2))


def test_small_canvases() -> None:
    training, validation = data.sources(config(canvas_scale=2, seed=4))
    assert same(training[0, 1], data.prepare(render(4, 1), 2))
    assert validation[0, 0][0].shape == (128, 256, 4)


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"leave_out": ["hart"]}, "hart"),
        ({"backgrounds": "/nowhere/photos"}, "/nowhere/photos"),
        ({"dataset": "/nowhere/a.json", "validation_dataset": "/nowhere"}, "/nowhere/a.json"),
    ],
)
def test_what_is_not_there_is_one_config_error(section: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        data.sources(config(**section))
    assert "\n" not in str(caught.value)


def test_bad_data_sets_are_one_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pictures_per_epoch = 4: .* has 3"):
        data.sources(folders(tmp_path, pictures_per_epoch=4))
    labels = labels_of()
    labels["annotations"][1]["keypoints"][0] = 77
    bad = write_dataset(tmp_path, labels, "bad.json")
    with pytest.raises(ConfigError, match="point outside"):
        data.sources(config(dataset=str(tmp_path), validation_dataset=str(bad)))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_picture_spoilt_meanwhile_is_one_line(tmp_path: Path, workers: int) -> None:
    training, _ = data.sources(folders(tmp_path))
    (tmp_path / "pictures/1.png").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"pictures/1\.png") as caught:
        list(data.loader(training, 0, 3, 1, workers))
    assert "\n" not in str(caught.value)


class Numbers(Source):
    """Items that say which key they were asked for."""

    pictures_per_epoch = 10

    def __getitem__(self, key: tuple[int, int]) -> data.Item:
        truth = np.zeros(len(TRUTH_FIELDS), np.float32)
        truth[:2] = key
        return np.zeros((4, 4, 4), np.uint8), truth, np.zeros((1, 1, 3), np.uint8)


def keys(*arguments: Any, **options: Any) -> list[list[tuple[int, int]]]:
    batches = data.loader(Numbers(), *arguments, workers=0, **options)
    assert len(batches) == len(list(batches))
    return [[(int(t[0]), int(t[1])) for t in truth] for _, truth, _ in batches]


def test_positions_run_over_the_epochs() -> None:
    assert keys(8, 13, 2) == [[(0, 8), (0, 9)], [(1, 0), (1, 1)], [(1, 2)]]


def test_leftovers_of_an_epoch_are_skipped() -> None:
    assert keys(4, 12, 4, used_per_epoch=8) == [
        [(0, 4), (0, 5), (0, 6), (0, 7)],
        [(1, 0), (1, 1), (1, 2), (1, 3)],
    ]


@pytest.mark.parametrize("world", [2, 3])
def test_the_ranks_share_each_batch_of_the_run(world: int) -> None:
    parts = [keys(0, 24, 2, rank=rank, world=world, used_per_epoch=12) for rank in range(world)]
    joined = [[key for part in step for key in part] for step in zip(*parts, strict=True)]
    assert joined == keys(0, 24, 2 * world, used_per_epoch=12)


def test_every_picture_of_a_validation_goes_to_one_rank() -> None:
    parts = [keys(0, 7, 2, rank=rank, world=2) for rank in (0, 1)]
    assert parts == [[[(0, 0), (0, 1)], [(0, 4), (0, 5)]], [[(0, 2), (0, 3)], [(0, 6)]]]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_whatever_the_workers(workers: int) -> None:
    source = FakePictures(pictures_per_epoch=6)
    batches = list(data.loader(source, 3, 10, 3, workers))
    assert [len(truth) for _, truth, _ in batches] == [3, 3, 1]
    assert batches[0][0].shape == (3, 256, 512, 4)
    truths = torch.cat([truth for _, truth, _ in batches]).numpy()
    expected = np.stack([source[divmod(i, 6)][1] for i in range(3, 10)])
    np.testing.assert_array_equal(truths, expected)


@pytest.mark.parametrize(("cores", "workers"), [(1, 0), (4, 3), (64, 8)])
def test_workers_are_the_cores_to_spare(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int
) -> None:
    monkeypatch.setattr(data, "default_threads", lambda: cores)
    assert data.worker_count(None) == workers
    assert data.worker_count(5) == 5


def test_loading_leaves_torchs_random_state_alone() -> None:
    before = torch.get_rng_state()
    list(data.loader(Numbers(), 0, 4, 2, 0))
    assert torch.equal(torch.get_rng_state(), before)


def test_network_input_is_scaled_and_channels_last() -> None:
    canvas = torch.randint(0, 256, (2, 256, 512, 4), dtype=torch.uint8)
    x = data.network_input(canvas)
    assert x.shape == (2, 4, 256, 512)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x[1, 2, 30, 40], canvas[1, 30, 40, 2].float() / 255)
