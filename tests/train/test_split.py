from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.train.datasets import labels_of, write_dataset
from train import split
from train.annotations import load_pictures


def test_the_parts_share_the_pictures_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path)
    before = sorted(os.listdir(tmp_path))
    assert split.main(["--input-dir", str(tmp_path), "--train-ratio", "0.7"]) == 0
    assert capsys.readouterr().out.count("pictures\n") == 2
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "train.json", "val.json"])
    parts = [load_pictures(tmp_path / name) for name in split.NAMES]
    assert [len(part) for part in parts] == [2, 1]
    whole = {one.file_name: one for one in load_pictures(tmp_path)}
    assert {one.file_name: one for part in parts for one in part} == whole
    for name in split.NAMES:
        part = json.loads((tmp_path / name).read_text())
        assert part["info"] == {"year": 2020}
        assert {a["image_id"] for a in part["annotations"]} == {i["id"] for i in part["images"]}


def test_the_split_follows_from_the_seed_alone() -> None:
    labels = labels_of(50)
    first = split.split(labels, 0.9, 42)
    assert [len(part["images"]) for part in first] == [45, 5]
    assert split.split(labels, 0.9, 42) == first
    assert split.split(labels, 0.9, 43) != first
    drawn = {
        image["id"] for seed in range(40) for image in split.split(labels, 0.9, seed)[1]["images"]
    }
    assert len(drawn) > 45  # every picture may be drawn, not those at the end


@pytest.mark.parametrize("ratio", ["0.1", "1.0", "-1", "nan"])
def test_an_empty_part_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ratio: str
) -> None:
    write_dataset(tmp_path)
    assert split.main(["--input-dir", str(tmp_path), "--train-ratio", ratio]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert not (tmp_path / "train.json").exists()


def test_bad_labels_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = labels_of()
    labels["annotations"][0]["image_id"] = 77
    write_dataset(tmp_path, labels)
    assert split.main(["--input-dir", str(tmp_path)]) == 2
    assert "train.validate_data" in capsys.readouterr().err
