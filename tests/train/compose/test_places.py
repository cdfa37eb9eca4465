"""Shapes lie where the generator's rules put them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.train.compose.small import dice
from train.compose.places import PATCH, draw_decoy, draw_places, moved, window

N = 400
RECT = torch.tensor([[20.0, 10, 490, 246]]).expand(N, 4)
GAP = torch.tensor([[-31.0, -22, 30, 20]]).expand(N, 4)
PIECE = torch.tensor([[-30.0, -20, 30, 20]]).expand(N, 4)


def inside(box: Tensor) -> Tensor:
    return (box[:, :2] >= RECT[:, :2] - 1).all(1) & (box[:, 2:] <= RECT[:, 2:]).all(1)


def test_gap_and_piece_lie_inside_the_picture_on_one_row():
    place = draw_places(RECT, GAP, PIECE, dice(N))
    assert place.fits.all()
    assert inside(moved(GAP, place.gap_xy)).float().mean() > 0.98  # a row may be 3 px off
    assert inside(moved(PIECE, place.piece_xy)).float().mean() > 0.95
    rows = (place.gap_xy[:, 1] - place.piece_xy[:, 1]).abs()
    assert rows.max() <= 3
    assert (rows == 0).float().mean() > 0.85
    assert (place.gap_xy == place.gap_xy.round()).all()


def test_pieces_lie_at_the_left_anywhere_on_their_row_or_over_the_gap():
    place = draw_places(RECT, GAP, PIECE, dice(N))
    apart = place.gap_xy[:, 0] - place.piece_xy[:, 0]
    assert 0.35 < (place.piece_xy[:, 0] < 80).float().mean() < 0.65
    assert 0.08 < (apart.abs() < 60).float().mean() < 0.3
    assert 0 < (apart < 0).float().mean() < 0.12
    assert apart.max() > 300


def test_a_shape_larger_than_the_picture_does_not_fit():
    narrow = torch.tensor([[240.0, 0, 270, 256]]).expand(N, 4)
    assert not draw_places(narrow, GAP, PIECE, dice(N)).fits.any()


def test_decoys_are_free_and_off_the_row_unless_asked_onto_it():
    place = draw_places(RECT, GAP, PIECE, dice(N))
    gap, piece = moved(GAP, place.gap_xy), moved(PIECE, place.piece_xy)
    on_row = torch.arange(N) % 2 == 0
    placed, found = draw_decoy(RECT, PIECE, on_row, place.gap_xy, [gap, piece], dice(N, 2))
    assert found.float().mean() > 0.5
    box = moved(PIECE, placed)
    assert inside(box)[found].all()
    for other in (gap, piece):
        meets = (box[:, :2] < other[:, 2:]).all(1) & (other[:, :2] < box[:, 2:]).all(1)
        assert not meets[found].any()
    distance = ((box[:, 1] + box[:, 3]) - (gap[:, 1] + gap[:, 3])).abs() / 2
    assert (distance[found & ~on_row] >= 12).all()
    assert (distance[found & on_row] <= 2).all()


@pytest.mark.parametrize("anchor", [(0, 0), (511, 255), (200, 100)])
def test_a_window_is_the_patch_around_its_anchor(anchor: tuple[int, int]):
    canvas = torch.zeros(1, 256 + PATCH, 512 + PATCH)
    half = PATCH // 2
    canvas[0, half + anchor[1], half + anchor[0]] = 1
    patch = canvas[window(torch.tensor([anchor]).float())]
    assert patch.shape == (1, PATCH, PATCH)
    assert patch[0, half, half] == 1
