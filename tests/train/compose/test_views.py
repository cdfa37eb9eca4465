from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.train.compose.small import dice
from tests.train.test_augment import only
from train.augment import colour_matrix
from train.canvas import shrink
from train.compose.views import canvas_of, colour_matrices, halved, recoloured, viewed
from train.targets import TRUTH_FIELDS, field

N = 32
NO_PAGES = torch.zeros(0, 4, 256, 512)
MOVING = only(random_scale=(0.85, 1.17), random_translate=(-25.0, 25.0))


def spots(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Canvases with a soft red spot at the gap and a green one at the slider; their truths."""
    rng = np.random.default_rng(seed)
    truth = torch.zeros(N, len(TRUTH_FIELDS))
    truth[:, :4] = torch.from_numpy(rng.uniform((90, 60, 90, 60), (420, 190, 420, 190), (N, 4)))
    truth[:, 4:6] = 1
    for name, value in (
        ("sin", 0.6),
        ("cos", 0.8),
        ("has_angle", 1),
        ("size_x", 40),
        ("scale_x", 1.5),
        ("scale_y", 1.5),
    ):
        truth[:, TRUTH_FIELDS.index(name)] = value
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(512.0), indexing="ij")
    canvas = torch.zeros(N, 4, 256, 512)
    canvas[:, 3, 20:236, 30:480] = 1
    for channel in (0, 1):
        at = truth[:, 2 * channel : 2 * channel + 2, None, None]
        canvas[:, channel] = torch.exp(-((x - at[:, 0]) ** 2 + (y - at[:, 1]) ** 2) / 18)
    return canvas, truth


def centres(channel: Tensor) -> Tensor:
    """Centres of mass of [N, H, W]: [N, 2] (x, y)."""
    height, width = channel.shape[1:]
    total = channel.sum(dim=(1, 2))
    x = (channel.sum(dim=1) * torch.arange(width)).sum(dim=1) / total
    y = (channel.sum(dim=2) * torch.arange(height)).sum(dim=1) / total
    return torch.stack([x, y], dim=1)


@pytest.mark.parametrize("turn", [0.0, 12.0])
def test_the_truth_follows_the_picture(turn: float):
    canvas, truth = spots()
    config = only(
        random_scale=(0.8, 1.2), random_translate=(-20.0, 20.0), random_rotate=(-turn, turn)
    )
    moved, result = viewed(canvas, truth, NO_PAGES, config, dice(N))
    for channel in (0, 1):
        torch.testing.assert_close(
            centres(moved[:, channel]), result[:, 2 * channel :][:, :2], atol=0.15, rtol=0
        )
    assert (result[:, :4] - truth[:, :4]).abs().amax(dim=1).gt(1).float().mean() > 0.8
    area = moved[:, 3].sum(dim=(1, 2)) / canvas[:, 3].sum(dim=(1, 2))
    scales = field(result, "scale_x") * field(result, "scale_y") / 1.5**2
    assert (area <= scales * 1.01).all()  # some of it may leave the canvas


def test_a_view_is_opencvs_warp():
    canvas, truth = spots()
    config = only(
        random_scale=(0.9, 1.1), random_rotate=(-10.0, 10.0), random_translate=(-9.0, 9.0)
    )
    moved, result = viewed(canvas, truth, NO_PAGES, config, dice(N))
    for k in range(N):
        old, new = truth[k, :4].reshape(2, 2).numpy(), result[k, :4].reshape(2, 2).numpy()
        corners = viewed_points(canvas, k, config)
        matrix = cv2.getAffineTransform(*(points.astype(np.float32) for points in corners))
        np.testing.assert_allclose(old @ matrix[:, :2].T + matrix[:, 2], new, atol=1e-2)
        expected = cv2.warpAffine(canvas[k].permute(1, 2, 0).numpy(), matrix, (512, 256))
        np.testing.assert_allclose(moved[k].permute(1, 2, 0).numpy(), expected, atol=0.06)


def viewed_points(canvas: Tensor, k: int, config: object) -> tuple[np.ndarray, np.ndarray]:
    """Three points before and after the same view of canvas k, found with other truths."""
    before = np.array([[200.0, 100], [300, 100], [200, 150]])
    after = []
    for point in before:
        truth = torch.zeros(N, len(TRUTH_FIELDS))
        _, known = spots()
        truth[:] = known
        truth[:, :2] = torch.from_numpy(point)
        after.append(viewed(canvas, truth, NO_PAGES, config, dice(N))[1][k, :2].numpy())  # type: ignore[arg-type]
    return before, np.array(after)


def test_upturned_angles_turn_the_other_way_and_stretched_ones_are_unknown():
    canvas, truth = spots()
    _, result = viewed(canvas, truth, NO_PAGES, MOVING, dice(N))
    sin, known = field(result, "sin"), field(result, "has_angle") > 0
    assert 0.1 < (sin < 0).float().mean() < 0.6
    same = (field(result, "scale_x") / field(result, "scale_y") - 1).abs() < 1e-4
    assert torch.equal(known, same)
    assert 0.2 < known.float().mean() < 0.8
    upturned = sin < 0
    below = truth[:, 1] > truth[:, 3]
    now_below = result[:, 1] > result[:, 3]
    clear = (truth[:, 1] - truth[:, 3]).abs() > 1
    assert torch.equal((below ^ now_below)[clear], upturned[clear])


def test_without_a_turn_an_angle_survives_stretching():
    canvas, truth = spots()
    truth[:, TRUTH_FIELDS.index("sin")], truth[:, TRUTH_FIELDS.index("cos")] = 0, 1
    _, result = viewed(canvas, truth, NO_PAGES, MOVING, dice(N))
    assert (field(result, "has_angle") == 1).all()


def test_points_stay_on_the_canvas():
    canvas, truth = spots()
    truth[:, :2], truth[:, 2:4] = torch.tensor([3.0, 2.0]), torch.tensor([508.0, 253.0])
    moved, result = viewed(canvas, truth, NO_PAGES, MOVING, dice(N))
    points = result[:, :4].reshape(N, 2, 2)
    assert (points >= 0).all()
    assert (points <= torch.tensor([511.0, 255.0])).all()
    unchanged = (result[:, :4] == truth[:, :4]).all(dim=1)
    assert unchanged.any()
    torch.testing.assert_close(moved[unchanged], canvas[unchanged], atol=1e-4, rtol=0)


def test_pages_surround_what_is_laid_on_them():
    canvas, truth = spots()
    canvas[:, 2] = canvas[:, 3]
    pages = torch.ones(6, 4, 256, 512)
    pages[:, :3] = 0.25
    moved, result = viewed(canvas, truth, pages, MOVING, dice(N))
    assert (moved[:6, 3] == 1).all()
    assert (field(result, "scale_x")[:6] < 1.5).all()
    on_page = (moved[:6, :3] == 0.25).all(dim=1).flatten(1).float().mean(dim=1)
    assert (on_page > 0.3).all()
    assert (moved[6:, 3] < 1).flatten(1).any(dim=1).all()


def test_no_point_no_place():
    canvas, truth = spots()
    truth[:, :6] = 0
    _, result = viewed(canvas, truth, NO_PAGES, MOVING, dice(N))
    assert (result[:, :6] == 0).all()
    _, half = halved(canvas, truth)
    assert (half[:, :6] == 0).all()


def test_colour_matrices_are_those_of_one_picture():
    rng = np.random.default_rng(4)
    amounts = rng.uniform(-0.4, 0.4, (10, 4))
    matrices, shifts = colour_matrices(*torch.from_numpy(amounts).float().T)
    for row, matrix, shift in zip(amounts, matrices, shifts, strict=True):
        expected = colour_matrix(*row)
        np.testing.assert_allclose(matrix, expected[:, :3], atol=1e-5)
        np.testing.assert_allclose(shift, expected[0, 3], atol=1e-3)


def test_recolouring_is_opencvs_transform():
    picture = torch.randint(0, 256, (4, 16, 16, 3)).float()
    config = only(brightness=0.3, contrast=0.2, saturation=0.5, hue=0.5)
    drawn = dice(4)
    amounts = [drawn.uniform(-1, 1) * a for a in (0.3, 0.2, 0.5, 0.5)]
    found = recoloured(picture, config, dice(4))
    for k in range(4):
        matrix = colour_matrix(*(float(amount[k]) for amount in amounts))
        expected = np.clip(cv2.transform(picture[k].numpy(), matrix), 0, 255)
        np.testing.assert_allclose(found[k], expected, atol=1e-2)


def test_a_canvas_is_empty_outside_its_rectangle():
    picture = torch.full((2, 256, 512, 3), 255.0)
    rect = torch.tensor([[0.0, 0, 512, 256], [100, 20, 400, 236]])
    canvas = canvas_of(picture, rect)
    assert (canvas[0] == 1).all()
    inside = torch.zeros(256, 512, dtype=torch.bool)
    inside[20:236, 100:400] = True
    for channel in canvas[1]:
        assert torch.equal(channel == 1, inside)
        assert torch.equal(channel == 0, ~inside)


def test_halves_are_those_of_single_canvases():
    canvas, truth = spots()
    small, result = halved(canvas, truth)
    for k in range(3):
        whole = (255 * canvas[k].permute(1, 2, 0)).round().byte().numpy()
        expected, vector = shrink(whole, truth[k].numpy(), 2)
        np.testing.assert_allclose(255 * small[k].permute(1, 2, 0), expected, atol=1.1)
        np.testing.assert_allclose(result[k], vector, rtol=1e-5)
