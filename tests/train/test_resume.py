"""A run that is killed and resumed ends as the one that ran straight through, bit for bit."""

import signal
from pathlib import Path

import pytest

from tests.train.commands import assert_same_run, finish, start, written
from tests.train.small import small_config
from train import __main__ as command
from train import checkpoint
from train.config import Config


def config(save_dir: Path, save_minutes: float) -> Config:
    """Three epochs of two steps of two batches; with dropout, whose masks are drawn at random."""
    return small_config(
        save_dir,
        model={"dropout": 0.3},
        training={"batch_size": 1, "accumulation_steps": 2},
        data={"pictures_per_epoch": 5, "validation_pictures": 2},
        checkpoints={"save_minutes": save_minutes},
        monitor={"tensorboard": False},
    )


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight")
    path = written(config(folder / "run", 30), folder / "config.yaml")
    assert command.main(["--config", str(path)]) == 0
    return folder / "run" / "last.pth"


# Once with a checkpoint after every step, once with none since the end of the first epoch.
@pytest.mark.parametrize(("save_minutes", "found"), [(1e-9, 3), (30, 2)])
def test_killed_in_the_middle_of_an_epoch(
    straight: Path, tmp_path: Path, save_minutes: float, found: int
) -> None:
    path = written(config(tmp_path / "run", save_minutes), tmp_path / "config.yaml")
    killed = ["tests.train.signalled", int(signal.SIGKILL), 3, "--config", path]
    code, output = finish(start(killed))
    assert code == -signal.SIGKILL, output
    last = tmp_path / "run" / "last.pth"
    assert checkpoint.load(last)["global_step"] == found
    assert command.main(["--config", str(path), "--resume", str(last)]) == 0
    assert_same_run(last, straight)


def test_told_to_stop(straight: Path, tmp_path: Path) -> None:
    path = written(config(tmp_path / "run", 30), tmp_path / "config.yaml")
    stopped = ["tests.train.signalled", int(signal.SIGTERM), 2, "--config", path]
    code, output = finish(start(stopped))
    assert code == 130, output
    assert "stopped at step 3" in output  # the step was finished
    last = tmp_path / "run" / "last.pth"
    assert checkpoint.load(last)["step_in_epoch"] == 1
    assert command.main(["--config", str(path), "--resume", str(last)]) == 0
    assert_same_run(last, straight)
