from __future__ import annotations

import os
import time

import numpy as np
import pytest

from runtime.geometry import Letterbox
from tests.train.fakes import sample
from train.canvas import CanvasCache, Item, canvas_shape, prepare
from train.targets import TRUTH_FIELDS


def test_prepare_gives_the_canvas_and_the_truth_on_it() -> None:
    one = sample((200.0, 90.0), (40.0, 91.0), 30.0, size=(300, 200))
    canvas, truth, _ = prepare(one)
    letterbox = Letterbox(300, 200)
    np.testing.assert_array_equal(canvas, letterbox.render(one.picture))
    fields = dict(zip(TRUTH_FIELDS, truth.tolist(), strict=True))
    # 300 × 200 becomes 384 × 256, 64 columns from the left.
    assert fields["gap_x"] == pytest.approx((200.5) * 1.28 - 0.5 + 64, abs=1e-4)
    assert fields["slider_y"] == pytest.approx((91.5) * 1.28 - 0.5, abs=1e-4)
    assert (fields["sin"], fields["cos"]) == pytest.approx((0.5, 0.75**0.5))
    assert fields["size_x"] == pytest.approx(50 * 1.28)
    assert (fields["scale_x"], fields["scale_y"]) == pytest.approx((1.28, 1.28))
    assert [fields[n] for n in ("has_gap", "has_slider", "has_angle", "ambiguous")] == [1, 1, 1, 0]


def test_a_small_canvas_is_the_mean_of_four_pixels_and_its_truth_is_in_its_pixels() -> None:
    rng = np.random.default_rng(0)
    one = sample((200.0, 90.0), None, 30.0, size=(301, 190))
    one.picture[:] = rng.integers(0, 256, one.picture.shape, np.uint8)
    large, truth, _ = prepare(one)
    small, said, _ = prepare(one, 2)
    assert small.shape == canvas_shape(2) == (128, 256, 4)
    means = large.reshape(128, 2, 256, 2, 4).astype(float).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 0.5
    fields = dict(zip(TRUTH_FIELDS, said.tolist(), strict=True))
    before = dict(zip(TRUTH_FIELDS, truth.tolist(), strict=True))
    # The centre of a 2 × 2 block, (2i + 2i + 1) / 2, becomes pixel i.
    assert fields["gap_x"] == pytest.approx((before["gap_x"] - 0.5) / 2, abs=1e-4)
    assert fields["gap_y"] == pytest.approx((before["gap_y"] - 0.5) / 2, abs=1e-4)
    halved = ("size_x", "scale_x", "scale_y")
    assert [fields[n] for n in halved] == pytest.approx([before[n] / 2 for n in halved])
    same = ("slider_x", "slider_y", "sin", "cos", "has_gap", "has_slider")
    assert [fields[n] for n in same] == [before[n] for n in same]


def item(number: int, scale: int = 2) -> Item:
    rng = np.random.default_rng(number)
    height, width, channels = canvas_shape(scale)
    canvas = rng.integers(0, 256, (height, width, channels), np.uint8)
    shapes = rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return canvas, rng.random(len(TRUTH_FIELDS), np.float32), shapes


@pytest.mark.parametrize(("gib", "kept"), [(1.0, 5), (2.5 * 128 * 256 * 4 / 2**30, 2), (0.0, 0)])
def test_a_cache_makes_an_item_once_as_far_as_it_goes(gib: float, kept: int) -> None:
    cache = CanvasCache(5, gib, 2)
    assert cache.slots == kept
    assert cache.gib <= gib
    made: list[int] = []
    for _ in range(2):
        for number in range(5):
            got = cache.item(number, lambda n=number: made.append(n) or item(n))
            for ours, theirs in zip(got, item(number), strict=True):
                np.testing.assert_array_equal(ours, theirs)
    assert sorted(made) == sorted([*range(5), *range(kept, 5)])


def test_what_a_cache_hands_out_cannot_be_spoilt() -> None:
    for array in CanvasCache(1, 1.0, 2).item(0, lambda: item(0)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_what_one_process_made_the_others_have() -> None:
    cache = CanvasCache(3, 1.0, 2)
    child = os.fork()
    if child == 0:
        cache.item(1, lambda: item(1))
        os._exit(0)
    deadline = time.monotonic() + 30
    while os.waitpid(child, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    canvas, _, shapes = cache.item(1, lambda: pytest.fail("made again"))
    np.testing.assert_array_equal(canvas, item(1)[0])
    np.testing.assert_array_equal(shapes, item(1)[2])
