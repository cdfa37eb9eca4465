"""A marker at the point, the canvas transformed: the marker is where the truth says."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.fakes import outlined, sample
from train.augment import UNCHANGED, augment, colour_matrix
from train.canvas import Item, prepare
from train.config import AugmentationConfig
from train.targets import TRUTH_FIELDS

OFF = {
    "random_rotate": (0.0, 0.0),
    "random_scale": (1.0, 1.0),
    "random_translate": (0.0, 0.0),
    "vertical_flip_prob": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "gaussian_noise": 0.0,
    "gaussian_blur": (0.0, 0.0),
    "confusing_gap_prob": 0.0,
    "perlin_noise_prob": 0.0,
    "gap_rotation_prob": 0.0,
    "gap_highlight_prob": 0.0,
}
SIZES = [(340, 190), (200, 200), (600, 250)]


def only(**changes: object) -> AugmentationConfig:
    return AugmentationConfig.model_validate(OFF | changes)


MOVING = {
    "random_rotate": (-20.0, 20.0),
    "random_scale": (0.7, 1.3),
    "random_translate": (-30.0, 30.0),
}
GEOMETRY = only(**MOVING)
MIRRORING = only(**MOVING, vertical_flip_prob=0.5)


def facts(truth: np.ndarray) -> dict[str, float]:
    return dict(zip(TRUTH_FIELDS, truth.tolist(), strict=True))


def marked(
    size: tuple[int, int], gap: tuple[float, float], slider: tuple[float, float], scale: int
) -> Item:
    """A canvas with a soft red spot exactly at the gap and a green one at the slider."""
    canvas, truth, shapes = prepare(sample(gap, slider, 20.0, size=size), scale)
    values = facts(truth)
    y, x = np.mgrid[: canvas.shape[0], : canvas.shape[1]]
    canvas = canvas.copy()
    canvas[..., :3] = 0
    for channel, name in ((0, "gap"), (1, "slider")):
        squared = (x - values[f"{name}_x"]) ** 2 + (y - values[f"{name}_y"]) ** 2
        canvas[..., channel] = np.rint(255 * np.exp(-squared / (2 * 2.0**2)))
    return canvas, truth, shapes


def centroid(plane: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
    return np.array([(plane * x).sum(), (plane * y).sum()]) / plane.sum()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from(SIZES),
    scale=st.sampled_from([1, 2]),
    places=st.tuples(*[st.floats(0.15, 0.85)] * 4),
)
def test_the_marker_is_where_the_truth_says(
    seed: int, size: tuple[int, int], scale: int, places: tuple[float, ...]
) -> None:
    gap, slider = ((a * size[0], b * size[1]) for a, b in (places[:2], places[2:]))
    canvas, truth, shapes = marked(size, gap, slider, scale)
    moved, said, _ = augment(canvas, truth, shapes, MIRRORING, np.random.default_rng(seed))
    values = facts(said)
    for channel, name in ((0, "gap"), (1, "slider")):
        point = np.array([values[f"{name}_x"], values[f"{name}_y"]])
        assert np.all(point >= -0.5)
        assert np.all(point < np.array(canvas.shape[1::-1]) - 0.5)
        inside = np.all((point > 14) & (point < np.array(canvas.shape[1::-1]) - 15))
        if inside:  # else a part of the spot was cut off
            np.testing.assert_allclose(centroid(moved[..., channel].astype(float)), point, atol=0.1)


@pytest.mark.parametrize("scale", [1, 2])
def test_shapes_move_with_their_points(scale: int) -> None:
    one = outlined(sample((230.0, 90.0), (90.0, 90.0), size=(340, 190), piece_size_px=40.0))
    canvas, truth, shapes = prepare(one, scale)
    i, j = np.mgrid[: shapes.shape[0], : shapes.shape[1]]
    for seed in range(8):
        _, said, turned = augment(canvas, truth, shapes, MIRRORING, np.random.default_rng(seed))
        assert not np.array_equal(turned, shapes)
        values = facts(said)
        for kind, name in enumerate(("gap", "slider")):
            point = np.array([values[f"{name}_x"], values[f"{name}_y"]])
            away = values["size_x"] / 2 + 4
            if not np.all((point > away) & (point < np.array(canvas.shape[1::-1]) - 1 - away)):
                continue  # a part of the disc was cut off
            cover = turned[..., kind] / 255
            found = np.array([(cover * j).sum(), (cover * i).sum()]) / cover.sum() * 4 + 1.5
            np.testing.assert_allclose(found, point, atol=0.4)
            assert cover.sum() * 16 == pytest.approx(np.pi * (values["size_x"] / 2) ** 2, rel=0.06)


def test_geometry_is_really_drawn_and_sizes_follow() -> None:
    canvas, truth, shapes = marked((340, 190), (200, 90), (60, 90), 1)
    factors, turned = [], []
    for seed in range(20):
        moved, said, _ = augment(canvas, truth, shapes, GEOMETRY, np.random.default_rng(seed))
        before, after = facts(truth), facts(said)
        factor = after["size_x"] / before["size_x"]
        apart = np.hypot(after["gap_x"] - after["slider_x"], after["gap_y"] - after["slider_y"])
        assert apart == pytest.approx((before["gap_x"] - before["slider_x"]) * factor, rel=1e-3)
        assert after["scale_x"] / before["scale_x"] == pytest.approx(factor, rel=1e-4)
        assert after["scale_y"] / before["scale_y"] == pytest.approx(factor, rel=1e-4)
        # The picture grew by the same factor, its mask with it, save what left the canvas.
        assert (
            np.count_nonzero(moved[..., 3]) <= np.count_nonzero(canvas[..., 3]) * factor**2 * 1.02
        )
        factors.append(factor)
        turned.append(after["gap_y"] - after["slider_y"])
        # Picture and piece turn together: the gap's angle against the piece stays.
        assert [after[n] for n in ("sin", "cos")] == [before[n] for n in ("sin", "cos")]
    assert min(factors) < 0.85
    assert max(factors) > 1.15
    assert min(turned) < -10
    assert max(turned) > 10


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), angle=st.floats(-45, 45))
def test_the_angle_stays_that_of_the_gap_against_the_piece(seed: int, angle: float) -> None:
    """Two bars through the points, the gap's turned by the truth: measured after the transform."""
    canvas, truth, shapes = prepare(sample((230.0, 90.0), (90.0, 90.0), angle, size=(340, 190)))
    canvas, values = np.zeros_like(canvas), facts(truth)
    for channel, name, degrees in ((0, "gap", angle), (1, "slider", 0.0)):
        at = np.array([values[f"{name}_x"], values[f"{name}_y"]])
        # Anticlockwise as seen: up is towards smaller y.
        along = 25 * np.array([np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))])
        ends = [tuple(np.rint((at + s * along) * 16).astype(int).tolist()) for s in (-1, 1)]
        plane = np.zeros(canvas.shape[:2], np.uint8)
        cv2.line(plane, *ends, 255, 3, cv2.LINE_AA, 4)
        canvas[..., channel] = plane
    canvas[..., 3] = 255
    config = only(random_rotate=(-20.0, 20.0), random_scale=(0.9, 1.1), vertical_flip_prob=0.5)
    moved, said, _ = augment(canvas, truth, shapes, config, np.random.default_rng(seed))
    directions = []
    for channel in (0, 1):
        y, x = np.nonzero(moved[..., channel] > 128)
        vx, vy = cv2.fitLine(np.column_stack([x, y]).astype(np.float32), 2, 0, 0.01, 0.01)[:2, 0]
        directions.append(np.degrees(np.arctan2(-vy, vx)))
    expected = np.degrees(np.arctan2(facts(said)["sin"], facts(said)["cos"]))
    difference = (directions[0] - directions[1] - expected + 90) % 180 - 90
    assert abs(difference) < 1.5


def test_an_upside_down_picture_is_its_mirror_image() -> None:
    canvas, truth, shapes = prepare(outlined(sample((230.0, 60.0), (90.0, 60.0), 30.0)))
    config = only(vertical_flip_prob=1.0)
    flipped, said, below = augment(canvas, truth, shapes, config, np.random.default_rng(0))
    np.testing.assert_array_equal(flipped, canvas[::-1])
    np.testing.assert_array_equal(below, shapes[::-1])
    before, after = facts(truth), facts(said)
    for name in ("gap_y", "slider_y"):
        assert after[name] == pytest.approx(canvas.shape[0] - 1 - before[name])
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"gap_y", "slider_y", "sin"}
    assert after["sin"] == -before["sin"]


@pytest.mark.parametrize("scale", [1, 2])
def test_the_canvas_turns_and_grows_about_its_centre(scale: int) -> None:
    canvas, truth, shapes = prepare(sample((255.5, 127.5), None, 20.0, size=(512, 256)), scale)
    config = only(random_rotate=(10.0, 20.0), random_scale=(0.7, 0.8))
    values = facts(augment(canvas, truth, shapes, config, np.random.default_rng(0))[1])
    middle = ((512 / scale - 1) / 2, (256 / scale - 1) / 2)
    assert (values["gap_x"], values["gap_y"]) == pytest.approx(middle, abs=1e-3)


def test_a_point_at_the_border_never_leaves_the_canvas() -> None:
    canvas, truth, shapes = prepare(sample((511.4, 255.4), (-0.5, -0.5), size=(512, 256)))
    for seed in range(30):
        _, said, _ = augment(canvas, truth, shapes, GEOMETRY, np.random.default_rng(seed))
        values = facts(said)
        for name in ("gap", "slider"):
            assert -0.5 <= values[f"{name}_x"] < 511.5
            assert -0.5 <= values[f"{name}_y"] < 255.5
    outward = only(random_scale=(1.2, 1.2))
    unmoved, same, _ = augment(canvas, truth, shapes, outward, np.random.default_rng(0))
    np.testing.assert_array_equal(unmoved, canvas)
    np.testing.assert_array_equal(same, truth)


def test_points_that_are_not_there_stay_as_they_were() -> None:
    canvas, truth, shapes = prepare(sample(None, (40.0, 90.0), None, "negative"))
    _, said, _ = augment(canvas, truth, shapes, GEOMETRY, np.random.default_rng(3))
    assert said[:2].tolist() == truth[:2].tolist()
    assert said[2:4].tolist() != truth[2:4].tolist()


@pytest.mark.parametrize("scale", [1, 2])
def test_pixels_of_the_configuration_are_those_of_the_whole_canvas(scale: int) -> None:
    canvas, truth, shapes = prepare(sample(), scale)
    shifted = augment(
        canvas, truth, shapes, only(random_translate=(20.0, 20.0)), np.random.default_rng(0)
    )
    before, after = facts(truth), facts(shifted[1])
    for name in ("gap_x", "gap_y", "slider_x", "slider_y"):
        assert after[name] - before[name] == pytest.approx(20 / scale)
    shift = 20 // scale
    np.testing.assert_array_equal(shifted[0][shift:, shift:], canvas[:-shift, :-shift])


@pytest.mark.parametrize("config", [UNCHANGED, only()])
def test_what_is_switched_off_changes_nothing(config: AugmentationConfig) -> None:
    canvas, truth, shapes = prepare(outlined(sample()))
    same, said, still = augment(canvas, truth, shapes, config, np.random.default_rng(1))
    np.testing.assert_array_equal(same, canvas)
    np.testing.assert_array_equal(said, truth)
    np.testing.assert_array_equal(still, shapes)


@pytest.mark.parametrize(
    "change",
    [
        {"brightness": 0.2},
        {"contrast": 0.2},
        {"saturation": 0.2},
        {"hue": 0.1},
        {"gaussian_noise": 0.01},
        {"gaussian_blur": (1.0, 2.0)},
        {"perlin_noise_prob": 1.0},
        {"gap_highlight_prob": 1.0},
        {"confusing_gap_prob": 1.0},
    ],
)
@pytest.mark.parametrize("scale", [1, 2])
def test_looks_change_the_picture_part_alone_and_no_truth(
    change: dict[str, object], scale: int
) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    one = sample(size=(300, 190), piece_size_px=30.0)
    one.picture[:] = cv2.resize(colours, (300, 190))
    canvas, truth, shapes = prepare(one, scale)
    before = canvas.copy()
    results = [
        augment(canvas, truth, shapes, only(**change), np.random.default_rng(seed))[0]
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(canvas, before)
    np.testing.assert_array_equal(results[0], results[1])
    assert np.any(results[0] != results[2])
    for result in results:
        assert np.any(result != canvas)
        np.testing.assert_array_equal(result[..., 3], canvas[..., 3])
        assert not result[canvas[..., 3] == 0].any()


def test_a_decoy_is_dark_and_clear_of_both_points() -> None:
    one = sample((200.0, 90.0), (40.0, 90.0), piece_size_px=40.0)
    canvas, truth, shapes = prepare(outlined(one))
    values, size = facts(truth), facts(truth)["size_x"]
    pasted = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        changed, _, said = augment(canvas, truth, shapes, only(confusing_gap_prob=1.0), rng)
        y, x = np.nonzero(np.any(changed != canvas, axis=2))
        if not len(x):
            continue
        pasted += 1
        assert changed[y, x, :3].mean() < canvas[y, x, :3].mean()
        # It joins the decoys, and nothing else: what it covers grew dark, but for its soft edge.
        dark = np.any(changed != canvas, axis=2).reshape(64, 4, 128, 4).mean(axis=(1, 3))
        np.testing.assert_array_equal(said[..., :2], shapes[..., :2])
        assert said[..., 2].max() == 255
        assert dark[said[..., 2] > 0].min() > 0
        assert dark[said[..., 2] == 255].mean() > 0.95
        for name in ("gap", "slider"):
            away = np.maximum(np.abs(x - values[f"{name}_x"]), np.abs(y - values[f"{name}_y"]))
            assert away.min() > size / 2
    assert pasted >= 15
    negative, truth, shapes = prepare(sample(None, (40.0, 90.0), None, "negative"))
    config = only(confusing_gap_prob=1.0, gap_highlight_prob=1.0)
    same = augment(negative, truth, shapes, config, np.random.default_rng(0))[0]
    np.testing.assert_array_equal(same, negative)


def test_noise_has_the_strength_that_was_asked_for() -> None:
    canvas, truth, shapes = prepare(sample(None, None, None, "negative"))
    config, inside = only(gaussian_noise=0.05), canvas[..., 3] > 0
    deviations = [
        np.std(augment(canvas, truth, shapes, config, np.random.default_rng(seed))[0][inside, :3])
        for seed in range(30)
    ]
    assert max(deviations) <= 0.05 * 255 * 1.03
    assert max(deviations) > 0.04 * 255
    assert min(deviations) < 0.015 * 255


def test_colours_against_their_definitions() -> None:
    def mapped(rgb: tuple[float, ...], *amounts: float) -> np.ndarray:
        return colour_matrix(*amounts) @ [*rgb, 1]

    rgb = (200.0, 90.0, 40.0)
    np.testing.assert_allclose(mapped(rgb, 0, 0, 0, 0), rgb, atol=1e-9)
    np.testing.assert_allclose(mapped(rgb, 0.2, 0, 0, 0), np.multiply(rgb, 1.2))
    np.testing.assert_allclose(
        mapped(rgb, 0, -0.2, 0, 0), np.add(np.multiply(rgb, 0.8), 0.2 * 127.5)
    )
    grey = 0.299 * 200 + 0.587 * 90 + 0.114 * 40
    np.testing.assert_allclose(mapped(rgb, 0, 0, -1, 0), [grey] * 3)
    np.testing.assert_allclose(mapped(rgb, 0, 0, 0.2, 0), np.add(rgb, 0.2 * np.subtract(rgb, grey)))
    # A third of the circle takes red to green, as in HSV; greys have no hue.
    np.testing.assert_allclose(mapped(rgb, 0, 0, 0, 1 / 3), [40, 200, 90], atol=1e-9)
    np.testing.assert_allclose(mapped((77, 77, 77), 0, 0, 0.3, 0.21), [77] * 3)
    hue = colorsys.rgb_to_hsv(*np.array(rgb) / 255)[0]
    turned = colorsys.rgb_to_hsv(*np.clip(mapped(rgb, 0, 0, 0, 0.05) / 255, 0, 1))[0]
    assert (turned - hue) % 1 == pytest.approx(0.05, abs=0.02)
