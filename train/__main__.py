"""`python -m train`: train the network as a configuration says."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from train import data, loop
from train.checkpoint import CheckpointError
from train.config import ConfigError, load_config
from train.monitor import console
from train.stop import stop_on_signals

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code (0 done, 2 refused, 130 interrupted)."""
    options = _parser().parse_args(arguments)
    console.set_up()
    try:
        config = load_config(options.config, _overrides(options))
        train_set, validation_set = data.datasets(config.data)
        with stop_on_signals() as stop:
            finished = loop.run(
                config, train_set, validation_set, stop, options.resume, options.weights
            )
    except (ConfigError, CheckpointError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if finished else INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="YAML file of overrides")
    parser.add_argument("--resume", type=Path, help="continue from this last.pth")
    parser.add_argument("--weights", type=Path, help="start from this checkpoint's weights")
    parser.add_argument("--amp", action="store_true", help="bfloat16 where the machine has it")
    parser.add_argument("--save-dir", help="checkpoints.save_dir")
    parser.add_argument("--backgrounds", help="data.backgrounds: a folder of photographs")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any key, e.g. data.seed=7"
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
    return overrides


if __name__ == "__main__":
    sys.exit(main())
