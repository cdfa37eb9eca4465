"""The console of a run: a progress bar on a terminal, a line a minute in a log file."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from types import TracebackType

from tqdm import tqdm

log = logging.getLogger("train")

LOG_SECONDS = 60.0


def set_up() -> None:
    """Sends the log to stdout: time, module, level, text."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


class EpochProgress:
    """Progress through one epoch of `steps` steps, of which `done` were made before.

    `run_steps` are the steps left of the whole run, for the time it will still take.
    """

    def __init__(self, label: str, done: int, steps: int, run_steps: int, batch: int) -> None:
        self._label, self._batch = label, batch
        self._done, self._steps, self._run_steps = done, steps, run_steps
        self._made = 0
        self._began = self._logged = time.monotonic()
        self._bar = tqdm(total=steps, initial=done, desc=label, disable=None)

    def __enter__(self) -> EpochProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def step(self, means: Mapping[str, float], rate: float) -> None:
        """Reports one more step: mean losses of the epoch so far and the learning rate."""
        self._made += 1
        now = time.monotonic()
        per_step_s = (now - self._began) / self._made
        shown = {name: f"{value:.4f}" for name, value in means.items()}
        shown["lr"] = f"{rate:.2e}"
        shown["pictures/s"] = f"{self._batch / per_step_s:.1f}"
        shown["eta"] = f"{(self._run_steps - self._made) * per_step_s / 60:.0f} min"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()
        if self._bar.disable and now - self._logged >= LOG_SECONDS:
            text = "  ".join(f"{name} {value}" for name, value in shown.items())
            log.info("%s step %d/%d  %s", self._label, self._done + self._made, self._steps, text)
            self._logged = now
