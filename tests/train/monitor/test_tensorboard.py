"""An interrupted and resumed run, read back from its event files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.util import tensor_util
from torch.nn.functional import pixel_shuffle

from tests.train.monitor import runs
from train.metrics import LOSSES
from train.monitor import Monitor
from train.monitor.tensorboard import Board, activations

REPORTS = [3, 5, 6, 9, 10, 12, 15]


def whole_epoch(monitor: Monitor, state: Any, factor: float = 1) -> list[int]:
    """The steps at which the update ratio was asked for."""
    asked = []
    with monitor.epoch():
        while state.global_step < (state.epoch + 1) * runs.STEPS:
            # The norm of step 7 overflows.
            norm = float("inf") if state.global_step == 6 else float(state.global_step + 1)
            if runs.make_step(monitor, state, factor, norm):
                asked.append(state.global_step)
    monitor.validated(runs.report(mae=factor))
    monitor.epoch_done({"train_loss": factor * 7.0, "best_mae": 1.0}, is_best=False)
    state.epoch += 1
    return asked


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs, two more steps that no checkpoint holds, then resumed after the second."""
    folder = tmp_path_factory.mktemp("run")
    config = runs.config(folder)
    state = runs.state(config)
    next(state.model.parameters()).grad[0] = float("inf")
    monitor = Monitor(config, folder, state)
    assert whole_epoch(monitor, state) == [3, 5]
    assert whole_epoch(monitor, state) == [6, 9, 10]
    with monitor.epoch():
        runs.make_step(monitor, state)
        runs.make_step(monitor, state)
    monitor.close()
    resumed = runs.state(config, epoch=2)
    monitor = Monitor(config, folder, resumed)
    assert whole_epoch(monitor, resumed, factor=100) == [12, 15]
    monitor.close()
    return folder


@pytest.fixture(scope="module")
def events(folder: Path) -> EventAccumulator:
    everything = {"scalars": 0, "images": 0, "histograms": 0, "tensors": 0}
    return EventAccumulator(str(folder / "tensorboard"), everything).Reload()


def scalars(events: EventAccumulator, tag: str) -> dict[int, float]:
    """Step -> value; a step that is there twice fails."""
    found = events.Scalars(tag)
    steps = [event.step for event in found]
    assert len(steps) == len(set(steps)), tag
    return {event.step: event.value for event in found}


def means(factors: dict[int, float], scale: float = 1) -> dict[int, Any]:
    return {step: pytest.approx(scale * value) for step, value in factors.items()}


# Numbers of the steps since the report before, as really made; resumed steps count hundredfold.
STEP_MEANS = {3: 2, 5: 4.5, 6: 6, 9: 8, 10: 10, 12: 1150, 15: 1400}


def test_training_losses_are_means_over_the_steps_really_made(events: EventAccumulator) -> None:
    for k, name in enumerate(LOSSES):
        assert scalars(events, f"train/{name}") == means(STEP_MEANS, k + 1)
    assert scalars(events, "Loss/train") == means(STEP_MEANS)


def test_every_parameter_group_has_its_rate(events: EventAccumulator) -> None:
    groups = [tag for tag in events.Tags()["scalars"] if tag.startswith("lr/")]
    assert groups == ["lr/0", "lr/1"]
    for tag, unit in (("lr/0", 1e-4), ("lr/1", 1e-5), ("Learning_Rate", 1e-4)):
        assert scalars(events, tag) == means({step: step for step in REPORTS}, unit)


def test_norms_and_ratios(events: EventAccumulator) -> None:
    # Without the norm of step 7, which was not finite.
    norms = {3: 2, 5: 4.5, 6: 6, 9: 8.5, 10: 10, 12: 11.5, 15: 14}
    assert scalars(events, "Gradients/norm") == means(norms)
    ratios = means({step: step for step in REPORTS}, 1e-3)
    assert scalars(events, "Weights/update_ratio") == ratios
    assert set(scalars(events, "train/batch_s").values()) == {2.0}


def test_validation_figures(events: EventAccumulator) -> None:
    report = runs.report()
    for name, value in report.metrics.items():
        expected = (
            {5: 1, 10: 1, 15: 100} if name == "val_mae" else dict.fromkeys((5, 10, 15), value)
        )
        assert scalars(events, f"val/{name.removeprefix('val_')}") == means(expected)
    for tag, name in (
        ("Loss/val", "val_loss"),
        ("Loss_Comparison/validation", "val_loss"),
        ("Metrics/Accuracy_5px", "val_acc_5px"),
        ("Metrics/Accuracy_3px", "val_acc_3px"),
        ("MAE_Components/gap", "val_mae_gap"),
        ("MAE_Components/slider", "val_mae_slider"),
    ):
        assert scalars(events, tag) == means(dict.fromkeys((5, 10, 15), report.metrics[name])), tag
    for tag in ("Metrics/MAE", "MAE_Components/total"):
        assert scalars(events, tag) == means({5: 1, 10: 1, 15: 100})
    assert scalars(events, "Loss_Comparison/train") == means({5: 7, 10: 7, 15: 700})


def test_the_prediction_figures_are_pictures(events: EventAccumulator) -> None:
    figures = events.Images("Predictions")
    assert [figure.step for figure in figures] == [5, 10, 15]
    pixels = np.asarray(Image.open(io.BytesIO(figures[0].encoded_image_string)))
    assert pixels.shape[1] == 1500
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 1000


def test_histograms_of_weights_gradients_and_activations(events: EventAccumulator) -> None:
    model = runs.state(runs.config(Path())).model
    tags = set(events.Tags()["histograms"])
    names = {name for name, _ in model.named_parameters()}
    layers = {n for n, m in model.named_modules() if isinstance(m, torch.nn.Conv2d)}
    expected = {f"{kind}/{name}" for kind in ("Weights", "Gradients") for name in names}
    assert tags == expected | {f"Activations/{name}" for name in layers}
    for tag in ("Weights/head.out.weight", "Activations/head.out", "Gradients/head.out.weight"):
        assert [event.step for event in events.Histograms(tag)] == [10, 15]
    weight = model.head.out.weight.detach()
    histogram = events.Histograms("Weights/head.out.weight")[0].histogram_value
    assert histogram.num == weight.numel()
    assert histogram.sum == pytest.approx(float(weight.sum()), abs=1e-4)
    assert histogram.max == pytest.approx(float(weight.max()))
    # Of the first gradient, one slice overflowed.
    first, parameter = next(iter(model.named_parameters()))
    assert events.Histograms(f"Gradients/{first}")[0].histogram_value.num == (
        parameter.numel() - parameter[0].numel()
    )


def test_the_curve(events: EventAccumulator) -> None:
    curves = events.Tensors("PR_Curve")
    assert [curve.step for curve in curves] == [5, 10, 15]
    tp, fp, tn, fn, precision, recall = tensor_util.make_ndarray(curves[0].tensor_proto)
    # At one half: 0.9 is right, 0.6 is wrong, the other two right ones are not reached.
    half = len(tp) // 2
    assert (tp[half], fp[half], tn[half], fn[half]) == (1, 1, 0, 2)
    assert (precision[half], recall[half]) == pytest.approx((1 / 2, 1 / 3))


def test_the_graph_is_there(events: EventAccumulator) -> None:
    assert events.Tags()["graph"]
    names = [node.name for node in events.Graph().node]
    for part in ("stem", "stage4", "fpn", "head"):
        assert any(part in name for name in names), part


def test_the_layout_names_charts_of_tags_that_exist(events: EventAccumulator) -> None:
    (tensor, *_) = events.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tensor_util.make_ndarray(tensor.tensor_proto).item())
    charted = {
        tag
        for category in layout.category
        for chart in category.chart
        for tag in chart.multiline.tag
    }
    assert {"Loss/val", "MAE_Components/gap", "Gradients/norm"} <= charted
    assert charted <= set(events.Tags()["scalars"])


def test_one_run_in_one_folder(folder: Path) -> None:
    assert all(p.is_file() for p in (folder / "tensorboard").iterdir())


def test_watching_leaves_the_network_and_chance_alone(tmp_path: Path) -> None:
    config = runs.config(tmp_path, histogram_interval=1)
    state = runs.state(config)
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    grads = [parameter.grad.clone() for parameter in state.model.parameters()]
    chance = torch.get_rng_state()
    monitor = Monitor(config, tmp_path, state)
    whole_epoch(monitor, state)
    monitor.close()
    assert torch.equal(chance, torch.get_rng_state())
    assert all(torch.equal(v, before[n]) for n, v in state.model.state_dict().items())
    gradients = [parameter.grad for parameter in state.model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(gradients, grads, strict=True))
    assert state.model.training
    assert not any(module._forward_hooks for module in state.model.modules())


def test_activations_are_what_the_layers_put_out() -> None:
    model = runs.state(runs.config(Path())).model
    examples = runs.report().examples
    found = activations(model, examples)
    canvas = torch.from_numpy(np.stack([example.canvas for example in examples]))
    model.eval()
    with torch.no_grad():
        raw = model.forward_raw(canvas.permute(0, 3, 1, 2) / 255)
        first = model.stem[0].conv(canvas.permute(0, 3, 1, 2) / 255)
    torch.testing.assert_close(pixel_shuffle(found["head.out"], 2), raw[:, :6])
    torch.testing.assert_close(found["angle.out"], raw[:, 6:, ::4, ::4])
    torch.testing.assert_close(found["stem.0.conv"], first)


@pytest.mark.parametrize(
    ("interval", "validated", "expected"),
    [(1, (1, 2, 3), [1, 2, 3]), (2, (1, 3), [3]), (0, (1, 2, 3), []), (10, (2, 3), [3])],
)
def test_pictures_are_due_at_the_next_validation_and_the_last(
    interval: int,
    validated: tuple[int, ...],
    expected: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Board, "_draw_graph", lambda board: None)
    config = runs.config(tmp_path, image_interval=interval)
    board = Board(tmp_path, config, runs.state(config).model, epoch=0, step=0)
    for epoch in validated:
        board.validated(epoch, epoch, runs.report())
    board.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    found = events.Images("Predictions") if "Predictions" in events.Tags()["images"] else []
    assert [figure.step for figure in found] == expected
