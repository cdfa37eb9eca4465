"""Quantisation-aware training and a bundle of it: `python -m compress.qat ckpt.pth -o DIR`.

Starts from post-training INT8, trains the folded network through its quantisers with training's
losses and FP32 as the teacher, keeps the epoch with the lowest validation error, holds the result
to the gate, and writes a bundle that `Locator(bundle=DIR)` loads. Ctrl-C lets the step finish;
`--resume` goes on from there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from compress import arguments
from compress.build import Int8, Source, publish_gated, summary
from compress.errors import run_command
from compress.finetune import QatSettings, fine_tune, plain_settings
from compress.layers import executed_layers, layer_table
from train.arguments import at_least, positive
from train.monitor import console

_DEFAULTS = QatSettings()
# The streams between the two seeds are those of thresholds and of accuracy control.
_BEYOND_CALIBRATION = 3


def quantization_aware(source: Source, settings: QatSettings, folder: Path, resume: bool) -> Int8:
    """Fine-tune a network (see `compress.finetune.fine_tune`) and return both forms of it."""
    net = fine_tune(source, settings, folder, resume)
    about = {"floating": list(source.floating), **plain_settings(settings)}
    return Int8.of("qat", about, net, source.row_agreement)


def _run(given: argparse.Namespace) -> str:
    request = arguments.gate_request(given)
    source = arguments.source(given)
    console.set_up()
    int8 = quantization_aware(source, settings(given), folder(given), given.resume)
    table = layer_table(executed_layers(int8.ir.read()))
    bundle = publish_gated(given.output, source, int8, request)
    return "\n".join([table, "", summary(bundle)])


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Give a command what `QatSettings` are made from, and whether to go on."""
    group = parser.add_argument_group("quantisation-aware training")
    group.add_argument("--epochs", type=positive, default=_DEFAULTS.epochs)
    group.add_argument(
        "--pictures", type=positive, default=_DEFAULTS.pictures, metavar="N", help="an epoch"
    )
    group.add_argument(
        "--validation-pictures",
        type=positive,
        default=_DEFAULTS.validation_pictures,
        metavar="N",
        help="what the best epoch is chosen on",
    )
    group.add_argument("--batch-size", type=positive, default=_DEFAULTS.batch_size)
    group.add_argument("--rate", type=_weight, default=_DEFAULTS.rate, help="learning rate")
    group.add_argument(
        "--distillation", type=_weight, default=_DEFAULTS.distillation, metavar="WEIGHT",
        help="of the distance from FP32's answers in the loss; 0: none (default: %(default)s)",
    )  # fmt: skip
    group.add_argument("--workers", type=at_least(0), help="processes that make pictures")
    group.add_argument("--threads", type=positive, help="of torch")
    group.add_argument("--resume", action="store_true", help="go on where the training was stopped")


def settings(given: argparse.Namespace) -> QatSettings:
    """The options of `add_settings` and `--backgrounds`."""
    return QatSettings(
        epochs=given.epochs,
        pictures=given.pictures,
        validation_pictures=given.validation_pictures,
        batch_size=given.batch_size,
        rate=given.rate,
        distillation=given.distillation,
        seed=given.seed + _BEYOND_CALIBRATION,
        backgrounds=given.backgrounds,
        workers=given.workers,
        threads=given.threads,
    )


def folder(given: argparse.Namespace) -> Path:
    """Where the run keeps its files."""
    output: Path = given.output.resolve()
    run: Path = given.run or output.with_name(f"{output.name}-qat")
    return run


def _weight(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number >= 0, got {text}")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 written, 1 the gate refused, 2 something was unusable, 130 stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m compress.qat",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_source(parser)
    add_settings(parser)
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="checkpoints, log and history (OUTPUT-qat)"
    )
    arguments.add_gate(parser)
    given = parser.parse_args(argv)
    return run_command(lambda: _run(given))


if __name__ == "__main__":
    sys.exit(main())
