"""Batches from processes that draw, on the CPU; and a training run on them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch

from tests.train.small import small_config
from train import checkpoint, data, loop
from train.compose import bank as bank_module
from train.compose.bank import Bank
from train.compose.layers import FIELDS
from train.compose.stream import composed_batches
from train.config import Config, ConfigError, parse_config
from train.entries import DataError
from train.generated import GeneratedPictures
from train.stop import StopFlag

CPU = torch.device("cpu")
COMPOSE = {"share": 0.5, "gib": 0.06, "processes": 2}


def config_of(folder: Path, **changes: object) -> Config:
    made = {"compose": COMPOSE, "pictures_per_epoch": 8, "validation_pictures": 4} | changes
    return small_config(folder, training={"batch_size": 4, "num_epochs": 2}, data=made)


def source_of(config: Config) -> GeneratedPictures:
    source, _ = data.sources(config)
    assert isinstance(source, GeneratedPictures)
    return source


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(source_of(config_of(tmp_path)), CPU, 0.06, 2)
    yield made
    made.close()


def test_the_bank_fills_and_then_replaces(bank: Bank):
    assert bank.slots == 32
    with bank.reading(32) as (fields, filled):
        assert filled == 32
        first = {name: field.clone() for name, field in fields.items()}
        assert {name: tuple(field.shape[1:]) for name, field in fields.items()} == {
            name: shape for name, (shape, _) in FIELDS.items()
        }
        assert len({float(truth.sum()) for truth in fields["truth"]}) > 20  # all are others
        made = bank.made
    deadline = time.monotonic() + 60
    while bank.made < made + 32 and time.monotonic() < deadline:
        time.sleep(0.01)
    with bank.reading() as (fields, filled):
        assert filled == 32
        assert not torch.equal(fields["truth"], first["truth"])


def test_pictures_of_the_bank_have_their_own_truth(bank: Bank, tmp_path: Path):
    source = source_of(config_of(tmp_path))
    with bank.reading(16) as (fields, _):
        truths = fields["truth"][:16].clone()
    expected = {source.unvaried(number)[1].tobytes() for number in range(80)}
    assert all(truth.numpy().tobytes() in expected for truth in truths)


def test_its_processes_end_with_it(tmp_path: Path):
    made = Bank(source_of(config_of(tmp_path)), CPU, 0.06, 2)
    processes = [process.pid for process in made._processes]
    made.close()
    for pid in processes:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_picture_that_cannot_be_drawn_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise DataError("photo 7 is damaged")

    monkeypatch.setattr(bank_module, "draw_layers", fail)
    config = config_of(tmp_path)
    stream = composed_batches(config, source_of(config), CPU)
    with closing(stream), pytest.raises(DataError, match="photo 7 is damaged"):
        next(stream)


def test_a_killed_process_ends_the_run(bank: Bank):
    bank._processes[0].kill()
    bank._processes[0].join()
    with pytest.raises(DataError, match="has ended"), bank.reading():
        pass


def test_a_collector_that_failed_ends_the_run(bank: Bank):
    """Otherwise the same pictures would be shown again and again, and nobody would know."""
    bank._enough.set()
    bank._collector.join()
    with pytest.raises(DataError, match="collects"), bank.reading():
        pass


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_none_of_a_batch_may_be_composed(tmp_path: Path, share: float):
    config = config_of(tmp_path, compose=COMPOSE | {"share": share})
    with closing(composed_batches(config, source_of(config), CPU)) as stream:
        canvas, truth, _ = next(stream)
    assert len(canvas) == len(truth) == 4
    assert truth.isfinite().all()


def test_too_little_memory_is_said(tmp_path: Path):
    with pytest.raises(DataError, match="compose"):
        Bank(source_of(config_of(tmp_path)), CPU, 0.001, 1)


@pytest.mark.parametrize("scale", [1, 2])
def test_batches_are_the_loaders(tmp_path: Path, scale: int):
    config = config_of(tmp_path, canvas_scale=scale)
    source = source_of(config)
    expected = next(iter(data.loader(source, 0, 4, 4, 0)))
    with closing(composed_batches(config, source, CPU)) as stream:
        batch = next(stream)
        other = next(stream)
    for found, like in zip(batch, expected, strict=True):
        assert (found.shape, found.dtype) == (like.shape, like.dtype)
    canvas, truth, shapes = batch
    assert not torch.equal(canvas, other[0])
    assert truth.isfinite().all()
    assert (shapes == 0).all()
    mask = canvas[..., 3:]
    assert (canvas[..., :3][(mask == 0).expand(-1, -1, -1, 3)] == 0).all()


def test_a_run_trains_on_them(tmp_path: Path):
    config = config_of(tmp_path)
    sources = data.sources(config)
    assert loop.run(config, *sources, StopFlag())
    model, _ = checkpoint.load_model(tmp_path / "last.pth")
    assert all(weight.isfinite().all() for weight in model.parameters())
    assert checkpoint.load(tmp_path / "last.pth")["global_step"] == 4


@pytest.mark.parametrize(
    "changes",
    [{"distinct_pictures": 10}, {"dataset": "a", "validation_dataset": "b"}],
)
def test_what_does_not_go_with_it_is_refused(changes: dict[str, object]):
    with pytest.raises(ConfigError, match="compose"):
        parse_config({"data": {"compose": {}} | changes})
