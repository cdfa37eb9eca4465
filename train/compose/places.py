"""Where gap, piece and decoys lie, as `train.synth.layout` has it, for a batch.

Rectangles and boxes are f32 [N, 4] (x0, y0, x1, y1) in canvas pixels; a rectangle's ends are
excluded, a box is relative to its shape's anchor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH
from train.compose.dice import Dice
from train.compose.layers import PATCH

HALF = PATCH // 2
Index = tuple[Tensor, Tensor, Tensor]

_TRIES = 6
_AT_EDGE, _OVER_GAP = 0.43, 0.16  # shares of the pieces; the others lie anywhere on their row
_RIGHT_OF_GAP = 0.1  # of those
_APART_PX = 4.0  # between the boxes of two shapes


@dataclass(frozen=True)
class Place:
    """Anchors on whole canvas pixels, f32 [N, 2], and whether both shapes fit, bool [N]."""

    gap_xy: Tensor
    piece_xy: Tensor
    fits: Tensor


def window(anchor_xy: Tensor) -> Index:
    """Index of the patches around anchors in canvases [N, H, W, ...] padded by half a patch."""
    steps = torch.arange(PATCH, device=anchor_xy.device)
    corner = anchor_xy.long()
    each = torch.arange(len(anchor_xy), device=anchor_xy.device)
    rows = (corner[:, 1, None] + steps)[:, :, None]
    columns = (corner[:, 0, None] + steps)[:, None, :]
    return each[:, None, None], rows, columns


def draw_places(rect: Tensor, gap_box: Tensor, piece_box: Tensor, dice: Dice) -> Place:
    """Gap and piece on one row: the piece at the left edge, anywhere on its row or partly over
    the gap."""
    gap_low, gap_high = _range(rect, gap_box)
    low, high = _range(rect, piece_box)
    bottom, top = torch.maximum(gap_low, low)[:, 1], torch.minimum(gap_high, high)[:, 1]
    fits = (bottom <= top + 2) & (gap_low <= gap_high).all(1) & (low <= high).all(1)
    top = torch.maximum(bottom, top)
    y = bottom + dice.uniform() * (top - bottom)
    y = torch.where(dice.chance(0.04), torch.where(dice.chance(0.5), bottom, top), y)
    apart = (gap_box[:, 2] - gap_box[:, 0] + piece_box[:, 2] - piece_box[:, 0]) / 2
    gap_x, piece_x = _columns(gap_low[:, 0], gap_high[:, 0], low[:, 0], high[:, 0], apart, dice)
    at_border = torch.where(gap_x > piece_x, gap_high[:, 0], gap_low[:, 0])
    gap_x = torch.where(dice.chance(0.03), at_border, gap_x)
    piece_y = y + torch.where(dice.chance(0.08), dice.uniform(-3, 3), 0.0)
    return Place(_on_pixels(gap_x, y), _on_pixels(piece_x, piece_y), fits)


def _columns(
    gap_low: Tensor, gap_high: Tensor, low: Tensor, high: Tensor, apart: Tensor, dice: Dice
) -> tuple[Tensor, Tensor]:
    """Gap's and piece's x, the first of some draws in which they lie as they should."""
    limits = (gap_low, gap_high, low, high, apart)
    gap_low, gap_high, low, high, apart = (limit[:, None] for limit in limits)  # [N, 1]
    tries = dice.uniform(0, 1, 5, _TRIES).unbind(dim=1)  # [N, tries] each
    mode = dice.uniform()[:, None]
    at_edge, over_gap = mode < _AT_EDGE, mode >= 1 - _OVER_GAP
    gap = gap_low + tries[0] * (gap_high - gap_low)
    edge = low - 0.02 * CANVAS_WIDTH * torch.log(tries[1].clamp(min=1e-6))
    far = torch.where(tries[2] < _RIGHT_OF_GAP, high, torch.maximum(low, gap))
    row = low + tries[1] * (far - low)
    side = torch.where(tries[3] < 0.9, -1.0, 1.0)
    over = gap + side * apart * (0.5 + 0.45 * tries[4])
    piece = torch.where(at_edge, edge, torch.where(over_gap, over, row))
    valid = (piece >= low) & (piece <= high) & (over_gap | ((gap - piece).abs() >= apart))
    drawn, found = _first(valid, torch.stack([gap, piece], dim=2))
    rest = torch.cat([gap_high, low], dim=1)
    return torch.where(found[:, None], drawn, rest).unbind(dim=1)


def _first(valid: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Of draws [N, tries, 2] the first valid one [N, 2], and whether there is one, bool [N]."""
    each = torch.arange(len(valid), device=valid.device)
    return drawn[each, valid.int().argmax(dim=1)], valid.any(dim=1)


def _on_pixels(x: Tensor, y: Tensor) -> Tensor:
    last = x.new_tensor([CANVAS_WIDTH - 1, CANVAS_HEIGHT - 1])
    return torch.stack([x, y], dim=1).round().clamp(min=0).minimum(last)


def _range(rect: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest anchor [N, 2] that keep a box inside the picture."""
    return rect[:, :2] - box[:, :2], rect[:, 2:] - 1 - box[:, 2:]


def moved(box: Tensor, anchor_xy: Tensor) -> Tensor:
    """The box where it lies."""
    return box + anchor_xy.repeat(1, 2)


def draw_decoy(
    rect: Tensor, box: Tensor, same_row: Tensor, gap_xy: Tensor, taken: list[Tensor], dice: Dice
) -> tuple[Tensor, Tensor]:
    """A free anchor f32 [N, 2] for a decoy of that box, and whether one was found, bool [N].

    same_row: bool [N], on the gap's row; the others lie clearly off it. taken: boxes where shapes
    lie, the gap's first.
    """
    low, high = _range(rect, box)
    fits, gap = (low <= high).all(dim=1, keepdim=True), taken[0][:, None]
    row_y = gap_xy[:, 1].clamp(min=low[:, 1]).minimum(high[:, 1])
    anchor = low[:, None] + dice.uniform(0, 1, _TRIES, 2) * (high - low)[:, None]
    anchor[..., 1] = torch.where(same_row[:, None], row_y[:, None], anchor[..., 1])
    anchor = anchor.round()  # [N, tries, 2]
    here = box[:, None] + anchor.repeat(1, 1, 2)
    free = ~_meet(here[:, :, None], torch.stack(taken, dim=1)[:, None]).any(dim=2)
    distance = (here[..., 1] + here[..., 3] - gap[..., 1] - gap[..., 3]).abs() / 2
    clear = distance >= (0.3 * (gap[..., 3] - gap[..., 1])).clamp(min=8)
    return _first(free & fits & (same_row[:, None] | clear), anchor)


def _meet(a: Tensor, b: Tensor) -> Tensor:
    """Whether boxes [..., 4] come closer to each other than shapes may."""
    apart = (a[..., :2] >= b[..., 2:] + _APART_PX) | (b[..., :2] >= a[..., 2:] + _APART_PX)
    return ~apart.any(dim=-1)
