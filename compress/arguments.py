"""The options that compression's commands share."""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from compress import calibration, gate
from compress.build import GateRequest, Source
from compress.calibration import CalibrationSet
from compress.equalize import equalized
from compress.errors import CompressionError
from compress.layers import matching
from compress.package import check_replaceable
from compress.quantize import FLOATING
from train.answers import MIN_SCORE
from train.arguments import positive, share
from train.checkpoint import load_model
from train.evaluate import DEFAULT_TESTSET
from train.model import KeypointNet, fold
from train.synth import Backgrounds


def add_network(parser: argparse.ArgumentParser) -> None:
    """Give a command the checkpoint, the bundle's folder and what its manifest says."""
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--row-agreement",
        type=_exponent,
        default=1.0,
        metavar="LAMBDA",
        help="how strongly both points must share a row; 0: not at all (default: %(default)s)",
    )
    parser.add_argument(
        "--min-score",
        type=share,
        default=MIN_SCORE,
        help="below it a point is reported but not trusted (default: %(default)s)",
    )


def add_source(parser: argparse.ArgumentParser) -> None:
    """As `add_network`, and what a `Source` that is quantised needs."""
    add_network(parser)
    add_calibration(parser)
    parser.add_argument(
        "--floating",
        action="append",
        metavar="PATTERN",
        help="leave layers of such names in floating point; may be repeated "
        "(compress.sensitivity proposes some)",
    )


def add_calibration(parser: argparse.ArgumentParser) -> None:
    """Give a command the choice of calibration pictures."""
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


def add_gate(parser: argparse.ArgumentParser) -> None:
    """Give a command what a `GateRequest` is made from."""
    group = parser.add_argument_group("the gate")
    group.add_argument("--testset", default=DEFAULT_TESTSET, help="(default: %(default)s)")
    group.add_argument(
        "--gate-pictures", type=positive, metavar="N", help="only the first N of the set"
    )
    group.add_argument(
        "--tolerances", type=Path, default=gate.TOLERANCES, metavar="FILE.toml",
        help="what INT8 may differ from FP32 by (default: compress/gate.toml)",
    )  # fmt: skip
    group.add_argument(
        "--report", type=Path, metavar="DIR", help="write report.md, report.json and figures there"
    )


def gate_request(given: argparse.Namespace) -> GateRequest:
    """The options of `add_gate` and `--backgrounds`.

    Raises CompressionError for unusable tolerances and TestSetError for a set that cannot be made.
    """
    request = GateRequest(
        given.testset, given.gate_pictures, given.backgrounds, given.tolerances, given.report
    )
    # Refused before the work, not after it.
    request.limits()
    next(iter(request.picture_set().samples))
    return request


def calibration_set(given: argparse.Namespace) -> CalibrationSet:
    """The pictures that the options of `add_calibration` name."""
    if given.calibration:
        return calibration.from_folder(given.calibration, given.calibration_pictures)
    backgrounds = Backgrounds(given.backgrounds) if given.backgrounds else None
    return calibration.generated(given.calibration_pictures, given.seed, backgrounds)


def network(given: argparse.Namespace) -> Source:
    """What the options of `add_network` name.

    Raises CheckpointError for an unusable checkpoint and CompressionError for an output that holds
    anything but a bundle.
    """
    net, config = load_model(given.checkpoint)
    check_replaceable(given.output)
    return Source(fold(net), config, None, (), given.row_agreement, given.min_score)


def source(given: argparse.Namespace) -> Source:
    """What the options of `add_source` name.

    Raises as `network`, and CompressionError for unusable pictures.
    """
    floating = FLOATING if given.floating is None else tuple(given.floating)
    plain = network(given)
    _check_patterns(floating, plain.folded)
    pictures = calibration_set(given)
    folded = equalized(plain.folded, pictures)
    return dataclasses.replace(plain, folded=folded, pictures=pictures, floating=floating)


def _check_patterns(floating: Sequence[str], folded: KeypointNet) -> None:
    layers = [name for name, part in folded.named_modules() if isinstance(part, nn.Conv2d)]
    for pattern in floating:
        try:
            found = matching(layers, [pattern])
        except re.error as error:
            raise CompressionError(f"--floating {pattern!r} is no pattern: {error}") from error
        if not found:
            raise CompressionError(f"--floating {pattern!r} is found in no layer's name")


def _exponent(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected a number >= 0, got {text}")
    return value
