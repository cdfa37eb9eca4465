from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from runtime.geometry import Letterbox
from train.compose.places import Place
from train.compose.seen import Contours, change, mean, sampled, spread
from train.synth import SynthOptions
from train.synth.scene import draw_scene
from train.synth.visible import along, contour_share

SAME_SIZE = SynthOptions(width_px=(512, 512), aspect=(2.0, 2.0), degradations=())


def test_samples_are_opencvs():
    rng = np.random.default_rng(0)
    picture = rng.uniform(0, 255, (2, 30, 40, 3)).astype(np.float32)
    x, y = rng.uniform(-3, 42, (2, 7, 5)), rng.uniform(-3, 33, (2, 7, 5))
    found = sampled(torch.from_numpy(picture), torch.tensor(x).float(), torch.tensor(y).float())
    for k in range(2):
        maps = x[k].astype(np.float32), y[k].astype(np.float32)
        expected = cv2.remap(picture[k], *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        np.testing.assert_allclose(found[k].numpy(), expected, atol=5)  # OpenCV has 1/32 px


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_statistics_are_numpys(dtype: torch.dtype):
    rng = np.random.default_rng(1)
    window = rng.uniform(0, 255, (3, 20, 20, 3))
    inside = rng.random((3, 20, 20, 1)) < 0.5
    tensor, mask = torch.from_numpy(window).to(dtype), torch.from_numpy(inside).to(dtype)
    chosen = [window[k][inside[k, ..., 0]] for k in range(3)]
    np.testing.assert_allclose(mean(tensor, mask), [c.mean() for c in chosen], rtol=2e-3)
    np.testing.assert_allclose(spread(tensor, mask), [c.std() for c in chosen], rtol=1e-2)
    changed = change(tensor, tensor + 20, mask)
    expected = [np.abs(np.minimum(c + 20, 255) - c).mean() for c in chosen]
    np.testing.assert_allclose(changed, expected, rtol=1e-2)
    assert mean(tensor, torch.zeros_like(mask)).tolist() == [0, 0, 0]


def test_contours_are_judged_as_the_generator_judges_them():
    """The same pictures, the same outlines: the shares agree to a few of their 48 points."""
    for index in range(12):
        scene, painted = draw_scene(5, index, SAME_SIZE, None)
        if not (scene.has_gap and scene.has_piece):
            continue
        bare, layout = scene.paint(False, False).picture, scene.layout
        box = Letterbox(512, 256)
        outlines = layout.gap_outline, layout.piece_outline
        contour = np.stack([np.hstack(along(outline))[::2] for outline in outlines])
        anchors = (torch.tensor(xy[None]).float() for xy in (layout.gap_xy, layout.slider_xy))
        place = Place(*anchors, torch.ones(1, dtype=torch.bool))
        one = torch.ones(1)
        canvases = [
            torch.from_numpy(box.render(p)[None, ..., :3]).float() for p in (bare, painted.picture)
        ]
        contours = Contours(canvases[0], torch.from_numpy(contour[None]).float(), place, one, one)
        found = contours.shares(canvases[1])[0]
        for share, outline in zip(
            found, (layout.gap_picture_xy, layout.slider_picture_xy), strict=True
        ):
            assert float(share) == pytest.approx(
                contour_share(painted.picture, bare, outline), abs=0.12
            )
