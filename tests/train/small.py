"""A network and a run small enough for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train.config import Config, parse_config

SMALL: dict[str, Any] = {
    "widths": [4, 6, 8, 10],
    "stem_width": 4,
    "stage2": [[1, 0]],
    "stage3": [[0, 0, 1]],
    "stage4": [[0, 0, 1, 1]],
    "fpn_width": 8,
}


def small_config(save_dir: Path, **sections: dict[str, Any]) -> Config:
    """Three epochs of three steps of two pictures; `sections` override."""
    training = {
        "batch_size": 2,
        "num_epochs": 3,
        "optimizer": {"lr": 1e-2},
        "scheduler": {"type": "CosineAnnealingLR", "warmup_epochs": 1},
        "threads": 1,
    }
    return parse_config(
        {
            **sections,
            "model": SMALL | sections.get("model", {}),
            "training": training | sections.get("training", {}),
            "data": {
                "pictures_per_epoch": 6,
                "validation_pictures": 5,
                "workers": 0,
                **sections.get("data", {}),
            },
            "checkpoints": {"save_dir": str(save_dir), **sections.get("checkpoints", {})},
        }
    )
