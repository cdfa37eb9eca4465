import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.commands import assert_same_run
from tests.train.fakes import FakePictures
from tests.train.small import small_config
from train import checkpoint, loop
from train.checkpoint import CheckpointError
from train.config import Config, ConfigError, load_config
from train.metrics import ValidationReport
from train.source import Source
from train.state import TrainState
from train.step import Step
from train.stop import StopFlag, stop_on_signals

CPU = torch.device("cpu")


class StopsAfter(StopFlag):
    """Asks for a stop once it was read `reads` times."""

    def __init__(self, reads: int) -> None:
        super().__init__()
        self._reads = reads

    @property
    def is_set(self) -> bool:
        self._reads -= 1
        return self._reads < 0

    @is_set.setter
    def is_set(self, _value: bool) -> None:
        """The base class's constructor clears the flag."""


def quiet(save_dir: Path, **sections: dict[str, Any]) -> Config:
    """Without TensorBoard; with dropout, whose masks are drawn at random."""
    given = {"model": {"dropout": 0.3}, "monitor": {"tensorboard": False}}
    return small_config(save_dir, **given, **sections)


def run(config: Config, stop: StopFlag | None = None, resume: Path | None = None) -> bool:
    return loop.run(config, FakePictures(), FakePictures(5), stop or StopFlag(), resume)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    save_dir = tmp_path_factory.mktemp("whole")
    assert run(small_config(save_dir, model={"dropout": 0.3}))
    return save_dir


def test_a_run_writes_its_files(whole: Path) -> None:
    # The log file is there when something was logged: when a test before this one set the log up.
    names = {path.name for path in whole.iterdir() if path.suffix != ".log"}
    assert names == {
        "best_model.pth",
        "config.yaml",
        "epoch_001.pth",
        "epoch_002.pth",
        "epoch_003.pth",
        "history.jsonl",
        "last.pth",
        "tensorboard",
    }
    assert any((whole / "tensorboard").iterdir())
    given = small_config(whole, model={"dropout": 0.3})
    assert load_config(whole / "config.yaml") == given
    last = checkpoint.load(whole / "last.pth")
    assert (last["epoch"], last["global_step"], last["step_in_epoch"]) == (3, 9, 0)
    assert last["metrics"].keys() >= {
        "train_loss",
        "val_loss",
        "val_mae",
        "val_acc_5px",
        "val_acc_3px",
        "best_mae",
    }
    assert_same_run(whole / "epoch_003.pth", whole / "last.pth")
    assert checkpoint.load(whole / "epoch_002.pth")["epoch"] == 2
    best = checkpoint.load(whole / "best_model.pth")
    assert best["metrics"]["val_mae"] == best["metrics"]["best_mae"]
    assert last["metrics"]["best_mae"] == best["metrics"]["best_mae"]


# In the middle of an epoch, and between its last step and its validation.
@pytest.mark.parametrize(("reads", "step_in_epoch"), [(4, 2), (5, 3)])
def test_an_interrupted_run_continues_bit_for_bit(
    whole: Path, tmp_path: Path, reads: int, step_in_epoch: int
) -> None:
    config = quiet(tmp_path)
    assert not run(config, StopsAfter(reads))
    last = tmp_path / "last.pth"
    assert checkpoint.load(last)["step_in_epoch"] == step_in_epoch
    torch.manual_seed(999)
    assert run(config, resume=last)
    assert_same_run(last, whole / "last.pth")


def test_any_epochs_checkpoint_continues_bit_for_bit(whole: Path, tmp_path: Path) -> None:
    assert run(quiet(tmp_path), resume=whole / "epoch_002.pth")
    assert_same_run(tmp_path / "last.pth", whole / "last.pth")


def test_resuming_with_other_settings_is_refused_by_name(whole: Path, tmp_path: Path) -> None:
    other = quiet(tmp_path, training={"batch_size": 3}, data={"seed": 4})
    with pytest.raises(CheckpointError, match=r"training\.batch_size, data\.seed"):
        run(other, resume=whole / "last.pth")


def test_workers_and_folders_may_change_on_resume(whole: Path, tmp_path: Path) -> None:
    config = quiet(tmp_path, data={"workers": 1}, training={"threads": 2})
    assert run(config, resume=whole / "last.pth")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer_state_dict", {"state": {}, "param_groups": []}),
        ("scheduler_state_dict", {}),
        ("config", {"training": {"optimizer": {"type": "Adagrad"}}}),
        ("random_state", {"torch": 1}),
    ],
)
def test_a_damaged_checkpoint_is_refused_with_one_line(
    whole: Path, tmp_path: Path, key: str, value: object
) -> None:
    path = tmp_path / "damaged.pth"
    checkpoint.save(path, checkpoint.load(whole / "last.pth") | {key: value})
    with pytest.raises(CheckpointError, match=r"damaged\.pth: cannot be resumed") as caught:
        run(quiet(tmp_path), resume=path)
    assert "\n" not in str(caught.value)


def test_an_epoch_shorter_than_a_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.pictures_per_epoch = 6: a step alone takes 8"):
        run(quiet(tmp_path, training={"batch_size": 4, "accumulation_steps": 2}))


def test_pictures_that_make_no_whole_step_are_left_out(tmp_path: Path) -> None:
    """Every epoch starts with its own first picture."""

    class Noting(FakePictures):
        def __getitem__(self, key: tuple[int, int]) -> Any:
            shown.append(key)
            return super().__getitem__(key)

    shown: list[tuple[int, int]] = []
    config = quiet(tmp_path, training={"accumulation_steps": 2, "num_epochs": 2})
    loop.run(config, Noting(7), FakePictures(2), StopFlag())
    assert shown == [(epoch, position) for epoch in (0, 1) for position in range(4)]


def test_a_validation_may_have_one_picture(tmp_path: Path) -> None:
    report = loop.validate(TrainState(quiet(tmp_path), CPU), FakePictures(1))
    assert report.metrics["val_mae"] > 0
    assert 0 <= report.metrics["val_pixel_accuracy"] <= 1


@pytest.fixture
def errors_px(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """What coming validations find, first to last; those that were made are taken off."""
    coming: list[float] = []

    class Found:
        def __init__(self, error_px: float) -> None:
            self.metrics = {"val_mae": error_px}
            self.detection = "made up"

    def validate(_state: TrainState, _source: Source) -> Found:
        return Found(coming.pop(0))

    monkeypatch.setattr(loop, "validate", validate)
    return coming


def train_step(state: TrainState, *_: object) -> Step:
    """One that takes no time: without gradients nothing moves."""
    state.optimizer.step()
    return Step({"loss": 1.0}, 1.0, None)


@pytest.fixture
def no_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "train_step", train_step)


@pytest.mark.usefixtures("no_steps")
def test_the_best_is_kept_when_the_last_is_worse(tmp_path: Path, errors_px: list[float]) -> None:
    errors_px += [7.0, 3.0, 5.0]
    run(quiet(tmp_path))
    assert checkpoint.load(tmp_path / "best_model.pth")["epoch"] == 2
    last = checkpoint.load(tmp_path / "last.pth")
    assert last["metrics"]["best_mae"] == 3.0
    assert last["metrics"]["val_mae"] == 5.0


@pytest.mark.usefixtures("no_steps")
def test_validation_waits_for_its_interval_but_not_at_the_end(
    tmp_path: Path, errors_px: list[float]
) -> None:
    errors_px += [4.0, 3.0, 2.0, 1.0]
    run(quiet(tmp_path, training={"num_epochs": 5}, validation={"interval": 2}))
    assert errors_px == [1.0]  # validated after epochs 2, 4 and 5
    known = [
        checkpoint.load(tmp_path / f"epoch_{epoch:03}.pth")["metrics"].get("val_mae")
        for epoch in range(1, 6)
    ]
    assert known == [None, 4.0, 4.0, 3.0, 2.0]


@pytest.mark.usefixtures("no_steps")
def test_a_plateau_follows_the_validation_error(tmp_path: Path, errors_px: list[float]) -> None:
    errors_px += [4.0, 5.0, 5.0, 5.0]
    plateau = {"type": "ReduceLROnPlateau", "warmup_epochs": 0, "patience": 0}
    run(quiet(tmp_path, training={"num_epochs": 4, "scheduler": plateau}))
    epochs = [checkpoint.load(tmp_path / f"epoch_{epoch:03}.pth") for epoch in range(1, 5)]
    rates = [epoch["optimizer_state_dict"]["param_groups"][0]["lr"] for epoch in epochs]
    assert rates == pytest.approx([1e-2, 5e-3, 2.5e-3, 1.25e-3])


@pytest.mark.usefixtures("no_steps")
def test_a_run_without_an_answer_has_no_best(tmp_path: Path, errors_px: list[float]) -> None:
    errors_px += [float("nan")] * 3
    assert run(quiet(tmp_path))
    assert not (tmp_path / "best_model.pth").exists()


def test_the_monitor_is_told_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Listening(loop.NullMonitor):
        @property
        def wants_update_ratio(self) -> bool:
            return len(told) % 2 == 0

        def step(
            self,
            losses: dict[str, float],
            gradient_norm: float,
            update_ratio: float | None,
            data_s: float,
            batch_s: float,
        ) -> None:
            assert (update_ratio is not None) is self.wants_update_ratio
            assert 0 <= data_s < batch_s
            assert gradient_norm > 0
            told.append("step")

        def validated(self, report: ValidationReport) -> None:
            told.append("validated")

        def epoch_done(self, metrics: dict[str, float], is_best: bool) -> None:
            assert metrics["train_loss"] > 0
            assert checkpoint.load(tmp_path / "last.pth")["epoch"] == 0
            told.append(f"done {is_best}")

        def close(self) -> None:
            told.append("closed")

    monkeypatch.setattr(loop, "Monitor", lambda *_: Listening())
    run(quiet(tmp_path, training={"num_epochs": 1}))
    assert told == ["step", "step", "step", "validated", "done True", "closed"]


def test_the_means_of_an_epoch_survive_an_interruption(whole: Path, tmp_path: Path) -> None:
    lines = (whole / "history.jsonl").read_text().splitlines()
    expected = json.loads(lines[1])["train_loss"]
    config = quiet(tmp_path)
    run(config, StopsAfter(4))
    state = TrainState(config, CPU)
    state.restore(tmp_path / "last.pth")
    before, state.config = state.means["loss"], config
    assert before != expected
    run(config, resume=tmp_path / "last.pth")
    assert checkpoint.load(tmp_path / "epoch_002.pth")["metrics"]["train_loss"] == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_sets_the_flag_and_the_handlers_come_back(number: int) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.is_set
        os.kill(os.getpid(), number)
        assert stop.is_set
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


def test_weights_of_a_checkpoint_start_a_new_run(whole: Path, tmp_path: Path) -> None:
    state = TrainState(small_config(tmp_path), CPU)
    state.start_from(whole / "best_model.pth")
    taken, _ = checkpoint.load_model(whole / "best_model.pth")
    for network in (state.model, state.evaluated_model):
        for name, value in network.state_dict().items():
            assert torch.equal(value, taken.state_dict()[name]), name
    assert state.global_step == 0
    assert state.metrics == {"best_mae": float("inf")}


def test_a_run_without_batch_norms_starts_from_weights_that_have_them(
    whole: Path, tmp_path: Path
) -> None:
    config = small_config(tmp_path, model={"batch_norm": False})
    state = TrainState(config, CPU)
    state.start_from(whole / "best_model.pth")
    taken, _ = checkpoint.load_model(whole / "best_model.pth")
    canvas = torch.rand(1, 4, 256, 512, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = taken.eval().forward_raw(canvas)
        for network in (state.model, state.evaluated_model):
            found = network.eval().forward_raw(canvas)
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert loop.run(
        config, FakePictures(), FakePictures(5), StopFlag(), weights=whole / "best_model.pth"
    )
    trained, same_config = checkpoint.load_model(tmp_path / "best_model.pth")
    assert not same_config.model.batch_norm
    assert not any("norm" in name for name in trained.state_dict())
