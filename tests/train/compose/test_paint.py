"""What is painted is where the truth says, and what is good can be seen."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from tests.train.compose.small import dice
from train.compose.layers import LOOK, PATCH
from train.compose.paint import Puzzles, compose
from train.compose.pick import pick_layers
from train.synth import SynthOptions
from train.targets import field

N = 48
OPTIONS = SynthOptions(no_gap_probability=0.2, no_piece_probability=0.2)
HALF = PATCH // 2


def composed(
    fields: dict[str, Tensor], options: SynthOptions = OPTIONS, seed: int = 1
) -> tuple[dict[str, Tensor], Puzzles]:
    one = dice(N, seed)
    layers = pick_layers(fields, len(fields["truth"]), one, torch.float32)
    kept = {name: layer.clone() for name, layer in layers.items()}
    return kept, compose(layers, options, one)


def difference(layers: dict[str, Tensor], puzzles: Puzzles, k: int) -> np.ndarray:
    """Where picture k is not its (dimmed) background, bool [256, 512]."""
    dim = layers["look"][k, LOOK.index("dim")] if puzzles.truth[k, 4] else 1.0
    return (puzzles.picture[k] - dim * layers["background"][k]).abs().amax(dim=2).numpy() > 1


def test_nothing_changes_but_around_gap_piece_and_decoys(fields: dict[str, Tensor]):
    layers, puzzles = composed(fields, replace(OPTIONS, decoy_probability=0.0))
    for k in range(N):
        changed = difference(layers, puzzles, k)
        for x, y, there in ((0, 1, 4), (2, 3, 5)):
            if puzzles.truth[k, there]:
                column, row = (int(puzzles.truth[k, f]) for f in (x, y))
                changed[max(0, row - HALF) : row + HALF, max(0, column - HALF) : column + HALF] = (
                    False
                )
        assert not changed.any()


def test_gap_and_piece_are_centred_where_the_truth_says(fields: dict[str, Tensor]):
    """The pixels that change most around an anchor are those that its shape covers."""
    layers, puzzles = composed(
        fields, replace(OPTIONS, decoy_probability=0.0, no_piece_probability=1.0)
    )
    seen = 0
    for k in range(N):
        if not (puzzles.truth[k, 4] and puzzles.good[k]):
            continue
        changed = np.pad(difference(layers, puzzles, k), HALF)
        column, row = int(puzzles.truth[k, 0]), int(puzzles.truth[k, 1])
        patch = changed[row : row + PATCH, column : column + PATCH]
        covered = layers["cover"][k, ..., 0].numpy() > 127
        inside = np.pad(np.ones((256, 512), bool), HALF)[row : row + PATCH, column : column + PATCH]
        outlined = layers["look"][k, LOOK.index("outlined")]
        if not outlined:
            assert patch[covered & inside].mean() > 0.6
        seen += 1
    assert seen > 10


def test_a_piece_shows_what_its_gap_has_lost(fields: dict[str, Tensor]):
    """Turned where the gap is: OpenCV's own warp of the background is the reference."""
    clear = {name: layer.clone() for name, layer in fields.items()}
    clear["piece"].zero_()
    clear["piece"][..., 3], clear["piece"][..., 4] = -1, 1  # the content alone, all over the patch
    x, y = torch.meshgrid(torch.arange(512), torch.arange(256), indexing="xy")
    ramps = torch.stack([30 + x / 4, 30 + y / 2, 200 - (x + y) / 5], dim=2)
    clear["background"][:] = ramps.round().byte()  # so that the nearest pixel is nearly right
    layers, puzzles = composed(
        clear,
        replace(OPTIONS, decoy_probability=0.0, no_piece_probability=0.0, no_gap_probability=0.0),
    )
    turned = 0
    for k in range(N):
        gap_x, gap_y, x, y = puzzles.truth[k, :4].tolist()
        sin, cos = (float(layers["look"][k, LOOK.index(name)]) for name in ("sin", "cos"))
        matrix = np.array(
            [
                [cos, sin, gap_x - cos * HALF - sin * HALF],
                [-sin, cos, gap_y + sin * HALF - cos * HALF],
            ]
        )
        source = layers["background"][k].numpy()
        expected = cv2.warpAffine(
            source,
            matrix,
            (PATCH, PATCH),
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        padded = np.pad(puzzles.picture[k].numpy(), ((HALF, HALF), (HALF, HALF), (0, 0)))
        shown = padded[int(y) : int(y) + PATCH, int(x) : int(x) + PATCH]
        whole = shown.max(axis=2) > 0
        same = np.abs(shown - expected).max(axis=2)[whole] < 2
        assert same.mean() > 0.95
        turned += sin != 0
    assert turned > 0


def test_decoys_come_only_where_gap_and_piece_are(fields: dict[str, Tensor]):
    none = composed(fields, replace(OPTIONS, decoy_probability=0.0))
    many = composed(fields, replace(OPTIONS, decoy_probability=1.0))
    assert torch.equal(none[1].truth[:, 4:6], many[1].truth[:, 4:6])
    more = 0
    for k in range(N):
        areas = [difference(*drawn, k).sum() for drawn in (none, many)]
        both = bool(many[1].truth[k, 4:6].all())
        if not both:
            assert areas[1] == areas[0] or not none[1].truth[k, 4]
        more += both and areas[1] > areas[0] + 50
    assert more > N / 4


def test_about_half_is_good_and_what_is_flat_and_alike_is_not(fields: dict[str, Tensor]):
    _, puzzles = composed(fields)
    assert 0.3 < puzzles.good.float().mean() < 0.95
    hidden = {name: layer.clone() for name, layer in fields.items()}
    hidden["gap"].zero_()
    hidden["look"][:, LOOK.index("outlined")] = 1  # so that it is not darkened either
    _, puzzles = composed(hidden, replace(OPTIONS, no_gap_probability=0.0))
    assert not puzzles.good.any()


def test_without_gap_or_piece_the_truth_has_none(fields: dict[str, Tensor]):
    _, puzzles = composed(fields)
    truth = puzzles.truth
    for name in ("gap", "slider"):
        there = field(truth, f"has_{name}") > 0
        assert 0 < there.sum() < N
        assert (field(truth, f"{name}_x")[~there] == 0).all()
    both = (field(truth, "has_gap") * field(truth, "has_slider")) > 0
    assert (field(truth, "has_angle")[~both] == 0).all()
    assert (field(truth, "sin") ** 2 + field(truth, "cos") ** 2 - 1).abs().max() < 1e-5
