from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from compress import finetune, qat
from compress.calibration import DEFAULT_SEED, generated
from compress.fakequant import quantized
from compress.finetune import QatSettings, distillation_loss
from compress.qdq import qdq_onnx
from runtime import Bundle, Locator
from tests.compress.conftest import save_checkpoint, tiny_net
from train import checkpoint, loop
from train.config import Config, parse_config
from train.folder import BEST, LAST
from train.model import fold
from train.step import train_step

RUN = [
    *("--epochs", "2", "--pictures", "4", "--batch-size", "2", "--validation-pictures", "2"),
    *("--workers", "0", "--threads", "1", "--rate", "1e-3"),
]


@pytest.fixture(scope="module")
def run_qat(lenient):
    def run(checkpoint_path: Path, output: Path, *more: str) -> int:
        return qat.main([str(checkpoint_path), "-o", str(output), *lenient, *RUN, *more])

    return run


@pytest.fixture(scope="module")
def trained(checkpoint_path, run_qat, tmp_path_factory) -> Path:
    """The bundle of an uninterrupted run; the run's folder is `bundle-qat` beside it."""
    output = tmp_path_factory.mktemp("qat") / "bundle"
    assert run_qat(checkpoint_path, output) == 0
    return output


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_ends_with_a_bundle_of_trained_weights(trained, checkpoint_path):
    bundle = Bundle.open(trained)
    bundle.verify()
    made = bundle.manifest.compression
    assert (made.method, made.settings["epochs"], made.settings["pictures"]) == ("qat", 2, 4)
    assert made.gate.figures.keys() == {"fp32", "fp16", "int8", "int8-qdq"}
    golden = bundle.manifest.golden
    for backend in ("openvino", "onnxruntime"):
        with Locator("int8", backend=backend, bundle=trained) as locator:
            assert 0 <= locator.predict(bundle.read_golden(golden)).gap.score <= 1
    run = trained.with_name("bundle-qat")
    best, last = (checkpoint.load(run / name) for name in (BEST, LAST))
    assert best["metrics"]["best_mae"] == best["metrics"]["val_mae"]
    assert best["metrics"]["val_mae"] <= last["metrics"]["val_mae"]
    assert last["metrics"]["train_distillation"] > 0
    before = quantized(
        fold(checkpoint.load_model(checkpoint_path)[0]), generated(3, DEFAULT_SEED, None)
    )
    start = before.state_dict()
    averaged = {
        name.removeprefix("module."): value
        for name, value in best["ema_state_dict"].items()
        if name.startswith("module.")
    }
    moved = {name for name, value in averaged.items() if not torch.equal(value, start[name])}
    assert {"head.out.weight", "stem.0.0.bias"} <= moved
    assert sum(name.endswith("scale") for name in moved) > 30, "the quantisers are trained too"
    before.load_state_dict(averaged)
    assert (trained / "int8-qdq.onnx").read_bytes() == qdq_onnx(before, 1.0, signed=True)


def test_stopped_and_resumed_it_writes_the_same_bytes(
    trained, checkpoint_path, run_qat, tmp_path, monkeypatch, capsys
):
    output = tmp_path / "bundle"
    steps = []

    def stop_after_one(state, batches, measure):
        steps.append(1)
        signal.raise_signal(signal.SIGINT)
        return train_step(state, batches, measure)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", stop_after_one)
        assert run_qat(checkpoint_path, output) == 130
    assert steps == [1]
    assert "continue with --resume" in capsys.readouterr().err
    assert not output.exists()
    assert run_qat(checkpoint_path, output, "--resume") == 0
    before, after = _content(trained), _content(output)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []


def test_a_run_of_another_checkpoint_is_not_continued(trained, run_qat, tmp_path, capsys):
    other = save_checkpoint(tiny_net(seed=1), tmp_path / "other.pth")
    run = trained.with_name("bundle-qat")
    assert run_qat(other, tmp_path / "bundle", "--run", str(run), "--resume") == 2
    error = capsys.readouterr().err
    assert "made from another checkpoint" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "bundle").exists()


def test_a_run_that_was_never_begun_cannot_be_continued(checkpoint_path, run_qat, tmp_path, capsys):
    assert run_qat(checkpoint_path, tmp_path / "bundle", "--resume") == 2
    assert "last.pth: cannot be read" in capsys.readouterr().err


def test_distillation_loss_is_the_divergence_and_the_offsets_distance():
    rng = torch.Generator().manual_seed(0)
    raw, teacher = (torch.randn(2, 8, 4, 6, generator=rng) for _ in range(2))
    assert distillation_loss(teacher, teacher.clamp(-0.5, 0.5)).item() != 0
    same = teacher.clone()
    same[:, 2:6] = same[:, 2:6].clamp(-0.5, 0.5)
    assert distillation_loss(same, same).item() == pytest.approx(0, abs=1e-6)
    p, q = (maps[:, :2].flatten(2).double().softmax(2).numpy() for maps in (teacher, raw))
    which = (p * np.log(p / q)).sum(axis=2).mean()
    told = teacher[:, 2:6].numpy().clip(-0.5, 0.5).reshape(2, 2, 2, 4, 6)
    apart = np.abs(raw[:, 2:6].numpy().reshape(2, 2, 2, 4, 6) - told)
    seen = 1 / (1 + np.exp(-teacher[:, :2].numpy()))[:, :, None]
    expected = which + (apart * seen).sum() / seen.sum()
    assert distillation_loss(raw, teacher).item() == pytest.approx(expected, rel=1e-4)


CANVAS, SHAPES = (1, 256, 512, 4), (1, 64, 128, 3)


def test_qat_shows_the_pictures_that_training_asked_for():
    emphases = [{"share": 0.1, "no_gap": 1.0}]
    trained = parse_config({"data": {"emphases": emphases, "leave_out": ["heart"]}})
    config = QatSettings().config(trained, Path("nowhere"))
    assert config.data.emphases == trained.data.emphases
    assert config.data.leave_out == trained.data.leave_out


def test_without_distillation_the_losses_are_those_of_training():
    settings = QatSettings(epochs=1, pictures=2, batch_size=2, distillation=0.0, threads=1)
    config = settings.config(Config(), Path("nowhere"))
    assert config.training.optimizer.weight_decay == 0
    assert not config.training.amp
    net = tiny_net()
    told = {}
    for weight in (0.0, 2.0):
        state = finetune.QatState(config, torch.device("cpu"), net, net, weight, {})
        x = torch.rand(1, 4, 256, 512)
        canvas, shapes = (torch.zeros(s, dtype=torch.uint8) for s in (CANVAS, SHAPES))
        batch = (canvas, torch.zeros(1, 13), shapes)
        told[weight] = state.losses(x, (net.forward_raw(x), None), batch)
    assert "distillation" not in told[0.0]
    expected = told[0.0]["loss"].item() + 2 * told[2.0]["distillation"].item()
    assert told[2.0]["loss"].item() == pytest.approx(expected, rel=1e-5)
