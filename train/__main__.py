"""`python -m train`: train the network as a configuration says."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from train import checkpoint, data, distributed, loop
from train.checkpoint import CheckpointError
from train.config import ConfigError, load_config
from train.entries import DataError
from train.monitor import console
from train.prefill import prefill
from train.stop import stop_on_signals

INTERRUPTED = 130

DESCRIPTION = """\
Train the network as a configuration says.

A configuration is a YAML file of overrides over the defaults, which train/config documents; an
empty file will do. Pictures are generated while training, or come from COCO-keypoints data sets.
"""

EPILOG = """\
examples:
  python -m train --config train/configs/smoke.yaml            everything once, in minutes
  python -m train --config my.yaml --backgrounds my/photos     generate over photographs
  python -m train --config my.yaml --set training.optimizer.lr=1e-3 --set data.seed=7
  python -m train --config my.yaml --set data.dataset=data/train \\
      --set data.validation_dataset=data/val                   train on a data set
  python -m train --config my.yaml --resume runs/my/last.pth   go on after an interruption
  torchrun --nproc-per-node 2 -m train --config my.yaml --distributed
                                                               two processes or GPUs as one

what a run leaves in checkpoints.save_dir:
  config.yaml              the whole configuration, defaults included
  last.pth                 after every epoch, every checkpoints.save_minutes and when stopped
  best_model.pth           the lowest validation error; what compress.ptq takes
  epoch_001.pth ...        the newest checkpoints.keep_last of them
  training_YYYYMMDD.log    what the console showed
  history.jsonl            every epoch's figures, a JSON object a line
  tensorboard/             tensorboard --logdir SAVE_DIR/tensorboard

Ctrl-C (SIGINT) or SIGTERM lets the step finish and writes last.pth; a second one ends at once.
Exit code: 0 trained to the end, 2 refused with one line that says why, 130 stopped.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code (0 done, 2 refused, 130 interrupted)."""
    options = _parser().parse_args(arguments)
    speaks = True
    try:
        with distributed.process_group(options.distributed), stop_on_signals() as stop:
            speaks = distributed.is_main()
            console.set_up(distributed.rank())
            config = load_config(options.config, _overrides(options))
            for path in (options.resume, options.weights):
                if path is not None:  # refused before pictures are drawn, which takes minutes
                    checkpoint.load(path)
            sources = data.sources(config)
            prefill(sources, stop)
            finished = loop.run(config, *sources, stop, options.resume, options.weights)
    except (ConfigError, CheckpointError, DataError, FloatingPointError, OSError) as error:
        if speaks:
            print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if finished else INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, help="YAML file of overrides")
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--resume",
        type=Path,
        metavar="LAST.PTH",
        help="continue that run with its own settings, bit for bit on a CPU",
    )
    start.add_argument(
        "--weights",
        type=Path,
        metavar="FILE.PTH",
        help="start a new run from this checkpoint's (averaged) weights",
    )
    parser.add_argument(
        "--amp",
        action="store_true",
        help="mixed precision: float16 on CUDA, bfloat16 on a CPU that has it",
    )
    parser.add_argument(
        "--distributed",
        action="store_true",
        help="train together with the other processes that torchrun started",
    )
    parser.add_argument("--save-dir", metavar="DIR", help="checkpoints.save_dir")
    parser.add_argument(
        "--backgrounds", metavar="DIR", help="data.backgrounds: a folder of photographs"
    )
    parser.add_argument(
        "--leave-out",
        nargs="+",
        metavar="FAMILY",
        help="data.leave_out: style families never shown, for train.evaluate --families to ask for",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any key, e.g. data.seed=7; may be repeated, wins over the file",
    )
    return parser


def _overrides(options: argparse.Namespace) -> list[str]:
    overrides: list[str] = list(options.set)
    if options.amp:
        overrides.append("training.amp=true")
    # Quoted, so that YAML cannot take a path for a number or a list.
    if options.save_dir is not None:
        overrides.append(f"checkpoints.save_dir={json.dumps(options.save_dir)}")
    if options.backgrounds is not None:
        overrides.append(f"data.backgrounds={json.dumps(options.backgrounds)}")
    if options.leave_out is not None:
        overrides.append(f"data.leave_out={json.dumps(options.leave_out)}")
    return overrides


if __name__ == "__main__":
    sys.exit(main())
