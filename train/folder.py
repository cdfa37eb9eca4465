"""A run's folder of checkpoints: which file is written when, and which are kept."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from train import checkpoint, distributed
from train.checkpoint import CheckpointError
from train.config import Config, dump_config

LAST, BEST, CONFIG = "last.pth", "best_model.pth", "config.yaml"
_EPOCH = re.compile(r"epoch_(\d{3,})\.pth")


class CheckpointFolder:
    """Written to by the first rank alone; every rank makes the calls, and an error reaches all.

    Raises:
        CheckpointError: by everything that writes; files written before are whole.
    """

    def __init__(self, config: Config) -> None:
        """Makes the folder and writes `config.yaml` into it."""
        self._settings = config.checkpoints
        self.path = Path(config.checkpoints.save_dir)
        self._saved = time.monotonic()
        distributed.on_main(lambda: self._open(dump_config(config)))

    @property
    def last_is_due(self) -> bool:
        """Whether the configured minutes have gone since `last.pth` was written."""
        return time.monotonic() - self._saved >= 60 * self._settings.save_minutes

    def save_last(self, content: dict[str, Any]) -> None:
        """Writes `last.pth`, from which an interrupted run continues."""
        self._write([LAST], content)

    def save_epoch(self, content: dict[str, Any], is_best: bool) -> None:
        """Writes what is due after an epoch, and removes what is no longer kept."""
        names = [BEST] if is_best and self._settings.save_best else []
        if content["epoch"] % self._settings.save_interval == 0:
            names.append(f"epoch_{content['epoch']:03}.pth")
        # The one that a run continues from comes last: it says which was the best.
        self._write([*names, LAST], content)
        distributed.on_main(lambda: self._remove_old(content["epoch"]))

    def _open(self, config: str) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot be made: {error.strerror}") from error
        checkpoint.write(self.path / CONFIG, config.encode())

    def _write(self, names: list[str], content: dict[str, Any]) -> None:
        def write() -> None:
            serialised = checkpoint.serialised(content)
            for name in names:
                checkpoint.write(self.path / name, serialised)

        distributed.on_main(write)
        self._saved = time.monotonic()

    def _remove_old(self, epoch: int) -> None:
        """Keeps the newest of this run; later numbers are another's until it gets there."""
        found = {
            int(match[1]): path
            for path in self.path.iterdir()
            if (match := _EPOCH.fullmatch(path.name))
        }
        reached = sorted(number for number in found if number <= epoch)
        for number in reached[: -self._settings.keep_last]:
            found[number].unlink()
