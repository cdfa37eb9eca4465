from pathlib import Path

import pytest

from tests.train.commands import written
from tests.train.small import small_config
from train import __main__ as command
from train import checkpoint


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--set", "training.batchsize=4"], "training.batchsize"),
        (["--set", "data.leave_out=[hart]"], "hart"),
        (["--backgrounds", "/nowhere/photos"], "/nowhere/photos"),
        (["--resume", "/nowhere/last.pth"], "/nowhere/last.pth"),
        (["--weights", "/nowhere/best.pth"], "/nowhere/best.pth"),
        (["--set", "training.augmentation.random_rotate=[-5, 5"], "random_rotate=[-5, 5"),
        (["--set", "training.batch_size=7"], "data.pictures_per_epoch = 6"),
        (["--save-dir", "/dev/null/run"], "/dev/null/run"),
        (["--leave-out", "heart", "hart"], "hart"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    path = written(small_config(tmp_path), tmp_path / "given.yaml")
    assert command.main(["--config", str(path), *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert named in message


def test_a_run_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(small_config(tmp_path / "unused"), tmp_path / "given.yaml")
    save_dir = tmp_path / "2026"
    options = ["--save-dir", str(save_dir), "--set", "training.num_epochs=1", "--amp"]
    options += ["--leave-out", "heart", "gradient-fill"]
    assert command.main(["--config", str(path), *options]) == 0
    model, config = checkpoint.load_model(save_dir / "best_model.pth")
    assert config.training.amp
    assert config.training.num_epochs == 1
    assert config.data.leave_out == ("heart", "gradient-fill")
    assert config.checkpoints.save_dir == str(save_dir)
    assert model.head.out.weight.shape == (24, 8, 1, 1)
    assert "epoch: 1 done" in capsys.readouterr().out
    (log,) = save_dir.glob("training_*.log")
    assert "epoch: 1 done" in log.read_text()


def test_a_loss_that_is_not_finite_ends_the_run_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optimizer = {"type": "SGD", "lr": 1e30, "momentum": 0, "nesterov": False}
    scheduler = {"type": "StepLR", "warmup_epochs": 0}
    config = small_config(tmp_path, training={"optimizer": optimizer, "scheduler": scheduler})
    path = written(config, tmp_path / "given.yaml")
    assert command.main(["--config", str(path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: epoch 1, batch 2 (pictures 2 to 3 of the epoch): a loss is")
    assert message.count("\n") == 1


def test_help_shows_how_runs_are_started_and_what_they_leave(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    shown = capsys.readouterr().out
    for part in ("torchrun", "--resume", "--set", "last.pth", "best_model.pth", "Ctrl-C", "130"):
        assert part in shown
    assert max(map(len, shown.splitlines())) <= 100
