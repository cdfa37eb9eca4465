"""Another view of every canvas of a batch: its colours, then where it lies; the truth follows.

As `train.augment` does to one canvas, and what it does not: canvases are stretched and upturned,
and some are made smaller and laid on the page that another canvas is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH
from train.augment import LUMA
from train.compose.dice import Dice
from train.config import AugmentationConfig
from train.targets import column

PAGE_SHARE = 0.07
_PAGE_SCALE = (0.55, 0.87)
_STRETCHED, _MOST_STRETCH = 0.5, 0.12  # of the logarithm of one side's scale
_UPTURNED = 0.3


def canvas_of(picture: Tensor, rect: Tensor) -> Tensor:
    """Pictures [N, 256, 512, 3] in 0..255 as canvases f32 [N, 4, 256, 512] in 0..1: R, G, B and
    mask, all 0 outside the rectangles f32 [N, 4] (x0, y0, x1, y1; ends excluded)."""
    x = torch.arange(CANVAS_WIDTH, device=rect.device)
    y = torch.arange(CANVAS_HEIGHT, device=rect.device)
    x0, y0, x1, y1 = (rect[:, k, None] for k in range(4))
    across, down = (x >= x0) & (x < x1), (y >= y0) & (y < y1)
    mask = (down[:, :, None, None] & across[:, None, :, None]).float()
    canvas = torch.empty((*picture.shape[:3], 4), device=picture.device)
    torch.mul(picture, mask / 255, out=canvas[..., :3])
    canvas[..., 3:] = mask
    return canvas.permute(0, 3, 1, 2)


def recoloured(picture: Tensor, config: AugmentationConfig, dice: Dice) -> Tensor:
    """Pictures [N, H, W, 3] in 0..255 through a colour matrix each; see `augment.colour_matrix`."""
    amounts = (config.brightness, config.contrast, config.saturation, config.hue)
    brightness, contrast, saturation, hue = (dice.uniform(-1, 1) * amount for amount in amounts)
    matrix, shift = colour_matrices(brightness, contrast, saturation, hue)
    channels = picture.unbind(dim=3)
    result = torch.empty_like(picture)
    for k in range(3):
        gains = matrix[:, k].to(picture.dtype)[..., None, None]
        total = torch.addcmul(shift.to(picture.dtype).reshape(-1, 1, 1), channels[0], gains[:, 0])
        total.addcmul_(channels[1], gains[:, 1]).addcmul_(channels[2], gains[:, 2])
        result[..., k] = total.clamp_(0, 255)
    return result


def colour_matrices(
    brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor
) -> tuple[Tensor, Tensor]:
    """`augment.colour_matrix` of amounts f32 [N]: matrices f32 [N, 3, 3] and shifts f32 [N]."""
    turn = 2 * math.pi * hue.reshape(-1, 1, 1)
    eye, third = torch.eye(3, device=hue.device), torch.full((3, 3), 1 / 3, device=hue.device)
    across = hue.new_tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    hues = third + turn.cos() * (eye - third) + turn.sin() * across
    saturation = saturation.reshape(-1, 1, 1)
    colours = (1 + saturation) * eye - saturation * hue.new_tensor(LUMA)
    gain = (1 + brightness) * (1 + contrast)
    return gain.reshape(-1, 1, 1) * colours @ hues, -(1 + brightness) * contrast * 127.5


@dataclass(frozen=True)
class _View:
    """How a canvas point p is carried: matrix (p - middle) + middle + shift.

    matrix: f32 [N, 2, 2]; shift: f32 [N, 2], canvas pixels; stretched: bool [N].
    """

    matrix: Tensor
    shift: Tensor
    stretched: Tensor

    def carried(self, points: Tensor) -> Tensor:
        middle = _middle(points)
        there = (points - middle) @ self.matrix.transpose(1, 2)
        return there + middle + self.shift[:, None]

    def where(self, chosen: Tensor) -> _View:
        """The view for the chosen ones; nothing changes for the others."""
        eye = torch.eye(2, device=chosen.device)
        return _View(
            torch.where(chosen[:, None, None], self.matrix, eye),
            torch.where(chosen[:, None], self.shift, 0.0),
            self.stretched & chosen,
        )


def _middle(like: Tensor) -> Tensor:
    return like.new_tensor([(CANVAS_WIDTH - 1) / 2, (CANVAS_HEIGHT - 1) / 2])


def viewed(
    canvas: Tensor, truth: Tensor, pages: Tensor, config: AugmentationConfig, dice: Dice
) -> tuple[Tensor, Tensor]:
    """Turned, scaled, stretched, upturned and shifted canvases; a point that is there stays there.

    canvas: f32 [N, 4, 256, 512], R, G, B and mask, all in 0..1. truth: f32 [N, 13].
    pages: f32 [M, 4, 256, 512]: the first M canvases are made smaller and laid on these.
    """
    view = _draw_view(len(pages), config, dice)
    points, exists = truth[:, :4].reshape(-1, 2, 2), truth[:, 4:6] > 0
    there = view.carried(points)
    inside = (there >= 0).all(dim=2) & (there <= 2 * _middle(there)).all(dim=2)
    stays = (inside | ~exists).all(dim=1)
    view = view.where(stays)
    canvas = _resampled(canvas, view)
    if len(pages):
        laid = stays[: len(pages)].reshape(-1, 1, 1, 1)
        first = canvas[: len(pages)]
        canvas[: len(pages)] = torch.where(laid, _on_pages(first, pages), first)
    return canvas, _carried_truth(truth, view, view.carried(points) * exists[..., None])


def _on_pages(canvas: Tensor, pages: Tensor) -> Tensor:
    mask = canvas[:, 3:]
    # At its border a picture is mixed with the nothing around it, in all channels alike.
    own = torch.cat([canvas[:, :3] / mask.clamp(min=0.5), torch.ones_like(mask)], dim=1)
    return torch.where(mask < 0.5, pages, own)


def _draw_view(on_pages: int, config: AugmentationConfig, dice: Dice) -> _View:
    on_page = torch.arange(dice.count, device=dice.device) < on_pages
    scale = torch.where(on_page, dice.uniform(*_PAGE_SCALE), dice.uniform(*config.random_scale))
    stretched = dice.chance(_STRETCHED) & ~on_page
    log_stretch = dice.uniform(-_MOST_STRETCH, _MOST_STRETCH) * stretched
    upturned = torch.where(dice.chance(_UPTURNED), -1.0, 1.0)
    factors = torch.stack(
        [scale * log_stretch.exp(), upturned * scale * (-log_stretch).exp()], dim=1
    )
    turn = torch.deg2rad(dice.uniform(*config.random_rotate))
    cos, sin = turn.cos(), turn.sin()  # anticlockwise as seen, y down
    rotation = torch.stack([cos, sin, -sin, cos], dim=1).reshape(-1, 2, 2)
    room = (1 - scale)[:, None] * _middle(scale)
    shift = torch.where(
        on_page[:, None], room * dice.uniform(-1, 1, 2), dice.uniform(*config.random_translate, 2)
    )
    return _View(rotation * factors[:, None], shift, stretched)


def _resampled(canvas: Tensor, view: _View) -> Tensor:
    """Bilinear; 0 in all channels where nothing was."""
    back = torch.linalg.inv(view.matrix)
    half = canvas.new_tensor([CANVAS_WIDTH / 2, CANVAS_HEIGHT / 2])
    theta = torch.empty((len(canvas), 2, 3), device=canvas.device)
    theta[:, :, :2] = back * (half[None, :] / half[:, None])  # in half widths and half heights
    theta[:, :, 2] = -(back @ view.shift[..., None])[..., 0] / half
    grid = functional.affine_grid(theta, list(canvas.shape), align_corners=False)
    return functional.grid_sample(canvas, grid, align_corners=False)


def _carried_truth(truth: Tensor, view: _View, points: Tensor) -> Tensor:
    result = truth.clone()
    result[:, :4] = points.flatten(1)
    scale_x, scale_y = view.matrix.norm(dim=1).unbind(dim=1)
    for name, scale in (("size_x", scale_x), ("scale_x", scale_x), ("scale_y", scale_y)):
        result[:, column(name)] *= scale
    # Mirrored, an angle turns the other way; stretched, a turned gap is no turned piece any more.
    result[:, column("sin")] *= torch.linalg.det(view.matrix).sign()
    turned = result[:, column("sin")] != 0
    result[:, column("has_angle")] *= ~(view.stretched & turned)
    return result


def halved(canvas: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Canvases and truths at half the size, as `train.canvas.shrink` makes them."""
    result = truth.clone()
    result[:, :4] = (truth[:, :4] / 2 - 0.25) * truth[:, 4:6].repeat_interleave(2, dim=1)
    for name in ("size_x", "scale_x", "scale_y"):
        result[:, column(name)] /= 2
    return functional.avg_pool2d(canvas, 2), result
