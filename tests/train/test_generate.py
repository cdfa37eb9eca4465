"""train.generate: what it writes reads back as pictures and COCO keypoints."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.generate import main
from train.synth import render


def test_folder_holds_pictures_and_labels(tmp_path: Path) -> None:
    assert main(["--num-images", "3", "--output-dir", str(tmp_path), "--seed", "5"]) == 0
    labels = json.loads((tmp_path / "annotations.json").read_text())
    assert len(labels["images"]) == len(labels["annotations"]) == 3
    for index, (image, annotation) in enumerate(
        zip(labels["images"], labels["annotations"], strict=True)
    ):
        sample = render(5, index)
        picture = cv2.imread(str(tmp_path / image["file_name"]))
        np.testing.assert_array_equal(picture, sample.picture)
        assert (image["height"], image["width"]) == picture.shape[:2]
        x, y, visible = annotation["keypoints"][:3]
        if sample.gap_picture_xy is None:
            assert visible == 0
        else:
            # COCO counts from the pixel's corner, we from its centre.
            assert (x - 0.5, y - 0.5) == pytest.approx(sample.gap_picture_xy)
            assert visible == 2


def test_switches_reach_the_generator(tmp_path: Path) -> None:
    arguments = ["--num-images", "12", "--output-dir", str(tmp_path), "--no-enable-rotation"]
    assert main([*arguments, "--no-enable-confusing-gaps", "--require", "star"]) == 0
    labels = json.loads((tmp_path / "annotations.json").read_text())
    assert {a["families"]["shape"] for a in labels["annotations"]} == {"star"}
    assert not {"rotated", "confusing"} & {a["difficulty"] for a in labels["annotations"]}


def test_wrong_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["--output-dir", str(tmp_path)]
    assert main([*base, "--require", "nonsense"]) == 2
    assert main([*base, "--backgrounds", str(tmp_path / "missing")]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 2
    assert "nonsense" in errors[0]
    assert "missing" in errors[1]
