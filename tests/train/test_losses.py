import math

import numpy as np
import pytest
import torch

from tests.train.fakes import outlined, sample
from train.config import LossConfig, parse_config
from train.coverage import ShapeTargets, encode_shapes
from train.data import collate, prepare
from train.decode import decode
from train.losses import (
    CHOICE_SHARPNESS,
    COVERED_WEIGHT,
    ERROR_SCALE_PX,
    compute_losses,
    expected_error,
    focal_heatmap_loss,
    location_loss,
    picture_losses,
    weighted_l1,
)
from train.model import activate
from train.synth import Sample
from train.targets import Targets, encode


def samples() -> list[Sample]:
    return [
        outlined(sample()),
        outlined(sample(gap=None, angle_deg=None, difficulty="negative")),
        sample((250.0, 60.0), (30.0, 61.0), angle_deg=None, difficulty="ambiguous"),
    ]


def batch() -> Targets:
    return encode(collate([prepare(one) for one in samples()])[1])


def shape_batch() -> ShapeTargets:
    return encode_shapes(*collate([prepare(one) for one in samples()]))


def random_raw() -> torch.Tensor:
    return torch.randn(3, 8, 64, 128, generator=torch.Generator().manual_seed(1)) * 2


def random_maps() -> torch.Tensor:
    return torch.randn(3, 7, 64, 128, generator=torch.Generator().manual_seed(2)) * 2


def losses_of(
    raw: torch.Tensor, targets: Targets, config: LossConfig | None = None
) -> dict[str, torch.Tensor]:
    return compute_losses(raw, random_maps(), targets, shape_batch(), config or LossConfig())


def brute_focal(logits: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    total, peaks = 0.0, 0
    for index in np.ndindex(logits.shape):
        if weight[index[:2]] == 0:
            continue
        p = 1 / (1 + math.exp(-float(logits[index])))
        t = float(target[index])
        if t == 1:
            peaks += 1
            total -= (1 - p) ** 2 * math.log(p)
        else:
            total -= (1 - t) ** 4 * p**2 * math.log(1 - p)
    return total / max(peaks, 1)


def test_focal_loss_against_the_formula_cell_by_cell() -> None:
    targets, raw = batch(), random_raw()
    weight = targets.heatmap_weight[:, :, 0, 0].numpy()
    expected = brute_focal(raw[:, :2].numpy(), targets.heatmap.numpy(), weight)
    got = focal_heatmap_loss(raw[:, :2], targets.heatmap, targets.heatmap_weight)
    assert float(got) == pytest.approx(expected, rel=1e-4)


def test_picture_losses_against_loops() -> None:
    """A picture with both points, one with none, one whose gap does not count."""
    targets, raw = batch(), random_raw()
    got = picture_losses(raw, targets)
    for b in range(3):
        weight = targets.heatmap_weight[b, :, 0, 0].numpy()
        logits = raw[b, :2].double().numpy()
        expected = brute_focal(logits[None], targets.heatmap[b, None].numpy(), weight[None])
        divergences = []
        for k in range(2):
            share = targets.share[b, k].double().numpy()
            if weight[k] and share.any():
                q = np.exp(logits[k] - logits[k].max())
                q /= q.sum()
                inside = share > 0
                divergences.append((share * np.log(np.where(inside, share / q, 1))).sum())
        expected += sum(divergences) / max(1, len(divergences))
        assert float(got[b]) == pytest.approx(expected, rel=1e-4)


def test_focal_loss_without_any_peak_counts_the_negatives_once() -> None:
    logits = torch.zeros(1, 2, 4, 4)
    got = focal_heatmap_loss(logits, torch.zeros_like(logits), torch.ones(1, 2, 1, 1))
    assert float(got) == pytest.approx(32 * 0.25 * math.log(2), rel=1e-6)


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_focal_loss_is_finite_for_extreme_logits(logit: float) -> None:
    targets = batch()
    logits = torch.full((3, 2, 64, 128), logit, requires_grad=True)
    loss = focal_heatmap_loss(logits, targets.heatmap, targets.heatmap_weight)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_offset_loss_against_loops() -> None:
    targets, raw = batch(), random_raw()
    losses = losses_of(raw, targets)
    offset = raw[:, 2:6].unflatten(1, (2, 2)).numpy()
    total = weights = 0.0
    for b, k, _, i, j in np.argwhere(targets.offset_weight.numpy() > 0):
        w = float(targets.offset_weight[b, k, 0, i, j])
        weights += w
        for axis in (0, 1):
            total += w * abs(float(offset[b, k, axis, i, j] - targets.offset[b, k, axis, i, j]))
    assert losses["offset"].item() == pytest.approx(total / weights, rel=1e-4)


@pytest.mark.parametrize(("kind", "power"), [("L1Loss", 1), ("MSELoss", 2)])
def test_angle_loss_against_loops(kind: str, power: int) -> None:
    """Around the gap's point and where it covers most of a cell; every gap counts once."""
    shown = [
        outlined(sample()),
        outlined(sample((150.0, 80.0), angle_deg=-35.0, piece_size_px=90.0)),
        sample(angle_deg=10.0),
        outlined(sample(angle_deg=None)),
    ]
    items = [prepare(one) for one in shown]
    raw = torch.randn(4, 8, 64, 128, generator=torch.Generator().manual_seed(3))
    gaps, counts = [], []
    for b, (_, truth, shapes) in enumerate(items[:3]):
        near = np.zeros((64, 128), bool)
        row, column = int(truth[1] + 0.5) // 4, int(truth[0] + 0.5) // 4
        near[row - 1 : row + 2, column - 1 : column + 2] = True
        cells = np.argwhere(near | (shapes[:, :, 0] > 127))
        total = sum(
            abs(float(raw[b, 6 + axis, i, j] - truth[6 + axis])) ** power
            for i, j in cells
            for axis in (0, 1)
        )
        gaps.append(total / len(cells))
        counts.append(len(cells))
    config = parse_config({"loss": {"angle": {"type": kind}}}).loss
    batch = collate(items)
    got = compute_losses(raw, None, encode(batch[1]), encode_shapes(*batch), config)
    assert counts[1] > 3 * counts[0] > 3 * counts[2] == 27
    assert got["angle"].item() == pytest.approx(np.mean(gaps), rel=1e-4)


def test_nothing_to_supervise_costs_nothing() -> None:
    predicted, weight = torch.ones(1, 2, 3, 3), torch.zeros(1, 1, 3, 3)
    assert weighted_l1(predicted, torch.zeros_like(predicted), weight).item() == 0


def test_the_sum_uses_the_configured_weights() -> None:
    config = parse_config(
        {
            "loss": {
                "heatmap": {"weight": 2.0},
                "location": {"weight": 7.0},
                "expected": {"weight": 17.0},
                "offset": {"weight": 3.0},
                "angle": {"weight": 5.0},
                "shape": {"weight": 11.0},
                "centre": {"weight": 13.0},
            }
        }
    ).loss
    got = losses_of(random_raw(), batch(), config)
    expected = 2 * got["heatmap"] + 7 * got["location"] + 3 * got["offset"] + 5 * got["angle"]
    expected = expected + 11 * got["shape"] + 13 * got["centre"] + 17 * got["expected"]
    assert got["loss"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_default_weights_are_the_documented_ones() -> None:
    got = losses_of(random_raw(), batch())
    expected = got["heatmap"] + got["location"] + got["offset"] + 0.5 * got["angle"]
    expected = expected + 3 * got["shape"] + got["centre"]
    assert got["loss"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_location_loss_against_the_formula() -> None:
    targets, raw = batch(), random_raw()
    costs = []
    # The second picture has no gap, the third is ambiguous: only sliders count there.
    for b, k in ((0, 0), (0, 1), (1, 1), (2, 1)):
        odds = np.exp(raw[b, k].numpy().astype(np.float64))
        costs.append(-(targets.share[b, k].numpy() * np.log(odds / odds.sum())).sum())
    got = losses_of(raw, targets)["location"]
    assert got.item() == pytest.approx(np.mean(costs), rel=1e-5)


def test_location_loss_without_any_point_is_zero() -> None:
    logits = torch.zeros(1, 2, 4, 4, requires_grad=True)
    loss = location_loss(logits, torch.zeros_like(logits), torch.ones(1, 2, 1, 1))
    loss.backward()
    assert loss.item() == 0


def test_the_expected_error_is_the_chances_times_the_errors_of_their_points() -> None:
    targets, raw = batch(), random_raw()
    truth = collate([prepare(one) for one in samples()])[1].numpy().astype(np.float64)
    log_scores = -np.log1p(np.exp(-raw[:, :2].numpy().astype(np.float64)))
    rows, columns = np.mgrid[:64, :128]
    errors = []
    for b, k in ((0, 0), (0, 1), (1, 1), (2, 1)):  # as above
        strongest = log_scores[b, 1 - k].max(axis=1)
        near = [strongest[max(0, row - 1) : row + 2].max() for row in range(64)]
        chance = np.exp(CHOICE_SHARPNESS * (log_scores[b, k] + np.array(near)[:, None]))
        dx, dy = np.clip(raw[b, 2 + 2 * k : 4 + 2 * k].numpy().astype(np.float64), -0.5, 0.5)
        x, y = 4 * (columns + 0.5 + dx) - 0.5, 4 * (rows + 0.5 + dy) - 0.5
        squared = (x - truth[b, 2 * k]) ** 2 + (y - truth[b, 2 * k + 1]) ** 2
        wrong = squared / (squared + ERROR_SCALE_PX**2)
        errors.append((chance * wrong).sum() / chance.sum())
    assert expected_error(raw, targets).item() == pytest.approx(np.mean(errors), rel=1e-4)


def test_sharpened_without_end_the_expected_error_is_that_of_the_decode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("train.losses.CHOICE_SHARPNESS", 1e6)
    targets, raw = batch(), random_raw()
    truth = collate([prepare(one) for one in samples()])[1]
    keypoints, _ = decode(activate(raw), 1.0)
    squared = (keypoints[..., :2] - truth[:, :4].reshape(-1, 2, 2)).square().sum(dim=2)
    wrong = squared / (squared + ERROR_SCALE_PX**2)
    mean = (wrong[0, 0] + wrong[0, 1] + wrong[1, 1] + wrong[2, 1]) / 4
    assert expected_error(raw, targets).item() == pytest.approx(mean.item(), rel=1e-4)


def test_the_expected_error_falls_along_its_gradient_and_is_zero_without_points() -> None:
    targets = batch()
    raw = random_raw().requires_grad_()
    before = expected_error(raw, targets)
    before.backward()
    assert raw.grad is not None
    with torch.no_grad():
        after = expected_error(raw - 10 * raw.grad, targets)
    assert after < before
    nothing = encode(collate([prepare(sample(None, None, None, "negative"))])[1])
    assert expected_error(raw[:1], nothing).item() == 0


def test_the_expected_error_teaches_no_map_without_a_point() -> None:
    raw = random_raw().requires_grad_()
    expected_error(raw, batch()).backward()
    assert raw.grad is not None
    taught = raw.grad[:, :2].abs().amax(dim=(2, 3)) > 0
    assert taught.tolist() == [[True, True], [False, True], [False, True]]


def test_a_perfect_answer_costs_next_to_nothing() -> None:
    targets = batch()
    raw = torch.zeros(3, 8, 64, 128)
    raw[:, :2] = torch.where(targets.heatmap == 1, 30.0, -30.0)
    raw[:, 2:6] = targets.offset.flatten(1, 2)
    raw[:, 6:8] = targets.angle
    losses = losses_of(raw, targets)
    assert max(losses[name].item() for name in ("heatmap", "offset", "angle")) < 1e-6


def test_the_location_loss_is_least_where_the_map_says_the_shares() -> None:
    targets = batch()
    share = targets.share
    right = location_loss((share + 1e-9).log(), share, targets.heatmap_weight)
    entropy = -(share * (share + 1e-30).log()).sum(dim=(2, 3))
    counted = targets.heatmap_weight.flatten(1) * share.sum(dim=(2, 3))
    assert right.item() == pytest.approx(float((entropy * counted).sum() / counted.sum()), rel=1e-3)
    moved = (share.roll(1, dims=3) + 1e-9).log()
    assert location_loss(moved, share, targets.heatmap_weight) > right + 1


def test_shape_loss_against_the_formula_cell_by_cell() -> None:
    """The third picture shows points and no outlines: it says nothing, and padding never does."""
    canvases, _, shapes = collate([prepare(one) for one in samples()])
    logits = random_maps()[:, :3].numpy()
    total = cells = 0.0
    for b, i, j in np.ndindex(2, 64, 128):
        inside = float(canvases[b, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4, 3].double().mean()) / 255
        if inside == 0:
            continue
        for kind in range(3):
            p = 1 / (1 + math.exp(-float(logits[b, kind, i, j])))
            covered = int(shapes[b, i, j, kind]) / 255
            wrong = -COVERED_WEIGHT * covered * math.log(p) - (1 - covered) * math.log(1 - p)
            total += inside * wrong
            cells += inside
    got = losses_of(random_raw(), batch())["shape"]
    assert 0 < cells < 0.9 * 2 * 3 * 64 * 128  # there is padding
    assert got.item() == pytest.approx(total / cells, rel=1e-4)


def test_centre_loss_against_loops() -> None:
    maps = random_maps().numpy()
    total, cells = 0.0, 0
    for b, one in enumerate(samples()):
        _, truth, shapes = prepare(one)
        for k, i, j in np.ndindex(2, 64, 128):
            if not truth[4 + k] or shapes[i, j, k] <= 127:
                continue
            cells += 1
            for axis, cell in enumerate((j, i)):
                way = (truth[2 * k + axis] - (4 * cell + 1.5)) / truth[10]
                total += abs(float(maps[b, 3 + 2 * k + axis, i, j]) - way)
    got = losses_of(random_raw(), batch())["centre"]
    assert cells > 200
    assert got.item() == pytest.approx(total / cells, rel=1e-4)


def test_pictures_without_outlines_cost_nothing_and_give_no_gradient() -> None:
    maps = random_maps()[:1].requires_grad_()
    item = collate([prepare(sample())])
    got = compute_losses(
        random_raw()[:1], maps, encode(item[1]), encode_shapes(*item), LossConfig()
    )
    assert got["shape"].item() == got["centre"].item() == 0
    got["loss"].backward()
    assert maps.grad is not None
    assert not maps.grad.any()


def test_a_picture_that_shows_nothing_says_that_nothing_is_there() -> None:
    item = collate([prepare(sample(None, None, None, "negative"))])
    maps = torch.full((1, 7, 64, 128), -1.5)
    got = compute_losses(
        random_raw()[:1], maps, encode(item[1]), encode_shapes(*item), LossConfig()
    )
    assert got["shape"].item() == pytest.approx(math.log1p(math.exp(-1.5)), rel=1e-5)
    assert got["centre"].item() == 0


def test_weight_zero_switches_the_shapes_off() -> None:
    off = parse_config({"loss": {"shape": {"weight": 0.0}, "centre": {"weight": 0.0}}}).loss
    got = losses_of(random_raw(), batch(), off)
    expected = got["heatmap"] + got["location"] + got["offset"] + 0.5 * got["angle"]
    assert got["loss"].item() == pytest.approx(expected.item(), rel=1e-6)
