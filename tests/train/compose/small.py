"""Layers to test with."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from train.compose.dice import Dice
from train.compose.layers import draw_layers
from train.synth import SynthOptions

OPTIONS = SynthOptions(leave_out=frozenset({"blur-fill"}))


def layers_of(index: int, options: SynthOptions = OPTIONS) -> dict[str, NDArray[Any]]:
    layers = draw_layers(3, index, options, None)
    assert layers is not None
    return layers


def dice(count: int, seed: int = 1) -> Dice:
    return Dice(count, torch.Generator().manual_seed(seed))
