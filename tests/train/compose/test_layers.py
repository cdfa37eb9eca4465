"""Planes laid over a window give what the generator's own painting gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from runtime.geometry import Letterbox
from tests.train.compose.small import OPTIONS, layers_of
from train.compose import layers as under_test
from train.compose.layers import FIELDS, LOOK, PATCH, draw_layers
from train.synth import SynthOptions, render
from train.synth.gaps import overlaid
from train.synth.patch import rasterise, soften
from train.synth.pieces import pasted
from train.synth.scene import PAD_PX, draw_scene
from train.targets import truth_vector

# 512 × 256: a canvas pixel is a picture pixel.
SAME_SIZE = SynthOptions(width_px=(512, 512), aspect=(2.0, 2.0), leave_out=OPTIONS.leave_out)
MIDDLE = PATCH // 2


def window_of(outline: np.ndarray, softness_px: float) -> tuple[np.ndarray, int]:
    """A shape's coverage in a window of its own, and half the window's side."""
    half = int(np.ceil(np.abs(outline).max())) + PAD_PX + 2
    return soften(rasterise(outline + half, 2 * half, 2 * half, 2 * half).alpha, softness_px), half


def texture(alpha: np.ndarray, seed: int) -> np.ndarray:
    """A window as large as `alpha`, f32 [h, w, 3], BGR."""
    return np.random.default_rng(seed).uniform(0, 255, (*alpha.shape, 3)).astype(np.float32)


def laid(planes: np.ndarray, window: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Planes and window, R, G, B, where both are."""
    reach = min(half, MIDDLE)
    cut, part = slice(MIDDLE - reach, MIDDLE + reach), slice(half - reach, half + reach)
    return planes[cut, cut].astype(np.float32), window[part, part, ::-1]


@pytest.mark.parametrize("index", range(12))
def test_a_gap_on_any_background_is_the_generators(index: int):
    layers, (scene, _) = layers_of(index, SAME_SIZE), draw_scene(3, index, SAME_SIZE, None)
    style = scene.gap_style
    alpha, half = window_of(scene.layout.gap_outline, style.softness_px)
    before = texture(alpha, index)
    planes, expected = laid(layers["gap"], overlaid(before, alpha, style, 1.0), half)
    _, before = laid(layers["gap"], before, half)
    np.testing.assert_allclose(before * (1 + planes[..., 3:]) + planes[..., :3], expected, atol=1)


@pytest.mark.parametrize("index", range(12))
def test_a_piece_of_any_content_on_any_background_is_the_generators(index: int):
    layers, (scene, _) = layers_of(index, SAME_SIZE), draw_scene(3, index, SAME_SIZE, None)
    style = scene.piece_style
    alpha, half = window_of(scene.layout.piece_outline, style.softness_px)
    before, content = texture(alpha, index), texture(alpha, index + 100)
    planes, expected = laid(layers["piece"], pasted(before, content, alpha, style), half)
    (_, before), (_, content) = (laid(layers["piece"], w, half) for w in (before, content))
    found = before * (1 + planes[..., 3:4]) + content * planes[..., 4:] + planes[..., :3]
    np.testing.assert_allclose(found, expected, atol=1)


def test_the_finished_picture_and_its_truth_are_the_generators():
    for index in range(4):
        layers, sample = layers_of(index), render(3, index, OPTIONS)
        box = Letterbox(*sample.picture.shape[1::-1])
        np.testing.assert_array_equal(layers["picture"], box.render(sample.picture)[..., :3])
        np.testing.assert_array_equal(layers["truth"], truth_vector(sample, box))


def test_patches_are_as_large_as_on_the_canvas(fields: dict[str, torch.Tensor]):
    cover, boxes = fields["cover"].numpy(), fields["box"].numpy()
    for slot in range(len(cover)):
        for plane, box in zip(cover[slot].transpose(2, 0, 1), boxes[slot], strict=False):
            rows, columns = np.nonzero(plane > 127)
            x0, y0, x1, y1 = box + MIDDLE
            assert columns.min() == pytest.approx(x0, abs=2)
            assert columns.max() == pytest.approx(x1, abs=2)
            assert rows.min() == pytest.approx(y0, abs=2)
            assert rows.max() == pytest.approx(y1, abs=2)


def test_contours_run_along_the_edge_of_what_is_covered(fields: dict[str, torch.Tensor]):
    cover, contours = fields["cover"].numpy(), fields["contour"].numpy()
    for slot in range(len(cover)):
        for plane, contour in zip(cover[slot].transpose(2, 0, 1), contours[slot], strict=True):
            np.testing.assert_allclose(np.hypot(contour[:, 2], contour[:, 3]), 1, atol=1e-4)
            sides = [
                plane[
                    tuple(
                        np.rint(contour[:, 1::-1] + MIDDLE + side * contour[:, 3:1:-1])
                        .astype(int)
                        .T
                    )
                ]
                for side in (-3.0, 3.0)
            ]
            apart = np.abs(sides[0].astype(int) - sides[1]) > 127
            assert apart.mean() > 0.6


def test_every_field_is_as_it_is_declared():
    layers = layers_of(1)
    assert layers.keys() == FIELDS.keys()
    for name, (shape, _) in FIELDS.items():
        assert np.shape(layers[name]) == shape, name
    assert dict(zip(LOOK, layers["look"], strict=True))["size"] == pytest.approx(
        np.ptp(layers["box"][1].reshape(2, 2), axis=0).max(), rel=0.02
    )


def test_what_is_too_large_for_its_patch_is_left_out(monkeypatch: pytest.MonkeyPatch):
    assert draw_layers(3, 1, OPTIONS, None) is not None
    monkeypatch.setattr(under_test, "_MARGIN_PX", PATCH / 2 - 1)
    assert draw_layers(3, 1, OPTIONS, None) is None
