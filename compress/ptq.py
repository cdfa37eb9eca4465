"""Post-training INT8 and a bundle of it: `python -m compress.ptq ckpt.pth -o DIR`.

Folds the checkpoint's network, exports it with its decode, calibrates it on generated pictures
(or on a folder of one's own), holds the result to the gate, and writes a bundle that
`Locator(bundle=DIR)` loads.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from compress import accuracy, arguments
from compress.accuracy import AccuracyControl
from compress.build import Int8, Source, publish_gated, summary
from compress.errors import run_command
from compress.fakequant import quantized
from compress.layers import executed_layers, layer_table
from compress.onnx_graphs import deployed_onnx
from compress.qdq import qdq_onnx
from compress.quantize import PRESETS, quantize
from train.arguments import positive
from train.synth import held_out


def post_training(
    source: Source, preset: str = "mixed", control: AccuracyControl | None = None
) -> Int8:
    """Quantise a network as it is.

    preset: of OpenVINO's form, a key of `compress.quantize.PRESETS`; the other is symmetric.
    control: see `compress.quantize.quantize`; OpenVINO's form alone follows it.
    """
    fp32 = deployed_onnx(source.folded, source.row_agreement)
    net = quantized(source.folded, source.calibration, source.floating)
    settings = {
        "preset": preset,
        "floating": list(source.floating),
        "max_drop_px": control.max_drop_px if control else None,
    }
    return Int8(
        "ptq",
        settings,
        quantize(fp32, source.calibration, preset, source.floating, control),
        qdq_onnx(net, source.row_agreement, signed=True),
    )


def _run(given: argparse.Namespace) -> str:
    request = arguments.gate_request(given)
    source = arguments.source(given)
    int8 = post_training(source, given.preset, _control(given))
    table = layer_table(executed_layers(int8.ir.read()))
    bundle = publish_gated(given.output, source, int8, request)
    return "\n".join([table, "", summary(bundle)])


def _control(given: argparse.Namespace) -> AccuracyControl | None:
    if not given.accuracy_control:
        return None
    backgrounds = held_out(given.backgrounds) if given.backgrounds else None
    pictures = accuracy.generated(given.control_pictures, backgrounds)
    return AccuracyControl(pictures, given.max_drop)


def pixels(text: str) -> float:
    """A distance, `0.05px` or `0.05`."""
    value = float(text.removesuffix("px"))
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"expected a distance >= 0, got {text}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m compress.ptq",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_source(parser)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="mixed")
    parser.add_argument(
        "--accuracy-control",
        action="store_true",
        help="give layers back to floating point until the mean error has grown by no more than "
        "--max-drop (slow)",
    )
    parser.add_argument("--max-drop", type=pixels, default=0.05, metavar="0.05px")
    parser.add_argument(
        "--control-pictures", type=positive, default=accuracy.DEFAULT_PICTURES, metavar="N"
    )
    arguments.add_gate(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 1 when the gate refused, 2 when something was unusable."""
    given = _parser().parse_args(argv)
    return run_command(lambda: _run(given))


if __name__ == "__main__":
    sys.exit(main())
