from __future__ import annotations

import torch
from torch import Tensor

from tests.train.compose.small import dice
from train.compose.layers import LOOK, PATCH
from train.compose.pick import pick_layers


def numbered(fields: dict[str, Tensor]) -> dict[str, Tensor]:
    """One slot: planes that count columns, then rows; a rectangle off the middle."""
    one = {name: field[:1].clone() for name, field in fields.items()}
    for name in ("gap", "other", "piece", "cover", "background"):
        height, width = one[name].shape[1:3]
        one[name][..., 0] = torch.arange(width).clamp(max=255)
        one[name][..., 1] = torch.arange(height)[:, None].clamp(max=255)
    one["rect"][:] = torch.tensor([100.0, 0, 450, 256])
    one["box"][:] = torch.tensor([-3.0, -5, 7, 11])
    one["contour"][:] = torch.tensor([2.0, 4, 0.6, 0.8])
    one["look"][:, LOOK.index("sin")] = 0.5
    return one


def test_all_that_belongs_together_is_mirrored_together(fields: dict[str, Tensor]):
    found = pick_layers(numbered(fields), 1, dice(64), torch.float32)
    middle = PATCH // 2
    across = found["gap"][:, 0, middle - 10, 0] > middle
    down = found["gap"][:, middle - 10, 0, 1] > middle
    assert 8 < across.sum() < 56
    assert 8 < down.sum() < 56
    for k in range(64):
        for name in ("gap", "other", "piece", "cover"):
            planes, step = found[name][k], torch.arange(1, PATCH)
            x, y = PATCH - step if across[k] else step, PATCH - step if down[k] else step
            torch.testing.assert_close(planes[middle, 1:, 0], x.float())
            torch.testing.assert_close(planes[1:, middle, 1], y.float())
        sign = torch.tensor([1 - 2 * int(across[k]), 1 - 2 * int(down[k])])
        corners = sign * torch.tensor([[-3.0, -5], [7, 11]])
        expected = torch.cat([corners.amin(0), corners.amax(0)])
        torch.testing.assert_close(found["box"][k, 0], expected)
        point = torch.cat([sign * torch.tensor([2.0, 4]), sign * torch.tensor([0.6, 0.8])])
        torch.testing.assert_close(found["contour"][k, 1, 3], point)
        assert found["look"][k, LOOK.index("sin")] == 0.5 * sign.prod()


def test_a_mirrored_background_takes_its_rectangle_along(fields: dict[str, Tensor]):
    one = numbered(fields)
    one["background"][:] = 0
    one["background"][:, :, 100:450] = 200
    found = pick_layers(one, 1, dice(16), torch.float32)
    lefts = set()
    for picture, rect in zip(found["background"], found["rect"], strict=True):
        shown = picture[0, :, 0].nonzero().flatten()
        assert (shown.min(), shown.max() + 1) == (rect[0], rect[2])
        lefts.add(float(rect[0]))
    assert lefts == {100.0, 62.0}


def test_only_filled_slots_are_used(fields: dict[str, Tensor]):
    fields = {name: field.clone() for name, field in fields.items()}
    fields["background"][5:] = 255
    fields["background"][:5] = 7
    found = pick_layers(fields, 5, dice(64), torch.float32)
    assert (found["background"] == 7).all()
