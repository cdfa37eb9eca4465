from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from runtime.geometry import Letterbox, decode
from tests.golden import make_golden

FOLDER = Path(make_golden.__file__).parent
LETTERBOX = json.loads((FOLDER / "letterbox.json").read_text())
DECODE = json.loads((FOLDER / "decode.json").read_text())


def _read(name: str) -> np.ndarray:
    return cv2.imread(str(FOLDER / name), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize(
    "case", LETTERBOX, ids=lambda c: f"{c['picture_width']}x{c['picture_height']}"
)
def test_letterbox(case):
    letterbox = Letterbox(case["picture_width"], case["picture_height"])
    for name in ("width", "height", "left", "top"):
        assert getattr(letterbox, name) == case[name], name
    points = np.array(case["points"])
    span = 1e-3 / min(1, letterbox.scale_x, letterbox.scale_y)  # 1e-3 canvas pixels
    assert letterbox.to_canvas(points[:, :2]) == pytest.approx(points[:, 2:], abs=1e-3)
    assert letterbox.to_picture(points[:, 2:]) == pytest.approx(points[:, :2], abs=min(span, 1e-3))
    if case["picture"]:
        canvas = letterbox.render(_read(case["picture"])[..., :3])
        expected = _read(case["canvas"])[..., [2, 1, 0, 3]]
        assert np.abs(canvas.astype(int) - expected).max() <= 1
        assert np.array_equal(canvas[..., 3], expected[..., 3])


def test_some_drawn_cases_pad_either_axis_shrink_and_grow():
    drawn = [Letterbox(c["picture_width"], c["picture_height"]) for c in LETTERBOX if c["picture"]]
    for trait in ("left", "top", "shrinks"):
        assert {bool(getattr(letterbox, trait)) for letterbox in drawn} == {True, False}


def _maps(case: dict[str, Any]) -> list[np.ndarray]:
    if "dense" in case:
        plane = np.load(FOLDER / "decode_dense.npy")[case["dense"]].astype(np.float32)
        heatmaps, offsets, angle = plane[:2] / 256, (plane[2:6] - 128) / 256, plane[6:] - 128
        return [*heatmaps, offsets[:2], offsets[2:], angle / 128]
    maps = []
    for name in ("heatmap_gap", "heatmap_slider", "offset_gap", "offset_slider", "angle"):
        fill = np.array(case[name]["fill"], np.float32)
        full = np.empty((*fill.shape, 64, 128), np.float32)
        full[...] = fill[..., None, None]
        for i, j, *values in case[name]["cells"]:
            full[..., i, j] = values if fill.shape else values[0]
        maps.append(full)
    return maps


@pytest.mark.parametrize("case", DECODE, ids=lambda c: c["name"])
def test_decode(case):
    raw = decode(*_maps(case), row_agreement=case["row_agreement"])
    expected = np.array(case["keypoints"])
    assert raw.keypoints[:, :2] == pytest.approx(expected[:, :2], abs=1e-3)
    assert raw.keypoints[:, 2:] == pytest.approx(expected[:, 2:], abs=1e-6)
    assert raw.angle == pytest.approx(np.array(case["angle_out"]), abs=1e-6)


def test_files_are_what_the_maker_makes():
    made = make_golden.build()
    assert sorted(made) == sorted(
        p.name for p in FOLDER.iterdir() if p.suffix in (".json", ".npy", ".png")
    )
    for name, content in made.items():
        kept = (FOLDER / name).read_bytes()
        if name.endswith(".png"):  # encoders may pack the same pixels differently
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(pixels, _read(name)), name
        else:
            assert content == kept, name


def test_the_maker_is_independent_of_the_package():
    source = Path(make_golden.__file__).read_text()
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert imports
    assert not [line for line in imports if "runtime" in line or "compress" in line]
    assert "cv2.resize" not in source
