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
    mode = dice.uniform()
    at_edge, over_gap = mode < _AT_EDGE, mode >= 1 - _OVER_GAP
    gap_x, piece_x, found = gap_high, low, torch.zeros_like(at_edge)
    for _ in range(_TRIES):
        gap = gap_low + dice.uniform() * (gap_high - gap_low)
        edge = low - 0.02 * CANVAS_WIDTH * torch.log(dice.uniform().clamp(min=1e-6))
        far = torch.where(dice.chance(_RIGHT_OF_GAP), high, torch.maximum(low, gap))
        row = low + dice.uniform() * (far - low)
        side = torch.where(dice.chance(0.9), -1.0, 1.0)
        over = gap + side * apart * dice.uniform(0.5, 0.95)
        piece = torch.where(at_edge, edge, torch.where(over_gap, over, row))
        valid = (piece >= low) & (piece <= high) & (over_gap | ((gap - piece).abs() >= apart))
        new = valid & ~found
        gap_x, piece_x = torch.where(new, gap, gap_x), torch.where(new, piece, piece_x)
        found |= valid
    return gap_x, piece_x


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
    found = torch.zeros_like(same_row)
    placed, gap = gap_xy, taken[0]
    clear = (0.3 * (gap[:, 3] - gap[:, 1])).clamp(min=8)
    row_y = gap_xy[:, 1].clamp(min=low[:, 1]).minimum(high[:, 1])
    for _ in range(_TRIES):
        anchor = low + dice.uniform(0, 1, 2) * (high - low)
        anchor[:, 1] = torch.where(same_row, row_y, anchor[:, 1])
        anchor = anchor.round()
        here = moved(box, anchor)
        free = ~torch.stack([_meet(here, other) for other in taken]).any(0)
        distance = (here[:, 1] + here[:, 3] - gap[:, 1] - gap[:, 3]).abs() / 2
        new = free & (same_row | (distance >= clear)) & (low <= high).all(1) & ~found
        placed, found = torch.where(new[:, None], anchor, placed), found | new
    return placed, found


def _meet(a: Tensor, b: Tensor) -> Tensor:
    apart = ((a[:, :2] >= b[:, 2:] + _APART_PX) | (b[:, :2] >= a[:, 2:] + _APART_PX)).any(dim=1)
    return ~apart
