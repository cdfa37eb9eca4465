"""train.generate: what it writes reads back as pictures and COCO keypoints, and goes on."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from train import generation
from train.generate import main
from train.synth import SynthOptions, render

COUNT = 6


def arguments(folder: Path, *more: str) -> list[str]:
    options = ["--num-images", str(COUNT), "--output-dir", str(folder), "--seed", "5"]
    return [*options, "--workers", "1", *more]


def contents(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    assert main(arguments(folder)) == 0
    return folder


def test_folder_holds_pictures_and_labels(written: Path) -> None:
    labels = json.loads((written / "annotations.json").read_text())
    annotations = {a["image_id"]: a for a in labels["annotations"]}
    assert len(labels["images"]) == COUNT
    assert sorted(p.name for p in written.iterdir()) == sorted(
        ["annotations.json", *(image["file_name"] for image in labels["images"])]
    )
    for index, image in enumerate(labels["images"]):
        sample = render(5, index)
        picture = cv2.imread(str(written / image["file_name"]))
        np.testing.assert_array_equal(picture, sample.picture)
        assert (image["height"], image["width"]) == picture.shape[:2]
        assert image["difficulty"] == sample.difficulty
        x, y, visible = annotations[index]["keypoints"][:3]
        if sample.gap_picture_xy is None:
            assert visible == 0
        else:
            # COCO counts from the pixel's corner, we from its centre.
            assert (x - 0.5, y - 0.5) == pytest.approx(sample.gap_picture_xy)
            assert visible == 2


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:pycocotools")
def test_pycocotools_reads_it_and_agrees_about_box_and_area(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycocotools.coco import COCO

    coco = COCO(written / "annotations.json")
    capsys.readouterr()
    assert len(coco.getImgIds()) == COUNT
    assert coco.loadCats(coco.getCatIds())[0]["keypoints"] == ["gap", "slider"]
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = coco.annToMask(annotation)
        y, x = np.nonzero(mask)
        left, top, width, height = annotation["bbox"]
        assert (x.min(), y.min()) == pytest.approx((left, top), abs=1.5)
        assert (x.max() + 1, y.max() + 1) == pytest.approx((left + width, top + height), abs=1.5)
        # Both outlines count where they overlap.
        polygons = annotation["segmentation"]
        parts = [coco.annToMask(annotation | {"segmentation": [p]}) for p in polygons]
        assert annotation["area"] == pytest.approx(sum(p.sum() for p in parts), rel=0.03)
        assert annotation["iscrowd"] == 0
        sample = render(5, annotation["image_id"])
        anchors = [sample.gap_picture_xy, sample.slider_picture_xy]
        assert annotation["num_keypoints"] == sum(a is not None for a in anchors) == len(parts)
        if anchors[1] is not None:  # the piece's anchor is the centre of its box
            y, x = np.nonzero(parts[-1])
            assert ((x.min() + x.max()) / 2, (y.min() + y.max()) / 2) == pytest.approx(
                anchors[1], abs=1
            )


def test_a_picture_with_neither_point_has_no_annotation() -> None:
    nothing = render(1, 0, SynthOptions(no_gap_probability=1.0, no_piece_probability=1.0))
    assert generation.entry_of(nothing, 3)["annotation"] is None
    gap_alone = render(1, 0, SynthOptions(no_gap_probability=0.0, no_piece_probability=1.0))
    annotation = generation.entry_of(gap_alone, 3)["annotation"]
    assert annotation["num_keypoints"] == len(annotation["segmentation"]) == 1
    assert annotation["id"] == 4


def test_several_processes_write_the_same_files(written: Path, tmp_path: Path) -> None:
    assert main(arguments(tmp_path, "--workers", "2")) == 0
    assert contents(tmp_path) == contents(written)


def test_an_interrupted_run_goes_on(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    drawn: list[int] = []
    really = generation.Job.draw

    def draw(job: generation.Job, index: int) -> generation.Entry:
        if index == 4 and not drawn.count(-1):
            drawn.append(-1)
            raise KeyboardInterrupt
        drawn.append(index)
        return really(job, index)

    monkeypatch.setattr(generation.Job, "draw", draw)
    assert main(arguments(tmp_path)) == 130
    assert "same command" in capsys.readouterr().err
    assert not (tmp_path / "annotations.json").exists()
    # As a power cut leaves things: a torn line, one picture in part and one lost.
    with (tmp_path / generation.JOURNAL).open("a") as journal:
        journal.write('{"image": {"id": 5, "fi')
    whole = (tmp_path / "000001.png").read_bytes()
    (tmp_path / "000001.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "000002.png").unlink()
    drawn[:] = [-1]
    assert main(arguments(tmp_path)) == 0
    assert drawn == [-1, 1, 2, 4, 5]
    assert contents(tmp_path) == contents(written)


def test_a_finished_folder_is_kept_and_can_grow(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [*arguments(tmp_path)[2:], "--num-images", "4"]
    assert main(few) == 0
    really, drawn = generation.Job.draw, []
    monkeypatch.setattr(
        generation.Job, "draw", lambda job, index: drawn.append(index) or really(job, index)
    )
    assert main(few) == 0
    assert drawn == []
    assert main(arguments(tmp_path)) == 0
    assert drawn == [4, 5]
    assert contents(tmp_path) == contents(written)


@pytest.mark.parametrize("change", [["--seed", "6"], ["--no-enable-rotation"]])
def test_pictures_of_another_job_are_never_mixed_in(
    written: Path, capsys: pytest.CaptureFixture[str], change: list[str]
) -> None:
    before = contents(written)
    assert main(arguments(written, *change)) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: ")
    assert str(written) in message
    assert ("seed = 5" if "--seed" in change else "rotation_probability = 0.12") in message
    assert contents(written) == before


def test_a_foreign_data_set_is_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = '{"info": "mine", "images": [], "annotations": [], "categories": []}'
    (tmp_path / "annotations.json").write_text(foreign)
    assert main(arguments(tmp_path)) == 2
    assert "did not write" in capsys.readouterr().err
    assert (tmp_path / "annotations.json").read_text() == foreign


def test_a_killed_run_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "train.generate", "--num-images", "100000"]
    process = subprocess.Popen([*command, "--output-dir", str(tmp_path), "--workers", "2"])
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(_runs(int(child)) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(int(child)) for child in children)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_switches_reach_the_generator(tmp_path: Path) -> None:
    plain = ["--no-enable-rotation", "--no-enable-confusing-gaps", "--no-enable-perlin-noise"]
    assert main([*arguments(tmp_path, *plain, "--require", "star"), "--num-images", "12"]) == 0
    images = json.loads((tmp_path / "annotations.json").read_text())["images"]
    assert {image["families"]["shape"] for image in images} == {"star"}
    assert not {"rotated", "confusing"} & {image["difficulty"] for image in images}
    assert not any("perlin" in image["families"]["effects"] for image in images)


def test_wrong_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["--output-dir", str(tmp_path)]
    assert main([*base, "--require", "nonsense"]) == 2
    assert main([*base, "--backgrounds", str(tmp_path / "missing")]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 2
    assert "nonsense" in errors[0]
    assert "missing" in errors[1]
    with pytest.raises(SystemExit):
        main([*base, "--num-images", "0"])


def test_unwritable_folders_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(arguments(tmp_path / "file")) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert os.listdir(tmp_path) == ["file"]
