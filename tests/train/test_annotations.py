from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.train.datasets import Labels, labels_of, write_dataset
from train import generate
from train.annotations import load_pictures, read
from train.entries import POINTS, DataError
from train.synth import render


def test_anyones_own_data_set_is_read(tmp_path: Path) -> None:
    labels = labels_of()
    labels["annotations"][1]["keypoints"][6:] = [0, 0, 0]
    labels["annotations"][1]["angle_deg"] = 12
    labels["annotations"][1]["piece_size_px"] = 17.5
    labels["annotations"][0]["angle_deg"] = None
    labels["annotations"].pop()
    labels["annotations"].append({"id": 1, "image_id": 10, "category_id": 3, "bbox": [1, 2, 3, 4]})
    labels["images"][0]["difficulty"] = "hard"
    labels["images"][1]["difficulty"] = "ambiguous"
    file = write_dataset(tmp_path, labels)
    for path in (tmp_path, file):
        full, no_gap, neither = load_pictures(path)
        # Half a pixel less than COCO's.
        assert (full.gap_picture_xy, full.slider_picture_xy) == ((40, 20), (10, 20))
        assert (full.angle_deg, full.difficulty, full.piece_size_px) == (None, "normal", 10)
        assert (no_gap.gap_picture_xy, no_gap.slider_picture_xy) == (None, (11, 20))
        assert (no_gap.angle_deg, no_gap.difficulty) == (12, "ambiguous")
        assert no_gap.piece_size_px == 17.5
        assert (neither.gap_picture_xy, neither.slider_picture_xy) == (None, None)
        assert neither.difficulty == "negative"
    sample = full.sample()
    np.testing.assert_array_equal(sample.picture, cv2.imread(str(tmp_path / "pictures/0.png")))
    assert sample.gap_picture_xy == (40, 20)


def test_what_the_generator_writes_reads_back(tmp_path: Path) -> None:
    options = ["--num-images", "8", "--output-dir", str(tmp_path), "--seed", "11"]
    assert generate.main([*options, "--workers", "1"]) == 0
    for index, picture in enumerate(load_pictures(tmp_path)):
        ours, theirs = render(11, index), picture.sample()
        np.testing.assert_array_equal(theirs.picture, ours.picture)
        for point in ("gap_picture_xy", "slider_picture_xy"):
            if getattr(ours, point) is None:
                assert getattr(theirs, point) is None
            else:
                assert getattr(theirs, point) == pytest.approx(getattr(ours, point))
        if (ours.gap_picture_xy or ours.slider_picture_xy) is not None:
            for name, outlines in ours.outlines_picture_xy.items():
                for one, other in zip(outlines, theirs.outlines_picture_xy[name], strict=True):
                    np.testing.assert_allclose(other, one, atol=0.006)
            assert (theirs.angle_deg, theirs.difficulty) == (ours.angle_deg, ours.difficulty)
            assert theirs.piece_size_px == ours.piece_size_px


def test_segmentation_is_looked_at_where_decoys_are_known(tmp_path: Path) -> None:
    labels = labels_of()
    gap, slider, decoy = ([x, 5, x + 9, 5.5, x, 20] for x in (30, 5, 45))
    annotations = labels["annotations"]
    annotations[0]["segmentation"] = {"size": [40, 60], "counts": [0, 2400]}
    annotations[1] |= {"segmentation": [gap, slider], "decoys": [decoy]}
    annotations[2] |= {"segmentation": [slider], "decoys": []}
    annotations[2]["keypoints"][6:] = [0, 0, 0]  # no gap
    write_dataset(tmp_path, labels)
    unknown, known, alone = (one.sample().outlines_picture_xy for one in load_pictures(tmp_path))
    assert unknown == {}
    assert {name: len(outlines) for name, outlines in known.items()} == {
        "gap": 1,
        "slider": 1,
        "decoy": 1,
    }
    for name, polygon in (("gap", gap), ("slider", slider), ("decoy", decoy)):
        pairs = np.column_stack([polygon[::2], polygon[1::2]])
        np.testing.assert_allclose(known[name][0] + 0.5, pairs)
    assert {name: len(outlines) for name, outlines in alone.items()} == {
        "gap": 0,
        "slider": 1,
        "decoy": 0,
    }


def image(**values: object) -> Callable[[Labels], None]:
    return lambda labels: labels["images"][1].update(values)


def annotation(**values: object) -> Callable[[Labels], None]:
    return lambda labels: labels["annotations"][1].update(values)


def points(*values: float) -> Callable[[Labels], None]:
    return annotation(keypoints=[*values[:3], 0, 0, 0, *values[3:]])


FAULTS: list[tuple[Callable[[Labels], Any], str, str, str]] = [
    (image(id=10), "pictures/1.png", "duplicate id", "pictures/0.png"),
    (image(file_name="pictures/0.png"), "pictures/0.png", "duplicate file name", "entry 1"),
    (image(file_name="./pictures//0.png"), "pictures/0.png", "duplicate file name", "entry 1"),
    (image(file_name="../secret.png"), "image entry 1", "bad entry", "../secret.png"),
    (image(file_name="a/../../b.png"), "image entry 1", "bad entry", "inside"),
    (image(file_name="/etc/passwd"), "image entry 1", "bad entry", "inside"),
    (image(file_name="..\\b.png"), "image entry 1", "bad entry", "inside"),
    (image(file_name="C:b.png"), "image entry 1", "bad entry", "inside"),
    (image(file_name=""), "image entry 1", "bad entry", "inside"),
    (image(file_name="a\0.png"), "image entry 1", "bad entry", "inside"),
    (image(width=0), "image entry 1", "bad entry", "width = 0"),
    (image(width=10**9), "image entry 1", "bad entry", "width"),
    (image(height="40"), "image entry 1", "bad entry", "height = '40'"),
    (lambda labels: labels["images"].insert(1, 5), "image entry 1", "bad entry", "5"),
    (annotation(id=100), "pictures/1.png", "duplicate id", "100"),
    (annotation(image_id=99), "annotation entry 1", "bad entry", "99"),
    (annotation(image_id=[1]), "annotation entry 1", "bad entry", "image_id"),
    (annotation(image_id=10), "pictures/0.png", "bad entry", "second"),
    (annotation(keypoints=[1, 2, 2]), "pictures/1.png", "bad entry", "too few"),
    (annotation(keypoints=[1, 2]), "annotation entry 1", "bad entry", "x, y, v"),
    (points(1, 2, 3, 1, 2, 2), "annotation entry 1", "bad entry", "x, y, v"),
    (points(1, float("nan"), 2, 1, 2, 2), "annotation entry 1", "bad entry", "keypoints"),
    (annotation(angle_deg=-180), "annotation entry 1", "bad entry", "angle_deg"),
    (annotation(angle_deg=float("inf")), "annotation entry 1", "bad entry", "angle_deg"),
    (annotation(piece_size_px=0), "annotation entry 1", "bad entry", "piece_size_px"),
    (annotation(decoys=[]), "pictures/1.png", "bad entry", "polygon for each of gap and slider"),
    (
        annotation(decoys=[], segmentation={"counts": "x"}),
        "pictures/1.png",
        "bad entry",
        "has decoys",
    ),
    (annotation(decoys=[[1, 2, 3, 4, 5]]), "annotation entry 1", "bad entry", "three points"),
    (annotation(decoys=[[1, 2, 3, 4, 5, 1e9]]), "annotation entry 1", "bad entry", "decoys"),
    (points(60, 20, 2, 9, 9, 2), "pictures/1.png", "point outside", "slider at (59.5, 19.5)"),
    (points(9, 9, 2, 9, 40, 2), "pictures/1.png", "point outside", "gap at (8.5, 39.5)"),
    (points(9, 9, 2, -0.01, 9, 2), "pictures/1.png", "point outside", "gap at (-0.51"),
]


@pytest.mark.parametrize(("spoil", "sample", "reason", "detail"), FAULTS)
def test_a_bad_entry_is_named_with_its_reason(
    tmp_path: Path, spoil: Callable[[Labels], Any], sample: str, reason: str, detail: str
) -> None:
    labels = labels_of()
    spoil(labels)
    write_dataset(tmp_path, labels)
    (first, *others) = read(tmp_path)[1]
    assert (first.sample, first.reason) == (sample, reason)
    assert detail in first.detail
    # Only the annotation of a refused picture entry has lost what it refers to.
    assert all("no good picture entry" in problem.detail for problem in others)
    with pytest.raises(DataError) as caught:
        load_pictures(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(first) in str(caught.value)
    assert "train.validate_data" in str(caught.value)


def test_points_at_the_very_border_are_good(tmp_path: Path) -> None:
    labels = labels_of()
    points(0, 0, 2, 59.999, 39.999, 2)(labels)
    write_dataset(tmp_path, labels)
    assert load_pictures(tmp_path)[1].slider_picture_xy == (-0.5, -0.5)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "cannot be read"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no list 'images'"),
        ('{"images": [], "annotations": {}}', "no list 'annotations'"),
        (
            json.dumps(labels_of() | {"categories": [4, {"id": 7, "keypoints": ["gap"]}]}),
            "'slider'",
        ),
        (json.dumps(labels_of() | {"categories": [{"id": [], "keypoints": POINTS}]}), "'slider'"),
        (json.dumps(labels_of() | {"images": [], "annotations": []}), "no pictures"),
    ],
)
def test_an_unusable_file_is_one_line(tmp_path: Path, text: str | None, named: str) -> None:
    file = tmp_path / "mine.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DataError, match=named) as caught:
        load_pictures(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    (tmp_path / "pictures/2.png").unlink()
    with pytest.raises(DataError, match=r"pictures/2\.png: missing file"):
        load_pictures(tmp_path)


def test_a_picture_of_another_size_is_refused_when_it_is_read(tmp_path: Path) -> None:
    labels = copy.deepcopy(labels_of())
    labels["images"][0]["width"] = 61
    write_dataset(tmp_path, labels)
    with pytest.raises(DataError, match="60 x 40 pixels, its entry says 61 x 40"):
        load_pictures(tmp_path)[0].sample()
