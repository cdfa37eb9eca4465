from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.fakes import FakePictures
from tests.train.small import SMALL, small_config
from train import checkpoint, loop, strip
from train.checkpoint import CheckpointError
from train.config import Config
from train.state import TrainState
from train.stop import StopFlag

CPU = torch.device("cpu")


def saved(path: Path, seed: int, config: Config) -> Path:
    """A checkpoint of a network with random weights and another random average of them."""
    state = TrainState(config, CPU)
    torch.manual_seed(seed)
    assert state.ema is not None
    with torch.no_grad():
        for parameter in state.ema.module.parameters():
            parameter.copy_(torch.randn_like(parameter))
    checkpoint.save(path, state.to_checkpoint())
    return path


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load_model(path)[0].state_dict()


def test_one_keeps_its_weights_as_they_are_starts_runs_and_cannot_be_resumed(
    tmp_path: Path,
) -> None:
    config = small_config(tmp_path)
    whole = saved(tmp_path / "whole.pth", 0, config)
    stripped = tmp_path / "weights.pth"
    assert strip.main([str(whole), "-o", str(stripped)]) == 0
    assert stripped.stat().st_size < whole.stat().st_size / 2
    kept = weights_of(stripped)
    for name, value in weights_of(whole).items():
        assert torch.equal(kept[name], value), name
    TrainState(config, CPU).start_from(stripped)
    with pytest.raises(CheckpointError, match="--weights"):
        loop.run(config, FakePictures(), FakePictures(5), StopFlag(), stripped)


def test_of_several_it_is_the_mean(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    whole = [saved(tmp_path / f"{seed}.pth", seed, config) for seed in range(3)]
    target = tmp_path / "mean.pth"
    assert strip.main([*map(str, whole), "-o", str(target)]) == 0
    mean, parts = weights_of(target), [weights_of(path) for path in whole]
    for name, value in mean.items():
        expected = np.mean([part[name].numpy() for part in parts], axis=0)
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-6, atol=1e-7, err_msg=name)
        assert value.dtype == parts[0][name].dtype
    assert not torch.equal(mean["head.out.weight"], parts[0]["head.out.weight"])


def test_it_forgets_where_things_lay(tmp_path: Path) -> None:
    data = {"backgrounds": str(tmp_path / "photographs")}
    whole = saved(tmp_path / "whole.pth", 0, small_config(tmp_path / "runs" / "one", data=data))
    target = tmp_path / "weights.pth"
    strip.strip([whole], target)
    _, config = checkpoint.load_model(target)
    assert (config.data.backgrounds, config.checkpoints.save_dir) == ("photographs", "one")
    assert str(tmp_path).encode() not in target.read_bytes()


def test_the_shipped_weights_tell_no_places() -> None:
    shipped = Path(__file__).parents[2] / "train" / "weights" / "edge.pth"
    config = checkpoint.load(shipped)["config"]
    for section, name in strip.PLACES:
        place = config[section][name]
        assert place is None or "/" not in place, (section, name)


def test_networks_that_differ_have_no_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = saved(tmp_path / "one.pth", 0, small_config(tmp_path))
    wider = small_config(tmp_path, model=SMALL | {"fpn_width": 12})
    other = saved(tmp_path / "other.pth", 0, wider)
    assert strip.main([str(one), str(other), "-o", str(tmp_path / "mean.pth")]) == 2
    error = capsys.readouterr().err
    assert "other.pth: not the network of" in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "mean.pth").exists()


def test_a_foreign_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = tmp_path / "foreign.pth"
    foreign.write_text("no checkpoint")
    assert strip.main([str(foreign), "-o", str(tmp_path / "weights.pth")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
