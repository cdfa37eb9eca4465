"""Keep only a checkpoint's weights: `python -m train.strip best_model.pth -o weights.pth`.

The result is a quarter of the size (no optimiser, no second copy of the weights) and starts other
trainings (`python -m train --weights weights.pth`) or is exported; it cannot be resumed. Of the
folders that the training read and wrote, it keeps the last names alone.

Of several checkpoints, the mean of their weights. The mean of runs that started from the same
weights often answers better than each of them and takes no longer to run. Source: Wortsman et al.,
"Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time", 2022.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from train import checkpoint
from train.checkpoint import CheckpointError

# Settings that say where something lies on the machine that trained.
PLACES = (
    ("data", "backgrounds"),
    ("data", "dataset"),
    ("data", "validation_dataset"),
    ("checkpoints", "save_dir"),
)


def strip(sources: Sequence[Path], target: Path) -> None:
    """Write the mean of the weights that `sources` would be exported with to `target`.

    Epoch, step, metrics and configuration are those of the last one.

    Raises:
        CheckpointError: one is no checkpoint of this project, or its network is not that of the
            others; or `target` cannot be written.
    """
    loaded = [checkpoint.load_model(source) for source in sources]
    network = loaded[0][1].model
    for source, (_, config) in zip(sources, loaded, strict=True):
        if config.model != network:
            raise CheckpointError(f"{source}: not the network of {sources[0]}: they have no mean")
    saved = checkpoint.load(sources[-1])
    kept = {name: saved[name] for name in ("epoch", "global_step", "metrics")}
    kept["config"] = _without_places(saved["config"])
    kept["model_state_dict"] = _mean([net.state_dict() for net, _ in loaded])
    checkpoint.save(target, dict.fromkeys(checkpoint.REQUIRED_KEYS) | kept)


def _mean(weights: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    # In float64, so that the order does not matter and one alone stays as it is; counters are the
    # last one's.
    return {
        name: torch.stack([each[name].double() for each in weights]).mean(0).to(last.dtype)
        if last.is_floating_point()
        else last
        for name, last in weights[-1].items()
    }


def _without_places(config: dict[str, Any]) -> dict[str, Any]:
    result = {section: dict(settings) for section, settings in config.items()}
    for section, name in PLACES:
        place = result.get(section, {}).get(name)
        if place is not None:
            result[section][name] = Path(place).name
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 with one line on stderr when something was unusable."""
    parser = argparse.ArgumentParser(
        prog="python -m train.strip",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(argv)
    try:
        strip(options.checkpoints, options.output)
    except CheckpointError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
