"""Seeded defects, each of which the doctor must find and name."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.train.fakes import FakePictures
from tests.train.small import small_config
from train import checks, data, doctor, learning, losses
from train.checks import Finding
from train.config import Config, LossConfig, dump_config
from train.data import Batch
from train.losses import compute_losses
from train.model import activate
from train.source import Source
from train.state import TrainState
from train.targets import Targets, encode

SIZE = (32, 64)
STEPS = 100
# One part weighs nothing by default.
EVERY_PART = LossConfig(expected={"weight": 1.0})


@pytest.fixture
def batch() -> Batch:
    source = FakePictures(8, canvas_scale=2)
    canvas, truth, shapes = next(iter(data.loader(source, 0, 8, 8, 0)))
    return canvas, truth, shapes


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return small_config(tmp_path, data={"canvas_scale": 2})


@pytest.fixture
def state(config: Config) -> TrainState:
    torch.set_num_threads(1)
    return TrainState(doctor.by_heart(config, 2, STEPS), torch.device("cpu"))


def few(batch: Batch) -> Batch:
    return batch[0][:2], batch[1][:2], batch[2][:2]


def swapped(truth: Tensor) -> Tensor:
    return torch.cat([truth[:, [1, 0, 3, 2]], truth[:, 4:]], dim=1)


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_a_healthy_training_passes_every_check(config: Config) -> None:
    torch.set_num_threads(1)
    findings = doctor.examine(config, FakePictures(8, canvas_scale=2), STEPS)
    assert [f for f in findings if not f.passed] == []
    assert not any(f.advice for f in findings)
    assert len(findings) == 9
    assert doctor.text(findings).endswith("all well")


def test_swapped_x_and_y_in_the_labels(batch: Batch) -> None:
    canvas, truth, _ = batch
    assert checks.check_labels(canvas, truth).passed
    found = checks.check_labels(canvas, swapped(truth))
    assert not found.passed
    assert "x and y look swapped" in found.advice


@pytest.mark.parametrize(
    ("column", "value", "seen"),
    [
        (0, 300.0, "1 of 16 points lie outside"),
        (1, float("nan"), "not a finite number"),
        (4, 0.5, "neither 0 nor 1"),
        (6, 2.0, "not of length 1"),
        (10, 0.0, "size not above 0"),
    ],
)
def test_labels_out_of_range(batch: Batch, column: int, value: float, seen: str) -> None:
    canvas, truth, _ = batch
    truth[3, column] = value
    found = checks.check_labels(canvas, truth)
    assert not found.passed
    assert seen in found.seen
    assert found.advice


def test_swapped_labels_are_seen_where_all_stay_inside(batch: Batch) -> None:
    canvas, truth, _ = batch
    canvas[..., 3] = 255
    truth[:, :4] = torch.tensor([90.0, 20.0, 25.0, 20.0])
    assert checks.check_labels(canvas, truth).passed
    found = checks.check_labels(canvas, swapped(truth))
    assert "0 of 16 points lie outside" in found.seen
    assert not found.passed
    assert "x and y look swapped" in found.advice


def test_a_point_on_the_padding_is_out_of_range(batch: Batch) -> None:
    canvas, truth, _ = batch
    canvas[2, :, :, 3] = 0
    assert "2 of 16 points lie outside" in checks.check_labels(canvas, truth).seen


def altered(change: Callable[[Targets], Targets]) -> Callable[..., Targets]:
    return lambda truth, size: change(encode(truth, size))


EXCHANGED = altered(lambda t: replace(t, heatmap=t.heatmap.flip(1), offset=t.offset.flip(1)))
TRANSPOSED = altered(lambda t: replace(t, offset=t.offset.flip(2)))


def test_perfect_targets_come_back(batch: Batch) -> None:
    assert checks.check_round_trip(batch[1], SIZE).passed


def test_swapped_x_and_y_in_the_encoding(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    square = (64, 64)
    monkeypatch.setattr(checks, "encode", lambda truth, size: encode(swapped(truth), size))
    found = checks.check_round_trip(batch[1], square)
    assert not found.passed
    assert found.advice == "x and y are swapped between encode and decode"


def test_swapped_offsets(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "encode", TRANSPOSED)
    assert not checks.check_round_trip(batch[1], SIZE).passed


@pytest.mark.parametrize(("x", "y", "axis"), [(0.5, 1.0, "x"), (1.0, 2.0, "y")])
def test_decode_divided_by_the_wrong_size(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, x: float, y: float, axis: str
) -> None:
    def wrong(*arguments: object, **options: object) -> tuple[Tensor, Tensor]:
        keypoints, angle = original(*arguments, **options)
        keypoints[..., :2] = (keypoints[..., :2] + 0.5) * torch.tensor([x, y]) - 0.5
        return keypoints, angle

    original = checks.decode
    monkeypatch.setattr(checks, "decode", wrong)
    found = checks.check_round_trip(batch[1], SIZE)
    assert not found.passed
    assert found.advice.startswith(f"{axis} comes back times {x * y:.3g}")
    assert "wrong size" in found.advice


def test_the_wrong_target_channel(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "encode", EXCHANGED)
    found = checks.check_round_trip(batch[1], SIZE)
    assert not found.passed
    assert "gap and slider are exchanged" in found.advice


def test_sine_and_cosine_exchanged(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "encode", altered(lambda t: replace(t, angle=t.angle.flip(1))))
    assert "(sin, cos)" in checks.check_round_trip(batch[1], SIZE).advice


@pytest.mark.parametrize(
    ("channels", "named"),
    [
        ([1, 0, 2, 3, 4, 5, 6, 7], "heatmap"),
        ([0, 1, 4, 5, 2, 3, 6, 7], "offset"),
        ([0, 1, 2, 3, 4, 5, 7, 6], "angle"),
    ],
)
def test_a_loss_that_reads_the_wrong_channels(
    batch: Batch,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    channels: list[int],
    named: str,
) -> None:
    assert checks.check_losses(batch, config.loss).passed
    monkeypatch.setattr(
        checks,
        "compute_losses",
        lambda raw, *rest: compute_losses(raw[:, channels], *rest),
    )
    found = checks.check_losses(batch, config.loss)
    assert not found.passed
    assert named in found.seen


@pytest.mark.parametrize(
    ("channels", "named"), [([1, 0, 2, 3, 4, 5, 6], "shape"), ([0, 1, 2, 4, 3, 5, 6], "centre")]
)
def test_a_loss_that_reads_the_wrong_maps_of_shapes(
    batch: Batch,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    channels: list[int],
    named: str,
) -> None:
    monkeypatch.setattr(
        checks,
        "compute_losses",
        lambda raw, maps, *rest: compute_losses(raw, maps[:, channels], *rest),
    )
    found = checks.check_losses(batch, config.loss)
    assert not found.passed
    assert named in found.seen


@pytest.mark.parametrize("wrong", ["exchanged", "elsewhere"])
def test_shapes_that_do_not_lie_about_their_points(batch: Batch, wrong: str) -> None:
    canvas, truth, shapes = batch
    assert checks.check_shapes(batch).seen == "16 shapes lie about their points"
    other = shapes[..., [1, 0, 2]] if wrong == "exchanged" else shapes.roll(20, dims=2)
    found = checks.check_shapes((canvas, truth, other))
    assert not found.passed
    assert found.seen.startswith("16 of 16 shapes")


def test_without_outlines_the_shape_head_is_no_defect(
    state: TrainState, batch: Batch, config: Config
) -> None:
    canvas, truth, shapes = few(batch)
    unknown = canvas, truth, torch.zeros_like(shapes)
    assert checks.check_shapes(unknown).passed
    assert checks.check_losses(unknown, config.loss).passed
    of_losses, of_parts = learning.check_gradients(state, unknown)
    assert of_losses.passed
    assert of_parts.passed
    assert "shapes" not in of_parts.seen


def test_outputs_out_of_range(
    state: TrainState, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks.check_outputs(state.model, few(batch)[0]).passed

    def wide(raw: Tensor) -> dict[str, Tensor]:
        return activate(raw) | {"offset_gap": 3 + raw[:, 2:4]}

    monkeypatch.setattr("train.model.activate", wide)
    found = checks.check_outputs(state.model, few(batch)[0])
    assert not found.passed
    assert "offset_gap runs from 2.99" in found.seen


@pytest.mark.parametrize(
    ("value", "seen"), [(float("nan"), "is not finite"), (0.0, "is the same everywhere")]
)
def test_dead_outputs(state: TrainState, batch: Batch, value: float, seen: str) -> None:
    with torch.no_grad():
        state.model.head.out.weight.fill_(value)
    found = checks.check_outputs(state.model, few(batch)[0])
    assert not found.passed
    assert seen in found.seen


@pytest.mark.parametrize(
    ("part", "named"), [("stage3", "stage3"), ("head.out", "head.out.weight, head.out.bias")]
)
def test_a_frozen_part(state: TrainState, batch: Batch, part: str, named: str) -> None:
    state.model.get_submodule(part).requires_grad_(False)
    of_losses, of_parts = learning.check_gradients(state, few(batch))
    assert of_losses.passed
    assert not of_parts.passed
    assert named in of_parts.seen + of_parts.advice
    assert "frozen" in of_parts.advice


def cut_off(component: str) -> Callable[..., dict[str, Tensor]]:
    """Losses of which one no longer depends on the network."""

    def compute(raw: Tensor, *rest: object) -> dict[str, Tensor]:
        found = compute_losses(raw, *rest)
        weight = getattr(EVERY_PART, component).weight
        lost = found[component]
        held = lost.detach() + 0 * raw.sum()
        return found | {component: held, "loss": found["loss"] - weight * (lost - held)}

    return compute


@pytest.mark.parametrize("component", LossConfig.model_fields)
def test_a_frozen_component_has_no_gradient(
    tmp_path: Path, batch: Batch, monkeypatch: pytest.MonkeyPatch, component: str
) -> None:
    torch.set_num_threads(1)
    config = small_config(tmp_path, data={"canvas_scale": 2}, loss=EVERY_PART.model_dump())
    state = TrainState(doctor.by_heart(config, 2, STEPS), torch.device("cpu"))
    assert learning.check_gradients(state, few(batch))[0].passed
    monkeypatch.setattr(learning, "compute_losses", cut_off(component))
    of_losses, _ = learning.check_gradients(state, few(batch))
    assert not of_losses.passed
    assert of_losses.advice.startswith(f"{component}:")


def test_a_component_that_weighs_nothing_is_no_defect(tmp_path: Path, batch: Batch) -> None:
    config = small_config(tmp_path, data={"canvas_scale": 2}, loss={"angle": {"weight": 0.0}})
    state = TrainState(doctor.by_heart(config, 2, STEPS), torch.device("cpu"))
    of_losses, _ = learning.check_gradients(state, few(batch))
    assert of_losses.passed
    assert "angle" not in of_losses.seen


def test_a_stuck_component_is_named(
    state: TrainState, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "compute_losses", cut_off("centre"))
    moves = by_name(learning.check_learning(state, few(batch), 40))["loss components move"]
    assert not moves.passed
    assert moves.seen.startswith("stuck: centre (")


def test_an_exploding_gradient(state: TrainState, batch: Batch) -> None:
    with torch.no_grad():
        state.model.head.out.weight.mul_(1e6)
    of_losses, of_parts = learning.check_gradients(state, few(batch))
    assert not of_losses.passed
    assert not of_parts.passed
    assert "explodes" in of_parts.advice


def test_a_loss_that_is_not_finite_is_a_finding(
    state: TrainState, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def infinite(raw: Tensor, *rest: object) -> dict[str, Tensor]:
        found = compute_losses(raw, *rest)
        return found | {"offset": found["offset"] * float("inf")}

    monkeypatch.setattr(losses, "compute_losses", infinite)
    (found,) = learning.check_learning(state, few(batch), 5)
    assert not found.passed
    assert "offset" in found.seen


def test_a_decode_that_does_not_fit_is_seen_after_learning(
    state: TrainState, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the round trip cannot see, because the network learned it: training exchanged points."""
    monkeypatch.setattr(losses, "encode", EXCHANGED)
    learned = by_name(learning.check_learning(state, few(batch), STEPS))["learning one batch"]
    assert not learned.passed
    assert "decode does not undo" in learned.advice


def run(
    config: Config, source: Source, folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str
) -> int:
    path = folder / "config.yaml"
    path.write_text(dump_config(config))
    monkeypatch.setattr(data, "sources", lambda _: (source, source))
    return doctor.main(["--config", str(path), "--steps", "3", *options])


def test_the_command_says_what_failed_and_exits_with_one(
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = FakePictures(4, canvas_scale=2)
    monkeypatch.setattr(checks, "encode", EXCHANGED)
    assert run(config, source, tmp_path, monkeypatch) == 1
    output = capsys.readouterr().out
    assert "❌ round trip" in output
    assert "✅ labels" in output
    assert "checks failed" in output
    assert run(config, source, tmp_path, monkeypatch, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is False
    failed = {check["check"] for check in document["checks"] if not check["passed"]}
    assert "round trip" in failed


def test_what_a_run_freezes_is_examined_as_well(
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = FakePictures(4, canvas_scale=2)
    run(config, source, tmp_path, monkeypatch, "--set", "training.freeze=[stem, head, shapes]")
    output = capsys.readouterr().out
    assert "✅ gradients by loss component" in output
    assert "✅ gradients by network part: stem " in output


def test_an_unusable_configuration_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main(["--config", str(tmp_path / "none.yaml")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
