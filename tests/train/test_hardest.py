"""Showing mostly the pictures that the weights a run starts from know least."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.commands import assert_same_run
from tests.train.small import small_config
from tests.train.test_loop import StopsAfter
from train import checkpoint, data, hardest, loop
from train.config import Config, ConfigError
from train.generated import GeneratedPictures
from train.losses import picture_losses
from train.state import TrainState
from train.stop import StopFlag
from train.targets import encode

CPU = torch.device("cpu")


def config(save_dir: Path, share: float | None = 0.5) -> Config:
    """Of 12 pictures 6, in three epochs of three steps of two."""
    return small_config(
        save_dir,
        monitor={"tensorboard": False},
        data={
            "distinct_pictures": 12,
            "hardest_share": share,
            "validation_pictures": 2,
            "canvas_scale": 2,
            "cache": True,
        },
    )


def training_source(config: Config) -> GeneratedPictures:
    source, _ = data.sources(config)
    assert isinstance(source, GeneratedPictures)
    return source


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    one = small_config(folder, training={"num_epochs": 1}, data={"canvas_scale": 2})
    assert loop.run(one, *data.sources(one), StopFlag())
    return folder / "last.pth"


def one_by_one(state: TrainState, source: GeneratedPictures) -> list[float]:
    """Every distinct picture's loss, in batches of one."""
    losses = []
    for number in range(source.distinct or 0):
        canvas, truth, _ = data.collate([source.unvaried(number)])
        with torch.no_grad():
            raw, _ = state.evaluated_model.eval().forward_training(data.network_input(canvas))
        losses.append(float(picture_losses(raw, encode(truth, (32, 64)))))
    return losses


def run(
    config: Config,
    weights: Path | None = None,
    resume: Path | None = None,
    stop: StopFlag | None = None,
) -> bool:
    return loop.run(config, *data.sources(config), stop or StopFlag(), resume, weights)


def test_the_hardest_and_a_few_others(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against every picture's loss on its own; batches of five do not divide the twelve."""
    monkeypatch.setattr(hardest, "_BATCH", 5)
    state = TrainState(config(tmp_path), CPU)
    state.start_from(weights)
    source = training_source(state.config)
    losses = one_by_one(state, source)
    found = hardest.hardest(state, source, 0.5, StopFlag())
    assert found is not None
    ranking = np.argsort(losses)[::-1]
    assert len(set(found.tolist())) == 6
    assert set(ranking[:5].tolist()) < set(found.tolist())  # 5 + 1 of the others
    assert found.tolist() == sorted(found.tolist())
    everything = hardest.hardest(state, source, 1.0, StopFlag())
    assert everything is not None
    assert everything.tolist() == list(range(12))


def test_which_others_follows_from_the_seed(tmp_path: Path, weights: Path) -> None:
    state = TrainState(config(tmp_path), CPU)
    state.start_from(weights)
    source = training_source(state.config)
    found = [hardest.hardest(state, source, 0.5, StopFlag()) for _ in range(2)]
    assert np.array_equal(found[0], found[1])
    others = set()
    for seed in range(8):  # the same pictures, to be chosen from anew
        source.showing = replace(source.showing, seed=seed)
        chosen = hardest.hardest(state, source, 0.5, StopFlag())
        assert chosen is not None
        others |= set(chosen.tolist())
    assert len(others) > 6


def test_a_run_shows_these_alone_and_resumes_bit_for_bit(tmp_path: Path, weights: Path) -> None:
    straight = config(tmp_path / "straight")
    source, validation = data.sources(straight)
    assert loop.run(straight, source, validation, StopFlag(), None, weights)
    saved = checkpoint.load(tmp_path / "straight" / "last.pth")
    numbers = {source.number(epoch, position) for epoch in range(3) for position in range(6)}
    assert sorted(numbers) == saved["shown"].tolist()

    stopped = config(tmp_path / "stopped")
    scoring = -(-12 // hardest._BATCH) + 1  # read before every batch, and after them
    assert not run(stopped, weights, stop=StopsAfter(scoring + 4))
    last = tmp_path / "stopped" / "last.pth"
    assert checkpoint.load(last)["global_step"] == 5
    assert run(stopped, resume=last)
    assert_same_run(last, tmp_path / "straight" / "last.pth")


def test_a_stop_while_scoring_ends_the_run(tmp_path: Path, weights: Path) -> None:
    stop = StopFlag()
    stop.set()
    assert not run(config(tmp_path), weights, stop=stop)
    assert not (tmp_path / "last.pth").exists()


def test_it_needs_weights_that_can_tell(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hardest_share: .* --weights"):
        run(config(tmp_path))


def test_without_a_share_everything_is_shown(tmp_path: Path, weights: Path) -> None:
    assert run(config(tmp_path, share=None), weights)
    assert checkpoint.load(tmp_path / "last.pth")["shown"] is None
