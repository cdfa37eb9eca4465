"""What INT8 costs, part by part: `python -m compress.sensitivity ckpt.pth`.

Quantises the network once for each of its parts, that part left in floating point, and says what
it gives back in pixels and costs in milliseconds. Where a part pays, `--floating PATTERN` leaves it
out of quantisation in the other commands.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from tqdm import tqdm

from compress.accuracy import Labelled, generated
from compress.arguments import add_calibration, calibration_set
from compress.calibration import CalibrationSet
from compress.equalize import equalized
from compress.errors import run_command
from compress.layers import groups, matching, name_layers
from compress.onnx_graphs import deployed_onnx
from compress.quantize import PRESETS, quantize
from runtime.timing import time_calls
from train.arguments import positive
from train.checkpoint import load_model
from train.model import fold
from train.synth import held_out

# A part pays where it takes this share of INT8's loss away, per share of the time it costs.
_WORTH = 5.0
_LEAST_SHARE = 0.1
_LATENCY_S = 1.0
ALL_INT8, ALL_FP32 = "nothing", "everything"


@dataclass(frozen=True)
class Row:
    """A network of which some part is in floating point.

    floating: the part; pattern: of its layers; layers: how many they are.
    mae_px: mean error of the points; shift_p99_px: of the pictures' points from FP32's.
    p50_ms: of an inference alone, two threads.
    """

    floating: str
    pattern: str
    layers: int
    mae_px: float
    shift_p99_px: float
    p50_ms: float

    def __str__(self) -> str:
        numbers = f"{self.mae_px:>10.3f}{self.shift_p99_px:>12.3f}{self.p50_ms:>9.2f}"
        return f"{self.floating:<13}{self.layers:>7}{numbers}  {self.pattern}"


def sensitivity(
    fp32: bytes, calibration: CalibrationSet, pictures: Sequence[Labelled], preset: str
) -> list[Row]:
    """FP32, all in INT8, and each part in floating point, on the same pictures."""
    core = ov.Core()
    model = core.read_model(fp32)
    reference = _keypoints(core.compile_model(model, "CPU", _SETTINGS), pictures)
    rows = [_row(model, reference, pictures, ALL_FP32, "", 0)]
    layers = name_layers(model)
    parts = {name: len(matching(layers, (pattern,))) for name, pattern in groups().items()}
    tried = [(ALL_INT8, "", 0)]
    tried += [(name, groups()[name], count) for name, count in parts.items() if count]
    for name, pattern, count in tqdm(tried, disable=None):
        floating = (pattern,) if pattern else ()
        quantized = quantize(fp32, calibration, preset, floating).read()
        rows.append(_row(quantized, reference, pictures, name, pattern, count))
    return rows


_SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}


def _row(
    model: ov.Model,
    reference: NDArray[np.float32],
    pictures: Sequence[Labelled],
    *about: str | int,
) -> Row:
    compiled = ov.Core().compile_model(model, "CPU", _SETTINGS)
    found = _keypoints(compiled, pictures)
    errors = [e for one, k in zip(pictures, found, strict=True) for e in one.errors_px(k)]
    shifts = [one.shift_px(a, b) for one, a, b in zip(pictures, found, reference, strict=True)]
    request = compiled.create_infer_request()
    request.infer({"canvas": pictures[0].canvas[None]})
    latency = time_calls(request.infer, _LATENCY_S)
    name, pattern, count = about
    p99 = float(np.nanpercentile(shifts, 99))
    return Row(str(name), str(pattern), int(count), float(np.mean(errors)), p99, latency.p50_ms)


def _keypoints(compiled: ov.CompiledModel, pictures: Sequence[Labelled]) -> NDArray[np.float32]:
    """f32 [N, 2, 4], as the deployed graph gives them."""
    request = compiled.create_infer_request()
    found = []
    for one in pictures:
        request.infer({"canvas": one.canvas[None]})
        found.append(request.get_tensor("keypoints").data[0].copy())
    return np.stack(found)


def proposal(rows: Sequence[Row]) -> list[str]:
    """Patterns of the parts that pay, those that give back most first."""
    by_name = {row.floating: row for row in rows}
    fp32, int8 = by_name[ALL_FP32], by_name[ALL_INT8]
    paying = []
    for row in rows:
        if row.floating in (ALL_FP32, ALL_INT8):
            continue
        given_back = max(
            _share(int8.shift_p99_px - row.shift_p99_px, int8.shift_p99_px),
            _share(int8.mae_px - row.mae_px, int8.mae_px - fp32.mae_px),
        )
        cost = max(0.0, row.p50_ms / int8.p50_ms - 1)
        if given_back >= max(_LEAST_SHARE, _WORTH * cost):
            paying.append((-given_back, row.pattern))
    return [pattern for _, pattern in sorted(paying)]


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _run(given: argparse.Namespace) -> str:
    if given.json:
        given.json.touch()  # refused before the work, not after it
    calibration = calibration_set(given)
    net = equalized(fold(load_model(given.checkpoint)[0]), calibration)
    backgrounds = held_out(given.backgrounds) if given.backgrounds else None
    rows = sensitivity(
        deployed_onnx(net, 1.0),
        calibration,
        generated(given.pictures, backgrounds),
        given.preset,
    )
    patterns = proposal(rows)
    if given.json:
        document = {"rows": [asdict(row) for row in rows], "proposal": patterns}
        given.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    head = f"{'in FP':<13}{'layers':>7}{'MAE px':>10}{'p99 shift':>12}{'ms':>9}  pattern"
    advice = " ".join(f"--floating '{pattern}'" for pattern in patterns)
    pays = f"what pays: {advice}" if patterns else "no part pays: leave everything in INT8"
    return "\n".join([f"{given.pictures} pictures", head, *map(str, rows), pays])


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when measured, 2 with one line on stderr when something was unusable."""
    parser = argparse.ArgumentParser(
        prog="python -m compress.sensitivity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path)
    add_calibration(parser)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="mixed")
    parser.add_argument("--pictures", type=positive, default=300, metavar="N", help="to measure on")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    given = parser.parse_args(argv)
    return run_command(lambda: _run(given))


if __name__ == "__main__":
    sys.exit(main())
