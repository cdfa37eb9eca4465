"""What a run folder tells about its training: one JSON line an epoch in `history.jsonl`.

A line holds "epoch" (from 1), "lr", "seconds" (what the epoch took) and every metric of that epoch
("train_loss", "val_loss", "val_mae", "val_acc_5px", …); a metric without a value is null. A resumed
run appends: a line takes the place of all earlier ones of its epoch and of later epochs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train import checkpoint
from train.checkpoint import CheckpointError

FILE_NAME = "history.jsonl"
# The configuration document's own limit for calling overfitting slight.
SLIGHT_OVERFITTING = 0.10

Epoch = dict[str, float]


def append(
    save_dir: Path, epoch: int, lr: float, seconds: float, metrics: Mapping[str, float]
) -> None:
    """Add a finished epoch to the history in a run folder.

    Raises:
        OSError: the file cannot be written.
    """
    entry: dict[str, float] = {"epoch": epoch, "lr": lr, "seconds": seconds, **metrics}
    finite = {key: value if math.isfinite(value) else None for key, value in entry.items()}
    with (save_dir / FILE_NAME).open("a", encoding="utf-8") as file:
        file.write(json.dumps(finite) + "\n")


def read(run_dir: Path) -> list[Epoch]:
    """The epochs of a run folder in order, each a mapping of numbers (nan where there was none).

    Empty without a history. A line that a power cut left half-written is skipped.
    """
    path = run_dir / FILE_NAME
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []
    epochs: list[Epoch] = []
    for entry in filter(None, map(_parse, lines)):
        epochs = [earlier for earlier in epochs if earlier["epoch"] < entry["epoch"]]
        epochs.append(entry)
    return epochs


def of_checkpoints(paths: Iterable[Path]) -> list[Epoch]:
    """What checkpoints hold of their own epochs, for a run without a history.

    Files that are missing or no checkpoints are skipped.
    """
    epochs: dict[int, Epoch] = {}
    for path in paths:
        try:
            saved = checkpoint.load(path)
        except CheckpointError:
            continue
        if isinstance(saved["metrics"], dict) and saved["epoch"]:
            epochs[saved["epoch"]] = _numbers({**saved["metrics"], "epoch": saved["epoch"]})
    return [epochs[number] for number in sorted(epochs)]


def _parse(line: str) -> Epoch | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or not isinstance(values.get("epoch"), int):
        return None
    return _numbers(values)


def _numbers(values: Mapping[str, Any]) -> Epoch:
    plain = {key: math.nan if value is None else value for key, value in values.items()}
    return {key: value for key, value in plain.items() if isinstance(value, int | float)}


@dataclass(frozen=True)
class Training:
    """A training in a few figures; nan where the run folder does not tell.

    Attributes:
        epochs: finished ones.
        seconds: what they took, together.
        best_epoch, best_mae_px: the one with the lowest validation MAE, and that MAE.
        final_mae_px: validation MAE of the last epoch that was validated.
        train_loss, val_loss: of that same epoch.
    """

    epochs: int
    seconds: float
    best_epoch: float
    best_mae_px: float
    final_mae_px: float
    train_loss: float
    val_loss: float

    @property
    def overfitting(self) -> float:
        """How much higher the loss is in validation than in training: 0.1 is ten per cent."""
        return self.val_loss / self.train_loss - 1 if self.train_loss else math.nan

    @property
    def verdict(self) -> str:
        """`overfitting` in a word."""
        if math.isnan(self.overfitting):
            return "unknown"
        if self.overfitting <= 0:
            return "none"
        return "slight" if self.overfitting < SLIGHT_OVERFITTING else "marked"


def summarise(epochs: list[Epoch]) -> Training | None:
    """The figures of a history; None for an empty one."""
    if not epochs:
        return None
    validated = [e for e in epochs if math.isfinite(e.get("val_mae", math.nan))]
    best = min(validated, key=lambda e: e["val_mae"], default={})
    final = validated[-1] if validated else epochs[-1]
    return Training(
        epochs=int(epochs[-1]["epoch"]),
        seconds=sum(e.get("seconds", math.nan) for e in epochs),
        best_epoch=best.get("epoch", math.nan),
        best_mae_px=best.get("val_mae", math.nan),
        final_mae_px=final.get("val_mae", math.nan),
        train_loss=final.get("train_loss", math.nan),
        val_loss=final.get("val_loss", math.nan),
    )
