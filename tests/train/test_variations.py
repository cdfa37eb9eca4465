"""Variations of finished pictures: the truth follows, and properties are what they say."""

import cv2
import numpy as np
import pytest

from runtime import Keypoint, Location
from train.causes import measure
from train.outcomes import Outcomes
from train.synth import Sample, SynthOptions, render
from train.variations import FINISHES, KEEPS, finished, kept


def marked(width: int = 300, height: int = 160) -> Sample:
    """Grey, with a red disc at the gap and a green one at the piece."""
    picture = np.full((height, width, 3), 128, np.uint8)
    gap, slider = (220.0, 90.0), (40.0, 88.0)
    cv2.circle(picture, (220, 90), 9, (0, 0, 255), -1)
    cv2.circle(picture, (40, 88), 9, (0, 255, 0), -1)
    box = np.array([[-10.0, -10], [10, -10], [10, 10], [-10, 10]])
    outlines = {"gap": (box + gap,), "slider": (box + slider,)}
    return Sample(picture, gap, slider, 0.0, "normal", {}, 20.0, outlines)


def centre(picture: np.ndarray, channel: int) -> np.ndarray:
    """Of the marker of that channel."""
    others = [c for c in range(3) if c != channel]
    strength = picture[..., channel].astype(float) - picture[..., others].max(axis=2)
    rows, columns = np.nonzero(strength > 100)
    return np.array([columns.mean(), rows.mean()])


@pytest.mark.parametrize("name", FINISHES)
@pytest.mark.parametrize("seed", range(3))
def test_the_truth_follows_the_picture(name: str, seed: int) -> None:
    amounts = {"jpeg": 90.0, "blur": 0.8, "greyscale": 0.9, "scale": 1.7, "page": 1.4}
    amount = amounts.get(name, 0.9)
    before = marked()
    after = finished(before, {name: [amount, amount]}, np.random.default_rng(seed))
    assert after.picture.dtype == np.uint8
    assert not np.array_equal(after.picture, before.picture)
    for point, channel in ((after.gap_picture_xy, 2), (after.slider_picture_xy, 1)):
        window = after.picture
        if name == "page":  # whose furniture may be of any colour
            x, y = np.rint(point).astype(int)
            window = np.full_like(window, 128)
            part = slice(y - 12, y + 13), slice(x - 12, x + 13)
            window[part] = after.picture[part]
        np.testing.assert_allclose(centre(window, channel), point, atol=0.6)
    for kind, point in (("gap", after.gap_picture_xy), ("slider", after.slider_picture_xy)):
        (outline,) = after.outlines_picture_xy[kind]
        np.testing.assert_allclose(outline.mean(axis=0), point, atol=1e-6)
    assert after.unit_px == (1.7 if name == "scale" else 1.0)


def test_variations_follow_one_another_in_order_and_by_their_seed() -> None:
    finish = {"scale": [0.5, 2.0], "brightness": [0.5, 0.9]}
    one, same, other = (
        finished(marked(), finish, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.picture, same.picture)
    assert one.picture.shape != other.picture.shape
    with pytest.raises(KeyError, match="sepia"):
        finished(marked(), {"sepia": [0, 1]}, np.random.default_rng(0))


def test_errors_of_an_enlarged_picture_count_in_its_former_pixels() -> None:
    sample = finished(marked(), {"scale": [2, 2]}, np.random.default_rng(0))
    assert sample.gap_picture_xy is not None
    x, y = sample.gap_picture_xy
    point = Keypoint(x + 6, y + 8, 0.9, 0.0)
    outcomes = Outcomes()
    outcomes.add(sample, measure(sample), Location(point, point, 0.0, 600, 320), 1.0)
    assert outcomes.cases[0].error_px("gap") == pytest.approx(5)


def test_what_sets_keep() -> None:
    options = SynthOptions(decoy_probability=0.6)
    samples = [render(3, index, options) for index in range(150)]
    for name in KEEPS:
        chosen = [sample for sample in samples if kept(sample, name)]
        assert 0 < len(chosen) < 75, name
    for sample in samples:
        decoys = sample.outlines_picture_xy["decoy"]
        if kept(sample, "two-decoys-on-other-rows"):
            assert len(decoys) >= 2
        if kept(sample, "same-decoy-on-the-row"):
            (gap,) = sample.outlines_picture_xy["gap"]
            assert any(
                np.allclose(np.ptp(decoy, axis=0), np.ptp(gap, axis=0))
                and abs(decoy[:, 1].mean() - gap[:, 1].mean()) < 1e-6
                for decoy in decoys
            )
        assert kept(sample, None)
        assert kept(sample, sample.difficulty)
        assert not kept(sample, "normal") or sample.difficulty == "normal"
