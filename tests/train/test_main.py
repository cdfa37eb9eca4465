from pathlib import Path

import pytest

from tests.train.small import small_config
from train import __main__ as command
from train import checkpoint
from train.config import dump_config


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--set", "training.batchsize=4"], "training.batchsize"),
        (["--set", "data.leave_out=[hart]"], "hart"),
        (["--backgrounds", "/nowhere/photos"], "/nowhere/photos"),
        (["--resume", "/nowhere/last.pth"], "/nowhere/last.pth"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(small_config(tmp_path)))
    assert command.main(["--config", str(path), *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert named in message


def test_a_run_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(small_config(tmp_path / "unused")))
    save_dir = tmp_path / "2026"
    options = ["--save-dir", str(save_dir), "--set", "training.num_epochs=1", "--amp"]
    assert command.main(["--config", str(path), *options]) == 0
    model, config = checkpoint.load_model(save_dir / "best_model.pth")
    assert config.training.amp
    assert config.training.num_epochs == 1
    assert config.checkpoints.save_dir == str(save_dir)
    assert model.head.out.weight.shape == (8, 8, 1, 1)
    assert "epoch 1/1 done" in capsys.readouterr().out
