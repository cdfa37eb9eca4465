"""Computes the golden files of the geometry contract, independently of the package.

    python tests/golden/make_golden.py      writes them beside this script

Nothing is imported from runtime/, and nothing is resized or decoded by the code under test: sizes
and points are exact fractions, pixels are exact integer sums, the decode is plain loops. Formats
are such that C++ reads them too.

letterbox.json: a list of cases.
    picture_width, picture_height; width, height, left, top: the picture's place on the canvas;
    points: [[picture x, picture y, canvas x, canvas y], ...];
    picture, canvas: PNG files, or null for cases of numbers alone. A canvas PNG's red, green, blue
    and alpha are the canvas's channels R, G, B and mask. Pixels may differ by 1 of 255.
decode.json: a list of cases.
    row_agreement; heatmap_gap, heatmap_slider: {fill: value, cells: [[row, column, value], ...]};
    offset_gap, offset_slider, angle: {fill: [a, b], cells: [[row, column, a, b], ...]};
    or, instead of those five, dense: n, plane n of decode_dense.npy;
    keypoints: [gap, slider] as [canvas x, canvas y, score, rival]; angle_out: [sine, cosine].
decode_dense.npy: uint8 [n, 8, 64, 128]: heatmap gap, heatmap slider, offset gap x and y, offset
    slider x and y, sine, cosine. A heatmap is value / 256, an offset (value - 128) / 256, sine and
    cosine are (value - 128) / 128: exact in float32, and so are the products of the decode.
"""

from __future__ import annotations

import hashlib
import io
import json
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 512, 256
ROWS, COLUMNS, STRIDE = 64, 128, 4
HALF = Fraction(1, 2)

SIZES = [
    (1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (2, 3), (5, 4), (7, 3), (61, 17), (100, 300),
    (255, 511), (511, 255), (512, 256), (513, 257), (512, 255), (511, 256), (512, 1), (1, 256),
    (340, 190), (341, 189), (300, 150), (700, 333), (640, 360), (1280, 721), (1920, 1080),
    (4000, 3000), (2000, 20), (20, 2000), (8000, 8000), (8000, 1), (1, 8000), (7999, 2),
    (3, 7993), (8000, 4001), (6007, 7919),
    # The scaled size falls on .5 exactly, also where a binary fraction cannot say so.
    (1024, 333), (301, 512), (3072, 1161), (3072, 1155), (897, 1536), (5120, 2555), (7168, 2093),
]  # fmt: skip
DRAWN = [(1, 1), (3, 2), (61, 17), (340, 190), (700, 333), (40, 301), (600, 7), (512, 256)]


def letterbox_numbers(width: int, height: int) -> dict[str, Any]:
    scale = min(Fraction(WIDTH, width), Fraction(HEIGHT, height))
    scaled = [min(m, max(1, floor(n * scale + HALF)))
              for n, m in ((width, WIDTH), (height, HEIGHT))]  # fmt: skip
    margin = [(WIDTH - scaled[0]) // 2, (HEIGHT - scaled[1]) // 2]
    points = []
    for x, y in [
        (Fraction(0), Fraction(0)),
        (-HALF, -HALF),
        (width - HALF, height - HALF),
        (Fraction(width - 1), Fraction(0)),
        (Fraction(width * 5, 16), Fraction(height * 11, 16)),
        (Fraction(width * 2) + Fraction(1, 4), Fraction(-height)),
    ]:
        canvas = [
            (p + HALF) * Fraction(s, n) - HALF + m
            for p, s, n, m in zip((x, y), scaled, (width, height), margin, strict=True)
        ]
        points.append([float(value) for value in (x, y, *canvas)])
    return {
        "picture_width": width, "picture_height": height,
        "width": scaled[0], "height": scaled[1], "left": margin[0], "top": margin[1],
        "points": points, "picture": None, "canvas": None,
    }  # fmt: skip


def texture(width: int, height: int) -> np.ndarray:
    """A BGR picture in which any shift, flip, channel swap or blur shows."""
    y, x = np.mgrid[:height, :width]
    ramp = (x * 255) // max(1, width - 1)
    checks = ((x // 7 + y // 5) % 2) * 255
    waves = (x * x // 16 + y * 9) % 256
    return np.stack([ramp, checks, waves], axis=-1).astype(np.uint8)


def area_weights(source: int, target: int) -> tuple[np.ndarray, int]:
    """Overlap of every target pixel with every source pixel, in units of 1 / denominator."""
    weights = np.zeros((target, source), np.int64)
    for t in range(target):
        for s in range(t * source // target, min(source, (t + 1) * source // target + 1)):
            overlap = min((t + 1) * source, (s + 1) * target) - max(t * source, s * target)
            weights[t, s] = max(0, overlap)
    return weights, source


def linear_weights(source: int, target: int) -> tuple[np.ndarray, int]:
    """Linear interpolation between source pixel centres, the edges repeated."""
    weights = np.zeros((target, source), np.int64)
    for t in range(target):
        position = Fraction((2 * t + 1) * source, 2 * target) - HALF
        below = floor(position)
        above_share = position - below
        for s, share in ((below, 1 - above_share), (below + 1, above_share)):
            weights[t, min(source - 1, max(0, s))] += int(share * 2 * target)
    return weights, 2 * target


def draw_canvas(picture: np.ndarray, case: dict[str, Any]) -> np.ndarray:
    height, width = picture.shape[:2]
    shrinks = width > WIDTH or height > HEIGHT
    weights = area_weights if shrinks else linear_weights
    across, across_unit = weights(width, case["width"])
    down, down_unit = weights(height, case["height"])
    unit = across_unit * down_unit
    canvas = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    left, top = case["left"], case["top"]
    for row in range(case["height"]):
        for channel, plane in enumerate((2, 1, 0)):  # R, G, B from B, G, R
            sums = across @ (down[row] @ picture[..., plane].astype(np.int64))
            canvas[top + row, left : left + case["width"], channel] = (2 * sums + unit) // (
                2 * unit
            )
        canvas[top + row, left : left + case["width"], 3] = 255
    return canvas


def letterbox_files() -> dict[str, bytes]:
    files, cases = {}, [letterbox_numbers(*size) for size in SIZES]
    for width, height in DRAWN:
        case = letterbox_numbers(width, height)
        picture, name = texture(width, height), f"letterbox_{width}x{height}"
        case |= {"picture": f"{name}.png", "canvas": f"{name}_canvas.png"}
        canvas_bgra = draw_canvas(picture, case)[..., [2, 1, 0, 3]]
        files[case["picture"]], files[case["canvas"]] = png(picture), png(canvas_bgra)
        cases.append(case)
    return files | {"letterbox.json": json_lines(cases)}


Cell = tuple[int, int]


def decode_cases() -> list[dict[str, Any]]:
    """Each: name, gap and slider peaks {cell: value in 256ths}, options."""
    last = (ROWS - 1, COLUMNS - 1)
    plain = {"slider": {(30, 20): 200}}
    cases: list[dict[str, Any]] = [
        {"name": "one peak each", "gap": {(30, 90): 240}, **plain},
        {"name": "corners", "gap": {(0, 0): 250}, "slider": {last: 250}, "row_agreement": 0},
        {"name": "other corners", "gap": {(0, 127): 250}, "slider": {(63, 0): 250}, "fill": 1},
        {"name": "borders", "gap": {(0, 64): 99, (63, 64): 98}, "slider": {(0, 0): 77}},
        {"name": "rows do not wrap", "gap": {(63, 5): 99, (2, 5): 40}, "slider": {(0, 9): 77,
         (63, 9): 3}},
        {"name": "tie on one row", "gap": {(30, 70): 128, (30, 50): 128}, **plain},
        {"name": "tie on two rows", "gap": {(31, 40): 128, (29, 99): 128}, **plain},
        {"name": "plateau of four", "gap": {(30, 70): 9, (30, 71): 9, (31, 70): 9, (31, 71): 9},
         **plain},
        {"name": "long plateau", "gap": {(30, 60 + k): 50 for k in range(7)}, **plain},
        {"name": "all zero", "gap": {}, "slider": {}},
        {"name": "all zero, angle and offset at the first cell", "gap": {}, "slider": {},
         "offset_gap": {(0, 0): (64, -128)}, "angle": {(0, 0): (-128, 0)}},
        {"name": "constant", "gap": {}, "slider": {}, "fill": 51},
        {"name": "no gap at all", "gap": {}, **plain},
        {"name": "no gap at all, no agreement", "gap": {}, **plain, "row_agreement": 0},
        {"name": "no slider at all", "gap": {(30, 90): 240}, "slider": {}},
        {"name": "shoulder", "gap": {(30, 90): 240, (30, 91): 239, (30, 92): 238}, **plain},
        {"name": "slope that is no rival", "gap": {(30, 90 + k): 240 - k for k in range(7)}
         | {(33, 60): 99}, **plain},
        {"name": "opposite extremes of offset", "gap": {(0, 0): 90}, "slider": {(0, 127): 80},
         "offset_gap": {(0, 0): (-128, -128)}, "offset_slider": {(0, 127): (128, 128)}},
        {"name": "every map says something", "gap": {(20, 77): 180, (45, 11): 90},
         "slider": {(21, 8): 170, (45, 60): 88}, "fill": 2,
         "offset_gap": {(20, 77): (33, -71)}, "offset_slider": {(21, 8): (-5, 127)},
         "angle": {(20, 77): (77, -102), (45, 11): (1, 2)}},
    ]  # fmt: skip
    for rows in (0, 1, 2):  # the slider's row may differ by one
        for sign in (1, -1):
            peaks = {"gap": {(30, 90): 100, (10, 40): 60}, "slider": {(30 + sign * rows, 20): 90,
                     (10, 5): 10}}  # fmt: skip
            cases.append({"name": f"slider {sign * rows} rows off", **peaks})
    for power in (0, 1, 2):
        decoy = {"gap": {(40, 90): 150, (10, 60): 230}, "slider": {(40, 12): 240, (10, 30): 30}}
        cases.append({"name": f"decoy on another row, {power}", **decoy, "row_agreement": power})
    for dy, dx in ((0, 2), (2, 2), (0, 3), (3, 0), (-3, 1), (2, -3), (3, 3), (1, -4)):
        gap = {(30, 90): 200, (30 + dy, 90 + dx): 150}
        cases.append({"name": f"rival at {dy}, {dx}", "gap": gap, "slider": {}, "fill": 1,
                      "row_agreement": 0})  # fmt: skip
    return cases


def sparse_maps(case: dict[str, Any]) -> dict[str, Any]:
    fill = case.get("fill", 0) / 256
    maps: dict[str, Any] = {
        f"heatmap_{name}": {
            "fill": fill,
            "cells": [[i, j, v / 256] for (i, j), v in case[name].items()],
        }
        for name in ("gap", "slider")
    }
    for name, blank, unit in (
        ("offset_gap", [0, 0], 256),
        ("offset_slider", [0, 0], 256),
        ("angle", [0, 1], 128),
    ):
        cells = [[i, j, a / unit, b / unit] for (i, j), (a, b) in case.get(name, {}).items()]
        maps[name] = {"fill": blank, "cells": cells}
    return maps


def full(entry: dict[str, Any], unit: int, part: int | None = None) -> list[list[int]]:
    """The map a sparse entry stands for, as rows of integers that count 1 / unit."""
    fill = entry["fill"] if part is None else entry["fill"][part]
    grid = [[int(fill * unit)] * COLUMNS for _ in range(ROWS)]
    for i, j, *values in entry["cells"]:
        grid[i][j] = int(values[part or 0] * unit)
    return grid


def full_maps(maps: dict[str, Any]) -> list[list[list[int]]]:
    pairs = [
        full(maps[name], unit, part)
        for name, unit in (("offset_gap", 256), ("offset_slider", 256), ("angle", 128))
        for part in (0, 1)
    ]
    return [full(maps["heatmap_gap"], 256), full(maps["heatmap_slider"], 256), *pairs]


def dense_maps(plane: np.ndarray) -> list[list[list[int]]]:
    zeros = [0, 0] + [128] * 6
    return [(values.astype(int) - zero).tolist() for values, zero in zip(plane, zeros, strict=True)]


def peaks_of(fused: list[list[int]]) -> list[tuple[int, int, int]]:
    """(value, row, column) of every cell that none of its eight neighbours exceeds, in order."""
    across = [[max(line[max(0, j - 1) : j + 2]) for j in range(COLUMNS)] for line in fused]
    peaks = []
    for i in range(ROWS):
        around = [max(column) for column in zip(*across[max(0, i - 1) : i + 2], strict=True)]
        peaks += [(fused[i][j], i, j) for j in range(COLUMNS) if fused[i][j] >= around[j]]
    return peaks


def point(
    own: list[list[int]], other: list[list[int]], offset: list[list[list[int]]], power: int
) -> tuple[list[float], Cell]:
    """Heatmaps and offsets in 256ths; the products, in 256ths to a power, stay exact."""
    fused = []
    for i in range(ROWS):
        support = max(max(other[k]) for k in (i - 1, i, i + 1) if 0 <= k < ROWS)
        fused.append([value * support**power for value in own[i]])
    peaks = peaks_of(fused)
    highest = max(value for value, _, _ in peaks)
    best, i, j = next(peak for peak in peaks if peak[0] == highest)
    assert best < 2**24, "not exact in float32"
    far = [value for value, k, m in peaks if max(abs(k - i), abs(m - j)) >= 3]
    rival = Fraction(max(far, default=0), best) if best else Fraction(0)
    x = (j + HALF + Fraction(offset[0][i][j], 256)) * STRIDE - HALF
    y = (i + HALF + Fraction(offset[1][i][j], 256)) * STRIDE - HALF
    return [float(x), float(y), own[i][j] / 256, float(rival)], (i, j)


def answer(maps: list[list[list[int]]], power: int) -> dict[str, Any]:
    gap, (i, j) = point(maps[0], maps[1], maps[2:4], power)
    slider, _ = point(maps[1], maps[0], maps[4:6], power)
    return {"keypoints": [gap, slider], "angle_out": [m[i][j] / 128 for m in maps[6:8]]}


def decode_files() -> dict[str, bytes]:
    entries = []
    for case in decode_cases():
        maps, power = sparse_maps(case), case.get("row_agreement", 1)
        entry = {"name": case["name"], "row_agreement": power, **maps}
        entries.append(entry | answer(full_maps(maps), power))
    # Few distinct values, so that ties and plateaus abound; the second plane has many.
    noise = hashlib.shake_128(b"decode").digest(2 * 8 * ROWS * COLUMNS)
    planes = np.frombuffer(noise, np.uint8).reshape(2, 8, ROWS, COLUMNS).copy()
    planes[0, :2] = planes[0, :2] // 32 * 32
    for n, plane in enumerate(planes):
        maps = dense_maps(plane)
        for power in (0, 1, 2):
            entry = {"name": f"dense {n}, {power}", "row_agreement": power, "dense": n}
            entries.append(entry | answer(maps, power))
    buffer = io.BytesIO()
    np.save(buffer, planes)
    return {"decode.json": json_lines(entries), "decode_dense.npy": buffer.getvalue()}


def json_lines(entries: list[dict[str, Any]]) -> bytes:
    return ("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n").encode()


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


def build() -> dict[str, bytes]:
    """All golden files: name -> content."""
    return letterbox_files() | decode_files()


if __name__ == "__main__":
    for file_name, content in build().items():
        (FOLDER / file_name).write_bytes(content)
