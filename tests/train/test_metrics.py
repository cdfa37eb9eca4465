"""Metrics against brute force: loops over pictures and cells."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from runtime import geometry
from train.answers import MIN_SCORE
from train.metrics import (
    LOSSES,
    MAX_EXAMPLES,
    ValidationMetrics,
    ValidationReport,
    angle_errors_deg,
    overlap_metrics,
    point_errors_px,
    point_metrics,
)

NAN = float("nan")


def test_metrics_equal_a_loop() -> None:
    rng = np.random.default_rng(7)
    true, found = rng.uniform(0, 100, (60, 2)), rng.uniform(0, 100, (60, 2))
    found[:40] = true[:40] + rng.normal(0, 3, (40, 2))
    ok = rng.random(60) > 0.2
    errors = point_errors_px(found, true)
    loop = [math.dist(a, b) for a, b in zip(found, true, strict=True)]
    np.testing.assert_allclose(errors, loop)
    metrics = point_metrics(errors, ok)
    assert metrics.mae_px == pytest.approx(sum(loop) / 60)
    for px, share in metrics.accuracy.items():
        hits = sum(1 for e, stands in zip(loop, ok, strict=True) if e <= px and stands)
        assert share == pytest.approx(hits / 60)
    assert metrics.refused == pytest.approx(1 - ok.mean())


def test_no_pictures_is_nan_and_not_zero() -> None:
    metrics = point_metrics(np.empty(0), np.empty(0, bool))
    assert metrics.count == 0
    assert math.isnan(metrics.mae_px)
    assert math.isnan(metrics.accuracy[5])


def test_angles_wrap() -> None:
    errors = angle_errors_deg(np.array([179.0, -10.0, 5.0]), np.array([-179.0, 10.0, 5.0]))
    np.testing.assert_allclose(errors, [2, 20, 0])


def test_dice_is_not_jaccard() -> None:
    # A has 3 cells, B has 5, 2 are common, of 10 in all.
    figures = overlap_metrics(tp=2, fp=1, tn=4, fn=3)
    assert figures == {"dice": 2 * 2 / (3 + 5), "jaccard": 2 / 6, "pixel_accuracy": 6 / 10}


def test_nothing_to_overlap_is_nan() -> None:
    figures = overlap_metrics(tp=0, fp=0, tn=8, fn=0)
    assert math.isnan(figures["dice"])
    assert math.isnan(figures["jaccard"])
    assert figures["pixel_accuracy"] == 1


# Everything below: a validation of made-up outputs, and the same once more by hand.

Batch = tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]


def made_up(count: int, seed: int, canvas_scale: int = 1) -> Batch:
    """Outputs near the truth, or not, on pictures of every kind."""
    rng = np.random.default_rng(seed)
    height, width = 64 // canvas_scale, 128 // canvas_scale
    raw = rng.normal(-6, 0.5, (count, 8, height, width)).astype(np.float32)
    raw[:, 2:6] = rng.uniform(-0.7, 0.7, (count, 4, height, width))
    raw[:, 6:8] = rng.normal(0, 1, (count, 2, height, width))
    truth = np.zeros((count, 13), np.float32)
    canvas = rng.integers(0, 256, (count, 4 * height, 4 * width, 4), np.uint8)
    canvas[..., 3] = 0
    canvas[:, 8 : 4 * height - 8, 12 : 4 * width - 12, 3] = 255
    for row, maps in zip(truth, raw, strict=True):
        angle = rng.choice([0.0, rng.uniform(-3, 3)])
        row[4:6] = rng.random(2) > 0.3
        row[6:8] = math.sin(angle), math.cos(angle)
        row[8:10] = rng.random(2) < (0.8, 0.3)
        row[10:13] = rng.uniform(20, 90), rng.uniform(0.5, 2), rng.uniform(0.5, 2)
        for point in (0, 1):
            x, y = rng.uniform(16, 4 * width - 16), rng.uniform(16, 4 * height - 16)
            if row[4 + point]:
                row[2 * point : 2 * point + 2] = x, y
            cell_x, cell_y = int(x / 4 + rng.choice([0, 0, 0, 2])), int(y / 4)
            maps[point, cell_y, cell_x] = rng.uniform(-2.5, 3)
            maps[2 + 2 * point : 4 + 2 * point, cell_y, cell_x] = rng.uniform(-0.5, 0.5, 2)
            maps[6:8, cell_y, cell_x] = row[6:8] + rng.normal(0, 0.1, 2)
            if rng.random() < 0.15:  # an answer on the padding
                maps[point, 1, 40] = 4
    losses = {name: torch.tensor(rng.uniform(0, 3), dtype=torch.float32) for name in LOSSES}
    return torch.from_numpy(raw), torch.from_numpy(truth), torch.from_numpy(canvas), losses


def by_hand(batches: list[Batch]) -> tuple[dict[str, float], list[list[int]]]:
    """The metrics and the confusion matrix, picture by picture."""
    errors: dict[str, list[tuple[float, bool]]] = {"gap": [], "slider": []}
    angles: list[float] = []
    tp = fp = fn = inter = predicted = true = agree = cells = 0
    confusion = [[0, 0], [0, 0]]
    for raw, truth, canvas, _ in batches:
        for maps, row, picture in zip(raw.numpy(), truth.numpy(), canvas.numpy(), strict=True):
            gap, slider, angle = located(maps)
            ambiguous = row[9] > 0
            for point, (x, y, score) in enumerate((gap, slider)):
                exists = row[4 + point] > 0
                height, width = picture.shape[:2]
                inside = 11.5 <= x < width - 12.5 and 7.5 <= y < height - 8.5
                answered = score >= MIN_SCORE and inside
                dx, dy = (x - row[2 * point]) / row[11], (y - row[2 * point + 1]) / row[12]
                error = math.hypot(dx, dy)
                if point == 0 and ambiguous:
                    continue
                if exists:
                    errors["gap" if point == 0 else "slider"].append((error, answered))
                area = peak_area(row, point, *maps.shape[1:])
                said = 1 / (1 + np.exp(-maps[point].astype(np.float64))) >= 0.5
                inter += int((area & said).sum())
                predicted, true = predicted + int(said.sum()), true + int(area.sum())
                agree, cells = agree + int((area == said).sum()), cells + area.size
                if point == 1:
                    continue
                confusion[int(exists)][int(answered)] += 1
                right = exists and answered and error <= 5
                tp, fp, fn = tp + right, fp + (answered and not right), fn + (exists and not right)
                true_deg = math.degrees(math.atan2(row[6], row[7]))
                if row[8] and true_deg != 0 and error <= 10:
                    difference = abs(math.degrees(math.atan2(*angle)) - true_deg)
                    angles.append(min(difference, 360 - difference))
    result = {"angle_deg": sum(angles) / len(angles) if angles else NAN}
    result |= {"precision": tp / (tp + fp), "recall": tp / (tp + fn)}
    result["f1"] = 2 / (1 / result["precision"] + 1 / result["recall"])
    result["dice"] = 2 * inter / (predicted + true)
    result["jaccard"] = inter / (predicted + true - inter)
    result["pixel_accuracy"] = agree / cells
    for suffix, chosen in (
        ("", errors["gap"] + errors["slider"]),
        ("_gap", errors["gap"]),
        ("_slider", errors["slider"]),
    ):
        result[f"mae{suffix}"] = sum(error for error, _ in chosen) / len(chosen)
        for px in (1, 3, 5, 10):
            hits = sum(1 for error, answered in chosen if error <= px and answered)
            result[f"acc_{px}px{suffix}"] = hits / len(chosen)
    pictures = sum(len(truth) for _, truth, _, _ in batches)
    for name in LOSSES:
        total = sum(len(truth) * float(losses[name]) for _, truth, _, losses in batches)
        result[name] = total / pictures
    return {f"val_{name}": value for name, value in result.items()}, confusion


def located(maps: np.ndarray) -> tuple[Any, Any, np.ndarray]:
    """(x, y, score) of gap and slider, and the angle, by the contract's own decode."""
    full = np.zeros((8, 64, 128), np.float32)
    full[:, : maps.shape[1], : maps.shape[2]] = maps
    heatmaps = np.zeros((2, 64, 128), np.float32)
    heatmaps[:, : maps.shape[1], : maps.shape[2]] = 1 / (1 + np.exp(-maps[:2]))
    offsets = full[2:6].clip(-0.5, 0.5)
    result = geometry.decode(heatmaps[0], heatmaps[1], offsets[:2], offsets[2:], full[6:8])
    return *(tuple(float(v) for v in row[:3]) for row in result.keypoints), result.angle


def peak_area(row: np.ndarray, point: int, height: int, width: int) -> np.ndarray:
    """The cells in which the target's gaussian is at least one half."""
    area = np.zeros((height, width), bool)
    if not row[4 + point]:
        return area
    cell_x = round((row[2 * point] + 0.5) / 4 - 0.5)
    cell_y = round((row[2 * point + 1] + 0.5) / 4 - 0.5)
    sigma = min(2.5, max(1.25, row[10] / 4 / 8))
    for i in range(height):
        for j in range(width):
            square = (i - cell_y) ** 2 + (j - cell_x) ** 2
            area[i, j] = math.exp(-square / (2 * sigma**2)) >= 0.5
    return area


def report_of(batches: list[Batch]) -> ValidationReport:
    metrics = ValidationMetrics()
    for raw, truth, canvas, losses in batches:
        metrics.update(raw, truth, canvas, losses)
    return metrics.compute()


@pytest.mark.parametrize("canvas_scale", [1, 2])
def test_a_validation_equals_loops_over_its_pictures(canvas_scale: int) -> None:
    batches = [made_up(14, 1, canvas_scale), made_up(9, 2, canvas_scale)]
    report = report_of(batches)
    expected, confusion = by_hand(batches)
    assert report.metrics == pytest.approx(expected, rel=1e-4, nan_ok=True)
    assert set(report.metrics) == set(expected)
    assert report.confusion.tolist() == confusion
    assert not any(math.isnan(value) for value in expected.values())


def test_a_perfect_network_has_no_error() -> None:
    raw, truth, canvas, losses = made_up(6, 3)
    rows = torch.linspace(40, 200, len(truth)).unsqueeze(1)
    truth[:, :4] = torch.cat([rows + 250.3, rows, rows - 10, rows], dim=1)
    truth[:, 4:6], truth[:, 8], truth[:, 9] = 1, 1, 0
    truth[:, 6], truth[:, 7] = 0.6, 0.8
    raw[:] = -6
    for maps, row in zip(raw, truth, strict=True):
        for point in (0, 1):
            position = (row[2 * point : 2 * point + 2] + 0.5) / 4 - 0.5
            x, y = (int(v) for v in (position + 0.5).floor())
            maps[point, y, x] = 6
            maps[2 + 2 * point : 4 + 2 * point, y, x] = position - torch.tensor([x, y])
            maps[6:8, y, x] = row[6:8]
    metrics = report_of([(raw, truth, canvas, losses)]).metrics
    assert metrics["val_mae"] == pytest.approx(0, abs=1e-4)
    assert metrics["val_angle_deg"] == pytest.approx(0, abs=1e-4)
    for name in ("val_acc_1px", "val_precision", "val_recall", "val_f1"):
        assert metrics[name] == 1


def test_pictures_without_a_gap_say_no_positives_and_are_right_when_refused() -> None:
    raw, truth, canvas, losses = made_up(8, 4)
    truth[:, 4], truth[:, 9] = 0, 0
    raw[:, 0] = -6
    report = report_of([(raw, truth, canvas, losses)])
    assert (report.detection.tn, report.detection.fp) == (8, 0)
    assert report.confusion.tolist() == [[8, 0], [0, 0]]
    raw[:, 0, 20, 50] = 4
    report = report_of([(raw, truth, canvas, losses)])
    assert (report.detection.tp, report.detection.fp, report.detection.fn) == (0, 8, 0)
    for name in ("val_precision", "val_recall", "val_f1", "val_mae_gap", "val_acc_5px_gap"):
        assert math.isnan(report.metrics[name]), name
    assert "no positives" in str(report.detection)


def test_examples_are_the_first_pictures() -> None:
    batches = [made_up(3, 5), made_up(4, 6)]
    examples = report_of(batches).examples
    assert len(examples) == MAX_EXAMPLES
    raw, truth, canvas, _ = batches[1]
    last = examples[3]
    np.testing.assert_array_equal(last.canvas, canvas[0].numpy())
    np.testing.assert_array_equal(last.true_canvas_xy.ravel(), truth[0, :4].numpy())
    np.testing.assert_array_equal(last.exists, truth[0, 4:6].numpy() > 0)
    np.testing.assert_allclose(last.predicted_heatmap, raw[0, :2].sigmoid().numpy())
    gap, slider, _ = located(raw[0].numpy())
    np.testing.assert_allclose(last.predicted_canvas_xy, [gap[:2], slider[:2]], atol=1e-3)
    assert last.true_heatmap.shape == (2, 64, 128)


def _rank(rank: int, folder: Path, parts: list[list[Batch]]) -> None:
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(str(folder / "store"), len(parts))
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=len(parts))
    report = report_of(parts[rank])
    answer = (report.metrics, str(report.detection), report.confusion.tolist())
    torch.save((*answer, sorted(report.pr_scores.tolist())), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("seeds", [((1,), (2, 3)), ((1, 2), ())])
def test_every_process_gets_the_figures_of_all(
    seeds: tuple[tuple[int, ...], ...], tmp_path: Path
) -> None:
    parts = [[made_up(4 + seed, seed) for seed in part] for part in seeds]
    processes = torch.multiprocessing.get_context("fork")
    ranks = [processes.Process(target=_rank, args=(r, tmp_path, parts)) for r in (0, 1)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(timeout=120)
        assert process.exitcode == 0
    whole = report_of([batch for part in parts for batch in part])
    for rank in (0, 1):
        metrics, detection, confusion, scores = torch.load(tmp_path / f"{rank}.pt")
        assert metrics == pytest.approx(whole.metrics, nan_ok=True)
        assert detection == str(whole.detection)
        assert confusion == whole.confusion.tolist()
        assert scores == sorted(whole.pr_scores.tolist())
