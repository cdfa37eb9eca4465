"""Post-training INT8 and a bundle of it: `python -m compress.ptq ckpt.pth -o DIR`.

Folds the checkpoint's network, exports it with its decode, calibrates it on generated pictures
(or on a folder of one's own), and writes a bundle that `Locator(bundle=DIR)` loads.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from compress import calibration
from compress.calibration import CalibrationSet
from compress.errors import run_command
from compress.export import add_row_agreement, deployed_onnx
from compress.package import (
    check_replaceable,
    fp32_artefact,
    int8_artefact,
    producing_versions,
    publish,
)
from compress.quantize import PRESETS, executed_layers, layer_table, quantize
from runtime.bundle import Bundle, Calibration, Manifest, Model, Thresholds
from train.answers import MIN_SCORE
from train.arguments import positive, share
from train.checkpoint import load_model
from train.config import ModelConfig
from train.model import KeypointNet, fold
from train.synth import Backgrounds


def build_bundle(
    net: KeypointNet,
    config: ModelConfig,
    pictures: CalibrationSet,
    output: Path,
    *,
    preset: str = "mixed",
    row_agreement: float = 1.0,
    min_score: float = MIN_SCORE,
) -> tuple[Bundle, str]:
    """Quantise a trained network and write its bundle.

    net: as trained, not folded; config: what it was built from.
    output: see `compress.package.publish`; preset: a key of `compress.quantize.PRESETS`.
    row_agreement, min_score: what the manifest says under these names.
    Returns the bundle and a table of the layers that execute in INT8.
    """
    fp32 = deployed_onnx(fold(net), row_agreement)
    int8 = quantize(fp32, pictures, preset)
    (fp32_entry, fp32_files), (int8_entry, int8_files) = fp32_artefact(fp32), int8_artefact(int8)
    manifest = Manifest(
        model=Model(config.kind, config.model_dump(mode="json")),
        row_agreement=row_agreement,
        thresholds=Thresholds(min_score),
        artefacts={"fp32": fp32_entry, "int8": int8_entry},
        calibration=Calibration(pictures.count, pictures.sha256),
        golden=None,
        versions=producing_versions(),
    )
    bundle = publish(output, manifest, {**fp32_files, **int8_files})
    return bundle, layer_table(executed_layers(int8))


def _run(given: argparse.Namespace) -> str:
    net, config = load_model(given.checkpoint)
    check_replaceable(given.output)
    if given.calibration:
        pictures = calibration.from_folder(given.calibration, given.calibration_pictures)
    else:
        backgrounds = Backgrounds(given.backgrounds) if given.backgrounds else None
        pictures = calibration.generated(given.calibration_pictures, given.seed, backgrounds)
    bundle, table = build_bundle(
        net,
        config.model,
        pictures,
        given.output,
        preset=given.preset,
        row_agreement=given.row_agreement,
        min_score=given.min_score,
    )
    files = sorted(bundle.directory.iterdir())
    lines = [f"{path.name:<18}{path.stat().st_size:>12,} bytes" for path in files]
    calibrated = f"calibrated on {pictures.count} pictures, sha256 {pictures.sha256[:16]}"
    return "\n".join([table, "", calibrated, f"{bundle.directory}:", *lines])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m compress.ptq", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--calibration", type=Path, metavar="DIR", help="calibrate on these pictures instead"
    )
    parser.add_argument(
        "--calibration-pictures", type=positive, default=calibration.DEFAULT_COUNT, metavar="N"
    )
    parser.add_argument(
        "--backgrounds", type=Path, metavar="DIR", help="photographs for the generated pictures"
    )
    parser.add_argument("--seed", type=int, default=calibration.DEFAULT_SEED)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="mixed")
    add_row_agreement(parser)
    parser.add_argument(
        "--min-score",
        type=share,
        default=MIN_SCORE,
        help="below it a point is reported but not trusted (default: %(default)s)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 with one line on stderr when something was unusable."""
    given = _parser().parse_args(argv)
    return run_command(lambda: _run(given))


if __name__ == "__main__":
    sys.exit(main())
