import errno
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.small import SMALL, small_config
from train import checkpoint
from train.checkpoint import CheckpointError
from train.state import TrainState

CPU = torch.device("cpu")


@pytest.fixture
def saved(tmp_path: Path) -> tuple[TrainState, Path]:
    state = TrainState(small_config(tmp_path), CPU)
    with torch.no_grad():
        for parameter in state.model.parameters():
            parameter.add_(1)
    state.optimizer.step()
    state.step_made({"loss": 1.0})
    with torch.no_grad():
        for parameter in state.model.parameters():
            parameter.add_(1)
    path = tmp_path / "last.pth"
    checkpoint.save(path, state.to_checkpoint())
    return state, path


def test_load_model_gives_the_averaged_weights_in_eval_mode(saved: tuple[TrainState, Path]) -> None:
    state, path = saved
    model, config = checkpoint.load_model(path)
    assert config == state.config
    assert not model.training
    weights = model.state_dict()
    assert state.ema is not None
    for name, value in state.ema.module.state_dict().items():
        assert torch.equal(weights[name], value)
    assert not torch.equal(weights["head.out.weight"], state.model.head.out.weight)


def test_without_an_average_the_plain_weights_are_loaded(tmp_path: Path) -> None:
    config = small_config(tmp_path, training={"ema": {"enabled": False}})
    state = TrainState(config, CPU)
    path = tmp_path / "last.pth"
    checkpoint.save(path, state.to_checkpoint())
    model, _ = checkpoint.load_model(path)
    assert torch.equal(model.head.out.weight, state.model.head.out.weight)


def test_the_documented_keys_are_there(saved: tuple[TrainState, Path]) -> None:
    content = checkpoint.load(saved[1])
    assert content.keys() >= {
        "epoch",
        "model_state_dict",
        "optimizer_state_dict",
        "scheduler_state_dict",
        "ema_state_dict",
        "metrics",
        "config",
        "random_state",
    }
    assert content.keys() >= checkpoint.REQUIRED_KEYS
    assert content["random_state"].keys() == {"torch", "numpy", "random", "cuda"}
    assert (content["global_step"], content["step_in_epoch"]) == (1, 1)
    assert content["scaler_state_dict"] == {}


def test_nothing_but_the_file_remains(saved: tuple[TrainState, Path]) -> None:
    assert [path.name for path in saved[1].parent.iterdir()] == ["last.pth"]


def fails(path: Path, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason) as caught:
        checkpoint.save(path, {})
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_full_disk_keeps_the_old_file(saved: tuple[TrainState, Path]) -> None:
    """Writing through the name of the temporary file to a device that is always full."""
    _, path = saved
    before = path.read_bytes()
    path.with_name("last.pth.tmp").symlink_to("/dev/full")
    fails(path, "No space left on device; the one written before is whole")
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["last.pth"]
    checkpoint.save(path, {})
    assert path.read_bytes() != before


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_late_keeps_the_old_file(
    saved: tuple[TrainState, Path], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    _, path = saved
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, call, fail)
    fails(path, "Input/output error")
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["last.pth"]


def test_the_content_is_on_the_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)

        def note(*arguments: object, name: str = name, original: object = original) -> None:
            calls.append(name)
            original(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(os, name, note)
    checkpoint.save(tmp_path / "last.pth", {})
    assert calls == ["fsync", "replace", "fsync"]  # the file, its new name, the folder


def test_a_first_write_that_fails_promises_nothing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be written: No such file or directory$"):
        checkpoint.save(tmp_path / "nowhere" / "last.pth", {})


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved: tuple[TrainState, Path], kept: float) -> None:
    _, path = saved
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else int(kept)])
    refuses(path, "not a whole checkpoint")


@pytest.mark.parametrize("content", [{"weights": torch.zeros(1)}, [1, 2], torch.zeros(3)])
def test_a_foreign_file_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "foreign.pth"
    torch.save(content, path)
    refuses(path, "not a training checkpoint")


def test_code_is_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"model_state_dict": Path("x")}, path)
    refuses(path, "not a whole checkpoint")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refuses(tmp_path / "nowhere.pth", "No such file")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    refuses(tmp_path, "cannot be read")


def test_weights_without_a_shape_head_start_it_afresh(
    saved: tuple[TrainState, Path], tmp_path: Path
) -> None:
    """As older checkpoints are: the head serves training alone."""
    state, path = saved
    assert state.ema is not None
    content = checkpoint.load(path)
    assert "shapes.weight" in content["model_state_dict"]
    for weights in (content["model_state_dict"], content["ema_state_dict"]):
        for name in [name for name in weights if "shapes." in name]:
            del weights[name]
    checkpoint.save(path, content)
    model, _ = checkpoint.load_model(path)
    assert model.shapes is not None
    assert not model.shapes.weight.any()
    assert torch.equal(model.head.out.weight, state.ema.module.head.out.weight)
    fresh = TrainState(small_config(tmp_path), CPU)
    fresh.start_from(path)
    assert torch.equal(fresh.model.head.out.weight, model.head.out.weight)


def test_another_networks_weights_are_refused(saved: tuple[TrainState, Path]) -> None:
    _, path = saved
    content = checkpoint.load(path)
    content["config"]["model"]["fpn_width"] = SMALL["fpn_width"] * 2
    checkpoint.save(path, content)
    refuses(path, "another network")


def test_a_config_of_another_version_is_refused(saved: tuple[TrainState, Path]) -> None:
    _, path = saved
    content = checkpoint.load(path)
    content["config"]["model"]["gates"] = True
    checkpoint.save(path, content)
    refuses(path, "model.gates")


def refuses(path: Path, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason) as caught:
        checkpoint.load_model(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


def test_random_state_round_trip() -> None:
    state = checkpoint.random_state()
    first = (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random())  # noqa: NPY002
    checkpoint.restore_random_state(state)
    again = (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random())  # noqa: NPY002
    assert first == again
