"""The one command behind a release: `python -m compress.release ckpt.pth -o DIR`.

Quantises after training and trains with quantisers, keeps the INT8 that does better on the gate's
pictures, fits what its answers are trusted by, holds all artefacts to the gate, and writes the
bundle and its report. Everything on the way stays in the work folder (OUTPUT-work): ptq/ and qat/
are bundles, run/ is the training's, report/ holds report.md, whose last table is the README's.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from compress import arguments, qat, thresholds
from compress.agreement import REFERENCE, Agreement, measure
from compress.build import GateRequest, Int8, examined, publish_int8, summary
from compress.errors import run_command
from compress.gate import checks
from compress.package import republish
from compress.ptq import post_training
from compress.quantize import PRESETS
from runtime.bundle import Bundle
from train.arguments import positive, share
from train.monitor import console


def better(candidates: dict[str, Bundle], request: GateRequest) -> tuple[str, str]:
    """The method whose OpenVINO INT8 does better on the gate's pictures, and a line for each.

    One within its tolerances before one that is not, then the lower mean error.
    """
    limits = {"int8": request.limits().get("int8", {})}
    ranked, lines = [], []
    for method, bundle in candidates.items():
        measured = measure(bundle, request.picture_set(), (REFERENCE, "int8"))
        failed = sum(not check.passed for check in checks(measured, limits))
        ranked.append((failed > 0, _mae_px(measured), method))
        lines.append(
            f"{method}: MAE {_mae_px(measured):.3f} px, FP32 {_mae_px(measured, REFERENCE):.3f}, "
            f"p99 shift {measured.figures['int8']['shift_p99_px']:.2f} px, "
            f"outside {failed} of {len(limits['int8'])} tolerances"
        )
    return min(ranked)[2], "\n".join(lines)


def _mae_px(measured: Agreement, name: str = "int8") -> float:
    return float(measured.figures[name]["mae_px"])


def _run(given: argparse.Namespace) -> str:
    work = _work(given)
    request = arguments.gate_request(given)
    request = dataclasses.replace(request, report=given.report or work / "report")
    source = arguments.source(given)
    console.set_up()
    # One after the other: what the first gave is there if the second is stopped.
    methods: list[Callable[[], Int8]] = [
        lambda: post_training(source, given.preset),
        lambda: qat.quantization_aware(source, qat.settings(given), work / "run", given.resume),
    ]
    candidates = {}
    for method in methods:
        int8 = method()
        candidates[int8.method] = publish_int8(work / int8.method, source, int8)
    chosen, compared = better(candidates, request)
    fitted = thresholds.fit_bundle(
        candidates[chosen],
        pictures=given.threshold_pictures,
        backgrounds=given.backgrounds,
        max_false_abstention=given.max_false_abstention,
    )
    bundle = republish(Bundle.open(work / chosen), given.output, lambda b: examined(b, request))
    return "\n".join(
        [compared, f"kept: {chosen}", fitted, summary(bundle), f"report: {request.report}"]
    )


def _work(given: argparse.Namespace) -> Path:
    output: Path = given.output.resolve()
    work: Path = given.work or output.with_name(f"{output.name}-work")
    return work


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 written, 1 the gate refused, 2 something was unusable, 130 stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m compress.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_source(parser)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="mixed", help="of ptq")
    parser.add_argument("--work", type=Path, metavar="DIR", help="work folder")
    qat.add_settings(parser)
    arguments.add_gate(parser)
    group = parser.add_argument_group("what to trust")
    group.add_argument(
        "--threshold-pictures",
        type=positive,
        default=thresholds.PICTURES,
        metavar="N",
        help="as many to fit on, and as many to measure (default: %(default)s)",
    )
    group.add_argument("--max-false-abstention", type=share, default=0.01, metavar="SHARE")
    given = parser.parse_args(argv)
    return run_command(lambda: _run(given))


if __name__ == "__main__":
    sys.exit(main())
