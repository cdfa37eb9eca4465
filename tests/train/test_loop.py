import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime import geometry
from tests.train.fakes import FakePictures, sample
from tests.train.small import small_config
from train import checkpoint, data, loop, strip
from train.checkpoint import CheckpointError
from train.config import Config, dump_config, load_config
from train.decode import decode
from train.model import activate
from train.state import TrainState, supports_bfloat16
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


def run(config: Config, stop: StopFlag | None = None, resume: Path | None = None) -> bool:
    return loop.run(config, FakePictures(), FakePictures(), stop or StopFlag(), resume)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    save_dir = tmp_path_factory.mktemp("whole")
    assert run(small_config(save_dir))
    return save_dir


def assert_same_state(ours: Path, theirs: Path) -> None:
    a, b = checkpoint.load(ours), checkpoint.load(theirs)
    for key in ("epoch", "global_step", "step_in_epoch", "metrics", "scheduler_state_dict"):
        assert a[key] == b[key], key
    for key in ("model_state_dict", "ema_state_dict"):
        assert a[key].keys() == b[key].keys()
        for name, value in a[key].items():
            assert torch.equal(value, b[key][name]), name
    for number, slot in a["optimizer_state_dict"]["state"].items():
        for name, value in slot.items():
            assert torch.equal(value, b["optimizer_state_dict"]["state"][number][name])


def test_a_run_writes_its_files(whole: Path) -> None:
    names = sorted(path.name for path in whole.iterdir())
    assert names == ["best_model.pth", "config.yaml", "last.pth"]
    assert load_config(whole / "config.yaml") == small_config(whole)
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
    best = checkpoint.load(whole / "best_model.pth")
    assert best["metrics"]["val_mae"] == best["metrics"]["best_mae"]
    assert last["metrics"]["best_mae"] == best["metrics"]["best_mae"]


@pytest.mark.parametrize("reads", [2, 5])
def test_an_interrupted_run_continues_bit_for_bit(whole: Path, tmp_path: Path, reads: int) -> None:
    config = small_config(tmp_path)
    assert not run(config, StopsAfter(reads))
    interrupted = checkpoint.load(tmp_path / "last.pth")
    assert 0 < interrupted["global_step"] < 9
    torch.manual_seed(999)
    assert run(config, resume=tmp_path / "last.pth")
    assert_same_state(tmp_path / "last.pth", whole / "last.pth")


def test_the_regular_save_alone_is_enough_to_continue(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies without a word in the middle of an epoch."""
    config = small_config(tmp_path, checkpoints={"save_minutes": 1e-9})
    made, original = [], loop.train_step

    def dies(state: TrainState, batch: loop.Batch) -> dict[str, float]:
        if len(made) == 5:
            raise KeyboardInterrupt
        made.append(state.global_step)
        return original(state, batch)

    monkeypatch.setattr(loop, "train_step", dies)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    monkeypatch.undo()
    assert checkpoint.load(tmp_path / "last.pth")["global_step"] == 5
    assert run(config, resume=tmp_path / "last.pth")
    assert_same_state(tmp_path / "last.pth", whole / "last.pth")


def test_resuming_with_other_settings_is_refused_by_name(whole: Path, tmp_path: Path) -> None:
    other = small_config(tmp_path, training={"batch_size": 3}, data={"seed": 4})
    with pytest.raises(CheckpointError, match=r"training\.batch_size, data\.seed"):
        run(other, resume=whole / "last.pth")


def test_workers_and_folders_may_change_on_resume(whole: Path, tmp_path: Path) -> None:
    config = small_config(tmp_path, data={"workers": 1}, training={"threads": 2})
    assert run(config, resume=whole / "last.pth")


def test_the_best_is_kept_when_the_last_is_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([7.0, 3.0, 5.0])
    monkeypatch.setattr(loop, "validate", lambda *_: {"val_mae": next(errors)})
    run(small_config(tmp_path))
    assert checkpoint.load(tmp_path / "best_model.pth")["epoch"] == 2
    last = checkpoint.load(tmp_path / "last.pth")
    assert last["metrics"]["best_mae"] == 3.0
    assert last["metrics"]["val_mae"] == 5.0


def test_validation_waits_for_its_interval_but_not_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []

    def validate(state: TrainState, _set: object) -> dict[str, float]:
        epochs.append(state.epoch)
        return {"val_mae": 1.0}

    monkeypatch.setattr(loop, "validate", validate)
    config = small_config(tmp_path)
    run(
        config.model_copy(
            update={"validation": config.validation.model_copy(update={"interval": 2})}
        )
    )
    assert epochs == [2, 3]


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    state = TrainState(small_config(tmp_path), CPU)
    with torch.no_grad():
        state.model.head.out.bias.fill_(float("nan"))
    batch = next(iter(data.loader(FakePictures(), 0, 2, 2, 0)))
    with pytest.raises(FloatingPointError, match="loss is nan at step 0"):
        loop.train_step(state, batch)


def test_gradients_are_clipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = TrainState(small_config(tmp_path, training={"gradient_clip": 1e-3}), CPU)
    batch = next(iter(data.loader(FakePictures(), 0, 2, 2, 0)))
    loop.train_step(state, batch)
    total = sum(
        float(p.grad.square().sum()) for p in state.model.parameters() if p.grad is not None
    )
    assert total**0.5 == pytest.approx(1e-3, rel=1e-2)


def test_one_batch_can_be_learned_by_heart(tmp_path: Path) -> None:
    config = small_config(tmp_path, training={"optimizer": {"lr": 1e-2}, "num_epochs": 70})
    state = TrainState(config, CPU)
    batch = next(iter(data.loader(FakePictures(), 0, 2, 2, 0)))
    state.model.train()
    first = loop.train_step(state, batch)["loss"]
    state.step_made({})
    for _ in range(150):
        last = loop.train_step(state, batch)["loss"]
        state.step_made({})
    assert last < first / 10
    with torch.no_grad():
        keypoints, _ = decode(activate(state.model.forward_raw(data.network_input(batch[0]))))
    assert loop.point_errors_px(keypoints, batch[1]).max() < 3


def test_point_errors_are_in_picture_pixels() -> None:
    _, truth = data.prepare(sample((200.0, 50.0), (40.0, 50.0), size=(300, 100)))
    letterbox = geometry.Letterbox(300, 100)
    keypoints = torch.zeros(1, 2, 4)
    keypoints[0, :, :2] = torch.from_numpy(letterbox.to_canvas([(203.0, 54.0), (40.0, 50.0)]))
    errors = loop.point_errors_px(keypoints, torch.from_numpy(truth)[None])
    assert errors[0].tolist() == pytest.approx([5.0, 0.0], abs=1e-3)


def test_summary_of_errors_against_numpy() -> None:
    rng = np.random.default_rng(1)
    errors, used = rng.uniform(0, 9, (50, 2)), rng.random((50, 2)) < 0.8
    got = loop.summarise(torch.from_numpy(errors), torch.from_numpy(used))
    assert got["val_mae"] == pytest.approx(errors[used].mean())
    assert got["val_mae_slider"] == pytest.approx(errors[used[:, 1], 1].mean())
    assert got["val_acc_5px"] == pytest.approx((errors[used] <= 5).mean())
    assert got["val_acc_3px_gap"] == pytest.approx((errors[used[:, 0], 0] <= 3).mean())


def test_amp_is_used_only_where_the_machine_computes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(tmp_path, training={"amp": True})
    for has in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has})
        assert supports_bfloat16(CPU) is has
        assert TrainState(config, CPU).amp is has


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_sets_the_flag_and_the_handlers_come_back(number: int) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.is_set
        os.kill(os.getpid(), number)
        assert stop.is_set
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_command_saves_when_it_is_terminated_and_resumes(tmp_path: Path) -> None:
    config = small_config(
        tmp_path / "run",
        data={"workers": 1, "pictures_per_epoch": 4, "validation_pictures": 2},
        training={"num_epochs": 400},
    )
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config))
    command = [sys.executable, "-m", "train", "--config", str(path)]
    last = tmp_path / "run" / "last.pth"
    # Its own group, and the signal to all of it: as a terminal or a service manager does.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, text=True
    ) as process:
        wait_for(lambda: last.exists() or process.poll() is not None)
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "stopped at step" in output
    assert 0 < checkpoint.load(last)["global_step"] < 800


def test_weights_of_a_checkpoint_start_a_new_run(whole: Path, tmp_path: Path) -> None:
    state = TrainState(small_config(tmp_path), CPU)
    state.start_from(whole / "best_model.pth")
    taken, _ = checkpoint.load_model(whole / "best_model.pth")
    for network in (state.model, state.evaluated_model):
        for name, value in network.state_dict().items():
            assert torch.equal(value, taken.state_dict()[name]), name
    assert state.global_step == 0
    assert state.metrics == {"best_mae": float("inf")}


def test_stripped_weights_start_runs_but_cannot_be_resumed(whole: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "weights.pth"
    assert strip.main([str(whole / "best_model.pth"), "-o", str(stripped)]) == 0
    assert stripped.stat().st_size < (whole / "best_model.pth").stat().st_size / 2
    ours, config = checkpoint.load_model(stripped)
    theirs, same_config = checkpoint.load_model(whole / "best_model.pth")
    assert config == same_config
    for name, value in ours.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name]), name
    TrainState(small_config(tmp_path), CPU).start_from(stripped)
    with pytest.raises(CheckpointError, match="--weights"):
        run(small_config(tmp_path), resume=stripped)


def test_stripping_a_foreign_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "foreign.pth"
    foreign.write_text("no checkpoint")
    assert strip.main([str(foreign), "-o", str(tmp_path / "weights.pth")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
