from __future__ import annotations

import json
import shutil
import struct
import zlib
from pathlib import Path

import pytest

from tests.train.datasets import labels_of, write_dataset
from train.validate_data import main


def found(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    assert main([str(folder), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["pictures"] == 3
    return {problem["sample"]: problem["reason"] for problem in report["problems"]}


def test_a_good_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset(tmp_path)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "3 pictures, no bad samples\n"
    assert main([str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pictures": 3, "problems": []}


def test_every_bad_sample_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = labels_of()
    labels["annotations"][2]["keypoints"][0] = 99
    write_dataset(tmp_path, labels)
    (tmp_path / "pictures/0.png").unlink()
    (tmp_path / "pictures/1.png").write_bytes(b"not a picture")
    assert found(tmp_path, capsys) == {
        "pictures/0.png": "missing file",
        "pictures/1.png": "unreadable",
        "pictures/2.png": "point outside",
    }
    assert main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("pictures/2.png: point outside: slider at (98.5, 20)")
    assert lines[-1] == "3 pictures, 3 bad samples"


def test_sizes_and_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = labels_of()
    labels["images"][1]["height"] = 41
    write_dataset(tmp_path, labels)
    shutil.copy(tmp_path / "pictures/0.png", tmp_path / "pictures/2.png")
    assert found(tmp_path, capsys) == {
        "pictures/1.png": "size mismatch",
        "pictures/2.png": "duplicate picture",
    }


def test_a_truncated_picture_is_unreadable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dataset(tmp_path)
    path = tmp_path / "pictures/1.png"
    path.write_bytes(path.read_bytes()[:-20])
    assert found(tmp_path, capsys) == {"pictures/1.png": "unreadable"}


def test_a_huge_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few hundred bytes that would unpack to 20 GB."""
    write_dataset(tmp_path)
    header = struct.pack(">IIBBBBB", 80_000, 80_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    (tmp_path / "pictures/1.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )
    assert main([str(tmp_path)]) == 1
    assert "too large: 80000 x 80000" in capsys.readouterr().out


def test_no_data_set_is_one_line_and_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
