"""Furniture: drawn in place, repeatable, and never hiding the gap or the piece."""

from __future__ import annotations

import numpy as np
import pytest

from train.synth.furniture import FURNITURE_FAMILIES, add_furniture

GAP, PIECE = (180, 60, 230, 110), (10, 60, 60, 110)
FAINT = {"vignette", "light-leak", "watermark"}
THIN = {"frame", "rounded-corners"}


def ground(seed: int, width: int = 300, height: int = 160) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 200, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("family", FURNITURE_FAMILIES)
def test_each_family_draws_in_place_and_varies(family: str) -> None:
    seen = set()
    for seed in range(20):
        picture = ground(1)
        names = add_furniture(np.random.default_rng(seed), picture, {family}, [GAP, PIECE])
        assert names in ([], [family])
        changed = not np.array_equal(picture, ground(1))
        assert changed == bool(names)
        if changed:
            seen.add(picture.tobytes())
    assert len(seen) >= 15


@pytest.mark.parametrize("family", sorted(set(FURNITURE_FAMILIES) - FAINT - THIN))
def test_opaque_furniture_leaves_the_boxes_visible(family: str) -> None:
    for seed in range(80):
        picture = ground(2)
        add_furniture(np.random.default_rng(seed), picture, [family], [GAP, PIECE])
        for x0, y0, x1, y1 in (GAP, PIECE):
            hidden = (picture[y0:y1, x0:x1] != ground(2)[y0:y1, x0:x1]).any(-1).mean()
            assert hidden < 0.1, f"{family}, seed {seed}"


@pytest.mark.parametrize("family", sorted(FAINT))
def test_faint_furniture_keeps_the_texture_below(family: str) -> None:
    for seed in range(30):
        picture = ground(3)
        add_furniture(np.random.default_rng(seed), picture, [family], [GAP, PIECE])
        x0, y0, x1, y1 = GAP
        before, after = ground(3)[y0:y1, x0:x1], picture[y0:y1, x0:x1]
        assert np.corrcoef(before[..., 1].ravel(), after[..., 1].ravel())[0, 1] > 0.7


@pytest.mark.parametrize("family", sorted(THIN))
def test_thin_furniture_stays_at_the_border(family: str) -> None:
    for seed in range(30):
        picture = ground(4)
        add_furniture(np.random.default_rng(seed), picture, [family], [])
        assert np.array_equal(picture[24:-24, 24:-24], ground(4)[24:-24, 24:-24])


def test_no_room_means_no_opaque_furniture() -> None:
    opaque = sorted(set(FURNITURE_FAMILIES) - FAINT - THIN)
    strips = [(x, 0, x + 4, 160) for x in range(0, 300, 4)]
    tiles = [(x, y, x + 4, y + 4) for x, y0, _, y1 in strips for y in range(y0, y1, 4)]
    for seed in range(20):
        picture = ground(5)
        assert add_furniture(np.random.default_rng(seed), picture, opaque, tiles) == []
        assert np.array_equal(picture, ground(5))


def test_the_order_of_allowed_does_not_matter() -> None:
    for seed in range(20):
        results = []
        for allowed in (FURNITURE_FAMILIES, FURNITURE_FAMILIES[::-1], set(FURNITURE_FAMILIES)):
            picture = ground(6)
            names = add_furniture(np.random.default_rng(seed), picture, allowed, [GAP])
            results.append((names, picture.tobytes()))
        assert results[0] == results[1] == results[2]


def test_only_allowed_families_are_drawn_and_all_are() -> None:
    rng = np.random.default_rng(0)
    allowed = FURNITURE_FAMILIES[2:5]
    drawn = [name for _ in range(60) for name in add_furniture(rng, ground(7), allowed, [])]
    assert set(drawn) == set(allowed)
    assert add_furniture(rng, ground(7), [], []) == []
    with pytest.raises(ValueError, match="unknown furniture \\['piano'\\]"):
        add_furniture(rng, ground(7), ["piano"], [])


@pytest.mark.parametrize(("width", "height"), [(200, 77), (700, 270), (200, 154)])
def test_any_canvas_is_served(width: int, height: int) -> None:
    for seed in range(40):
        picture = ground(8, width, height)
        names = add_furniture(np.random.default_rng(seed), picture, FURNITURE_FAMILIES, [])
        assert names
        assert picture.shape == (height, width, 3)
