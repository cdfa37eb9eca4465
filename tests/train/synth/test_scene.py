"""Whole pictures: reproducible, labelled truly, drawn from the families that were asked for."""

import hashlib
import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest

from train.synth import DIFFICULTIES, FAMILIES, Sample, SynthOptions, render
from train.synth.background import choose_background
from train.synth.families import draw_family
from train.synth.gaps import draw_gap_style, paint_gap
from train.synth.layout import draw_layout
from train.synth.patch import rasterise
from train.synth.pieces import draw_piece_style
from train.synth.scene import Scene, _paint_slider

NONE: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def many() -> list[Sample]:
    return [render(11, index) for index in range(400)]


def digest(seed: int, indices: range) -> str:
    total = hashlib.sha256()
    for index in indices:
        sample = render(seed, index)
        total.update(sample.picture.tobytes())
        total.update(repr((sample.gap_picture_xy, sample.slider_picture_xy)).encode())
        total.update(repr((sample.angle_deg, sample.difficulty, sample.families)).encode())
    return total.hexdigest()


def test_one_seed_one_picture_in_any_process() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from test_scene import digest; print(digest(3, range(25)))"
    )
    here = __file__.rpartition("/")[0]
    other = subprocess.run(
        [sys.executable, "-c", code, here], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == digest(3, range(25))


def test_pictures_differ() -> None:
    assert len({render(1, i).picture.tobytes() for i in range(20)}) == 20
    assert render(1, 0).picture.tobytes() != render(2, 0).picture.tobytes()


def test_every_class_and_family_occurs(many: list[Sample]) -> None:
    classes = Counter(sample.difficulty for sample in many)
    assert set(classes) == set(DIFFICULTIES)
    assert classes["normal"] > 100
    for kind, at_least in {"shape": 11, "gap_fill": 10, "gap_edge": 5, "piece_edge": 5}.items():
        assert len({sample.families[kind] for sample in many}) == at_least


def test_labels_are_valid(many: list[Sample]) -> None:
    for sample in many:
        height, width = sample.picture.shape[:2]
        assert sample.picture.dtype == np.uint8
        assert 200 <= width <= 700
        assert 1.25 <= width / height <= 2.65
        for point in (sample.gap_picture_xy, sample.slider_picture_xy):
            if point is not None:
                assert -0.5 <= point[0] < width - 0.5
                assert -0.5 <= point[1] < height - 0.5
        assert (sample.difficulty == "negative") == (sample.gap_picture_xy is None)
        if sample.angle_deg is not None:
            assert abs(sample.angle_deg) <= 45


def test_left_out_families_never_occur() -> None:
    options = SynthOptions(leave_out=frozenset({"jigsaw-round", "darken", "piece-outline"}))
    for index in range(60):
        families = render(4, index, options).families
        assert families["shape"] != "jigsaw-round"
        assert families["gap_fill"] != "darken"
        assert families["piece_edge"] != "piece-outline"


def test_required_families_always_occur() -> None:
    options = SynthOptions(require=frozenset({"heart", "solid"}))
    for index in range(10):
        families = render(4, index, options).families
        assert (families["shape"], families["gap_fill"]) == ("heart", "solid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"width_px": (0, 5)},
        {"aspect": (2.0, 1.0)},
        {"decoy_probability": 1.5},
        {"require": frozenset({"nonsense"})},
        {"leave_out": frozenset({"nonsense"})},
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="nonsense|" + next(iter(wrong))):
        SynthOptions(**wrong)


def test_the_piece_shows_what_the_gap_lacks() -> None:
    """Truth against pixels: shifting the piece by the travel lays its content on the source."""
    rng = np.random.default_rng(8)
    blurred = cv2.GaussianBlur(rng.normal(size=(190, 340, 3)), (0, 0), 3)
    source = np.clip(128 + 40 * blurred / blurred.std(), 0, 255).astype(np.uint8)
    style = draw_piece_style(rng, "piece-plain", "tone-none", 40)
    options = SynthOptions(rotation_probability=0.0, ambiguous_probability=0.0)
    for _ in range(20):
        layout = draw_layout(rng, 340, 190, options, has_both=False)
        picture = source.copy()
        _paint_slider(picture, source, layout, style)
        dx, dy = layout.gap_xy - layout.slider_xy
        moved = cv2.warpAffine(picture, np.array([[1, 0, dx], [0, 1, dy]]), (340, 190))
        patch = rasterise(layout.gap_picture_xy, 340, 190, 0)
        core = cv2.erode((patch.alpha > 0.99).astype(np.uint8), np.ones((7, 7))).astype(bool)
        difference = np.abs(moved[patch.window].astype(int) - source[patch.window])[core]
        assert difference.mean() < 4  # travel by parts of a pixel interpolates twice


def test_a_turned_gap_is_the_piece_turned_anticlockwise() -> None:
    """OpenCV's rotation (anticlockwise positive) maps the piece's mask onto the gap's."""
    rng = np.random.default_rng(9)
    options = SynthOptions(rotation_probability=1.0, piece_height=(0.3, 0.5))
    for _ in range(20):
        layout = draw_layout(rng, 340, 190, options, has_both=False)
        centre = np.array([95.0, 95.0])
        piece = rasterise(layout.piece_outline + centre, 190, 190, 200).alpha
        gap = rasterise(layout.gap_outline + centre, 190, 190, 200).alpha
        turn = cv2.getRotationMatrix2D((95.0, 95.0), layout.angle_deg, 1.0)
        turned = cv2.warpAffine(piece, turn, (190, 190))
        union = np.maximum(turned, gap).sum()
        assert np.minimum(turned, gap).sum() > 0.93 * union


def test_gap_and_piece_are_visible() -> None:
    """Painting changes the pixels where the labels say, against the bare background."""
    rng = np.random.default_rng(12)
    options = SynthOptions(ambiguous_probability=0.0)
    for index in range(60):
        source, _ = choose_background(rng, 340, 190, None, 0.0)
        layout = draw_layout(rng, 340, 190, options, has_both=False)
        size = layout.size_px
        families = {kind: draw_family(rng, kind, NONE, NONE) for kind in FAMILIES}
        style = draw_gap_style(rng, families["gap_fill"], families["gap_edge"], size)
        picture = source.copy()
        if style.dim < 1:
            np.multiply(picture, style.dim, out=picture, casting="unsafe")
        before = picture.copy()
        patch = rasterise(layout.gap_picture_xy, 340, 190, 12)
        contrast = paint_gap(picture, patch, style)
        inside = patch.alpha > 0.5
        change = np.abs(picture[patch.window].astype(float) - before[patch.window])[inside]
        assert change.mean() == pytest.approx(contrast, abs=1.0)
        # An outline may lie outside the gap's pixels, where this contrast is measured.
        assert contrast > (1 if style.edge.name == "outline" else 4), (index, style)
        edge, tone = families["piece_edge"], families["piece_tone"]
        _paint_slider(picture, source, layout, draw_piece_style(rng, edge, tone, size))
        patch = rasterise(layout.slider_picture_xy, 340, 190, 0)
        change = np.abs(picture[patch.window].astype(float) - before[patch.window])
        assert change.mean() > 1.5


def test_piece_styles_differ_in_tone() -> None:
    rng = np.random.default_rng(10)
    bright = draw_piece_style(rng, "piece-glow", "tone-bright", 40)
    assert bright.tone == "tone-bright"
    assert bright.edge.name == "glow"


def test_what_cannot_be_seen_is_refused() -> None:
    accepted = 0
    for seed in range(60):
        scene = Scene(np.random.default_rng(seed), SynthOptions(), None)
        accepted += scene.is_visible(scene.paint(scene.has_gap, scene.has_piece))
        if abs(scene.layout.gap_xy[0] - scene.layout.slider_xy[0]) < 1.5 * scene.layout.size_px:
            continue  # near enough to lie over each other
        if scene.has_gap:
            assert not scene.is_visible(scene.paint(False, scene.has_piece))
        if scene.has_piece:
            assert not scene.is_visible(scene.paint(scene.has_gap, False))
    assert 30 < accepted < 60
