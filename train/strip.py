"""Keep only a checkpoint's weights: `python -m train.strip best_model.pth -o weights.pth`.

The result is a quarter of the size (no optimiser, no second copy of the weights) and starts other
trainings (`python -m train --weights weights.pth`) or is exported; it cannot be resumed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from train import checkpoint
from train.checkpoint import CheckpointError


def strip(source: Path, target: Path) -> None:
    """Write the weights that `source` would be exported with, and its configuration, to `target`.

    Raises:
        CheckpointError: `source` is no checkpoint of this project, or `target` cannot be written.
    """
    net, _ = checkpoint.load_model(source)
    saved = checkpoint.load(source)
    kept = {name: saved[name] for name in ("epoch", "global_step", "metrics", "config")}
    empty = dict.fromkeys(checkpoint.REQUIRED_KEYS)
    checkpoint.save(target, empty | kept | {"model_state_dict": net.state_dict()})


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 with one line on stderr when something was unusable."""
    parser = argparse.ArgumentParser(prog="python -m train.strip", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(argv)
    try:
        strip(options.checkpoint, options.output)
    except CheckpointError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
