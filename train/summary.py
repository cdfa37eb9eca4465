"""`python -m train.summary`: parameters and multiply-accumulates of every stage, folded."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH
from train.config import Config, ConfigError, ModelConfig, load_config
from train.model import build_model, fold

# The configuration document's table, for comparison: attribute of the network, name, parameters.
# There the angle is part of DualHead.
REFERENCE = (
    ("stem", "stem", 20_480),
    ("stage2", "stage 2", 100_864),
    ("stage3", "stage 3", 512_416),
    ("stage4", "stage 4", 1_701_568),
    ("fpn", "LiteFPN", 653_318),
    ("head", "DualHead", 296_200),
    ("angle", "AngleHead", 0),
)


@dataclass(frozen=True)
class Row:
    """One stage: its parameters once folded, its MACs for one picture, the document's number."""

    name: str
    parameters: int
    macs: int
    reference_parameters: int


def summarise(config: ModelConfig) -> list[Row]:
    """The stages of the folded network in order, then their total."""
    net = fold(build_model(config))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 4, CANVAS_HEIGHT, CANVAS_WIDTH))
    flops = counter.get_flop_counts()
    rows = [
        Row(
            name,
            sum(p.numel() for p in net.get_submodule(attribute).parameters()),
            sum(flops[f"{type(net).__name__}.{attribute}"].values()) // 2,
            number,
        )
        for attribute, name, number in REFERENCE
    ]
    total = Row(
        "total",
        sum(row.parameters for row in rows),
        sum(row.macs for row in rows),
        sum(row.reference_parameters for row in rows),
    )
    return [*rows, total]


def format_table(rows: Sequence[Row]) -> str:
    """The rows as an aligned table."""
    lines = [f"{'stage':<10}{'parameters':>12}{'document':>12}{'MMAC':>9}"]
    lines += [
        f"{row.name:<10}{row.parameters:>12,}{row.reference_parameters:>12,}{row.macs / 1e6:>9.1f}"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m train.summary", description=__doc__)
    parser.add_argument("--config", type=Path, help="YAML file; the default network without")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config) if options.config else Config()
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(format_table(summarise(config.model)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
