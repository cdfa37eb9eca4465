"""Configurations of what training shows, and whether it shows the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from train import data
from train.config import Config, parse_config

PLAIN = {"augmentation": {"enabled": False}}


def config(training: dict[str, Any] = PLAIN, **section: Any) -> Config:
    return parse_config({"training": training, "data": section})


def same(first: data.Item, second: data.Item) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
