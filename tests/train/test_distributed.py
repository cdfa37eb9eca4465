"""Two processes over gloo against one process that gathers the same pictures in more batches."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.commands import finish, run_ranks, start, written
from tests.train.small import small_config
from train import __main__ as command
from train import checkpoint, data, loop
from train.config import Config
from train.state import TrainState

CPU = torch.device("cpu")


def config(save_dir: Path, accumulation_steps: int = 2) -> Config:
    """Two epochs of two steps, each of one picture for every process and accumulated batch.

    With SGD, because AdamW's first steps follow the signs of gradients that are almost 0.
    """
    return small_config(
        save_dir,
        training={
            "batch_size": 1,
            "accumulation_steps": accumulation_steps,
            "num_epochs": 2,
            "optimizer": {"type": "SGD", "lr": 0.01},
        },
        data={"pictures_per_epoch": 9, "validation_pictures": 5},
        validation={"interval": 2},
        monitor={"tensorboard": False},
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two processes that torchrun started."""
    folder = tmp_path_factory.mktemp("together")
    path = written(config(folder / "run"), folder / "config.yaml")
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", 2]
    code, output = finish(start([*torchrun, "-m", "train", "--config", path, "--distributed"]))
    assert code == 0, output
    assert "Warning" not in output
    return folder / "run"


def test_two_processes_train_as_one(together: Path, tmp_path: Path) -> None:
    path = written(config(tmp_path / "run", accumulation_steps=4), tmp_path / "config.yaml")
    assert command.main(["--config", str(path)]) == 0
    ours = checkpoint.load(together / "last.pth")
    theirs = checkpoint.load(tmp_path / "run" / "last.pth")
    assert (
        (ours["epoch"], ours["global_step"]) == (theirs["epoch"], theirs["global_step"]) == (2, 4)
    )
    for name in ("train_loss", "train_heatmap", "train_angle"):
        assert ours["metrics"][name] == pytest.approx(theirs["metrics"][name], rel=1e-4)
    fresh = TrainState(config(tmp_path), CPU).model
    for name, _ in fresh.named_parameters():
        for key, prefix in (("model_state_dict", ""), ("ema_state_dict", "module.")):
            one, other = (saved[key][prefix + name] for saved in (ours, theirs))
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    moved = ours["model_state_dict"]["head.out.weight"] - fresh.head.out.weight
    assert moved.abs().max() > 1e-3


def test_the_first_rank_alone_writes_once(together: Path) -> None:
    names = {path.name for path in together.iterdir() if path.suffix in (".pth", ".yaml")}
    assert names == {"epoch_001.pth", "epoch_002.pth", "last.pth", "best_model.pth", "config.yaml"}
    (log,) = together.glob("training_*.log")
    assert log.read_text().count("epoch: 2 done") == 1


def test_validation_covers_every_picture_with_one_set_of_statistics(together: Path) -> None:
    """What two ranks measured on their shares is what one finds with the saved weights."""
    saved = checkpoint.load(together / "last.pth")
    state = TrainState(config(together), CPU)
    assert state.ema is not None
    state.ema.load_state_dict(saved["ema_state_dict"])
    metrics = loop.validate(state, data.sources(state.config)[1]).metrics
    for name in ("val_loss", "val_mae", "val_mae_gap", "val_acc_10px", "val_dice"):
        assert metrics[name] == pytest.approx(saved["metrics"][name], rel=1e-4), name


def test_a_signal_to_one_rank_stops_all_at_the_same_step_and_the_run_goes_on(
    together: Path, tmp_path: Path
) -> None:
    path = written(config(tmp_path / "run"), tmp_path / "config.yaml")
    options: list[object] = ["--config", path, "--distributed"]
    number = int(signal.SIGTERM)
    ended = run_ranks([["train", *options], ["tests.train.signalled", number, 2, *options]])
    assert [code for code, _ in ended] == [130, 130], ended
    last = tmp_path / "run" / "last.pth"
    interrupted = checkpoint.load(last)
    assert (interrupted["global_step"], interrupted["epoch"]) == (3, 1)
    assert len(interrupted["other_random_states"]) == 1
    ended = run_ranks([["train", *options, "--resume", last]] * 2)
    assert [code for code, _ in ended] == [0, 0], ended
    weights_only = [name for name, _ in TrainState(config(tmp_path), CPU).model.named_parameters()]
    ours, theirs = (checkpoint.load(of / "last.pth") for of in (last.parent, together))
    for name in weights_only:
        assert torch.equal(ours["model_state_dict"][name], theirs["model_state_dict"][name]), name
    assert_close_metrics(ours["metrics"], theirs["metrics"])


def assert_close_metrics(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Statistics were averaged once more, which rounds."""
    assert ours == pytest.approx(theirs, rel=1e-4, nan_ok=True)


def test_ranks_agree() -> None:
    ended = run_ranks([["tests.train.ranks"]] * 2)
    assert [code for code, _ in ended] == [0, 0], ended


def test_another_number_of_processes_cannot_resume(together: Path, tmp_path: Path) -> None:
    state = TrainState(config(tmp_path), CPU)
    state.pictures_per_step *= 2
    with pytest.raises(checkpoint.CheckpointError, match="made by 2 processes, this run has 1"):
        state.restore(together / "last.pth")


@pytest.mark.parametrize(
    ("options", "environment", "named"),
    [
        (["--distributed"], {}, "torchrun"),
        ([], {"WORLD_SIZE": "2", "RANK": "0"}, "add --distributed"),
    ],
)
def test_torchrun_and_the_option_go_together(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    environment: dict[str, str],
    named: str,
) -> None:
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    path = written(config(tmp_path / "run"), tmp_path / "config.yaml")
    assert command.main(["--config", str(path), *options]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert named in message
    assert not (tmp_path / "run").exists()
