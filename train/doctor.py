"""Find out why a training does not learn.

Checks label ranges, the round trip from targets to points, losses, output ranges and gradients,
then learns one batch by heart; every check gives a verdict and says what to do.

    python -m train.doctor --config train/configs/smoke.yaml
    python -m train.doctor --config my.yaml --set model.dropout=0.1 --json

Exit code: 0 all well, 1 a check failed, 2 refused with one line that says why.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from train import data
from train.arguments import positive
from train.checks import (
    Finding,
    check_labels,
    check_losses,
    check_outputs,
    check_round_trip,
    check_shapes,
)
from train.config import Config, ConfigError, load_config, parse_config, plain
from train.learning import check_gradients, check_learning
from train.source import Source
from train.state import TrainState

LABELS = 32  # pictures whose labels are looked at
BATCH = 4  # of them learned by heart
STEPS = 60
LEARNING_RATE = 3e-3


def examine(config: Config, source: Source, steps: int = STEPS) -> list[Finding]:
    """All checks, in the order in which one explains the next.

    steps: on the batch that is learned by heart; the network is a fresh one.
    """
    labels = min(LABELS, source.pictures_per_epoch)
    canvas, truth, shapes = looked_at = next(iter(data.loader(source, 0, labels, labels, 0)))
    batch = canvas[:BATCH], truth[:BATCH], shapes[:BATCH]
    state = TrainState(by_heart(config, len(batch[0]), steps), torch.device("cpu"))
    return [
        check_labels(canvas, truth),
        check_shapes(looked_at),
        check_round_trip(truth, (shapes.shape[1], shapes.shape[2])),
        check_losses(looked_at, config.loss),
        check_outputs(state.model, batch[0]),
        *check_gradients(state, batch),
        *check_learning(state, batch, steps),
    ]


def by_heart(config: Config, batch: int, steps: int) -> Config:
    """The same network and losses, trained on one batch alone: nothing that gets in its way."""
    values: dict[str, Any] = plain(config)
    values["model"]["dropout"] = 0.0
    values["data"] |= {"pictures_per_epoch": batch * steps}
    values["training"] |= {
        "batch_size": batch,
        "accumulation_steps": 1,
        "num_epochs": 1,
        "amp": False,
        "optimizer": {"lr": LEARNING_RATE, "weight_decay": 0.0},
        "scheduler": {"type": "CosineAnnealingLR", "warmup_epochs": 0.1},
        "ema": {"enabled": False},
        "freeze": [],
    }
    return parse_config(values)


def text(findings: Sequence[Finding]) -> str:
    """The findings for people, then the verdict."""
    lines = []
    for finding in findings:
        lines.append(f"{'✅' if finding.passed else '❌'} {finding.check}: {finding.seen}")
        if not finding.passed:
            lines.append(f"   → {finding.advice}")
    failed = sum(not finding.passed for finding in findings)
    lines.append(f"{failed} of {len(findings)} checks failed" if failed else "all well")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when all is well, 1 when a check failed, 2 when it could not be made."""
    arguments = _parser().parse_args(argv)
    try:
        config = load_config(arguments.config, arguments.set)
        if config.training.threads is not None:
            torch.set_num_threads(config.training.threads)
        source, _ = data.sources(config)
        findings = examine(config, source, arguments.steps)
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    passed = all(finding.passed for finding in findings)
    if arguments.json:
        plain_findings = [asdict(finding) for finding in findings]
        output = json.dumps({"passed": passed, "checks": plain_findings}, indent=1)
    else:
        output = text(findings)
    sys.stdout.write(output + "\n")
    return 0 if passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.doctor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, help="as for python -m train")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any key")
    parser.add_argument(
        "--steps", type=positive, default=STEPS, help="on the batch learned by heart"
    )
    parser.add_argument("--json", action="store_true", help="findings as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
