"""The console of a run and its log file: lines for the record, a progress bar for the eye."""

from __future__ import annotations

import logging
import resource
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import torch
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from train.metrics import ValidationReport
from train.monitor.progress import Progress

log = logging.getLogger(__name__)
_run_log = logging.getLogger("train")
_FORMAT = logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s")


def set_up(rank: int = 0) -> None:
    """Sends the log to stdout: time, module, level, text. Ranks other than 0 only warn."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_FORMAT)
    _run_log.handlers[:] = [handler]
    _run_log.setLevel(logging.INFO if rank == 0 else logging.WARNING)
    _run_log.propagate = False


class DailyFile(logging.FileHandler):
    """Appends to `training_YYYYMMDD.log` in a folder: the file of the day of each record."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        super().__init__(self._path(datetime.now()), encoding="utf-8", delay=True)
        self.setFormatter(_FORMAT)

    def emit(self, record: logging.LogRecord) -> None:
        path = str(self._path(datetime.fromtimestamp(record.created)))
        if path != self.baseFilename:
            self.close()
            self.baseFilename = path
        super().emit(record)

    def _path(self, when: datetime) -> Path:
        return self._folder / f"training_{when:%Y%m%d}.log"


class Console:
    """Lines to the log's handlers and to a dated file in `save_dir`; a bar while in an epoch."""

    def __init__(self, save_dir: Path) -> None:
        self._file = DailyFile(save_dir)
        _run_log.addHandler(self._file)
        self._open = ExitStack()
        self._bar = tqdm(disable=True)

    def open_bar(self, label: str, done: int, steps: int) -> None:
        """A bar on a terminal (nothing elsewhere), under which lines of the log pass unharmed."""
        self._open.enter_context(logging_redirect_tqdm([_run_log]))
        self._bar = self._open.enter_context(
            tqdm(total=steps, initial=done, desc=label, unit="step", disable=None)
        )

    def close_bar(self) -> None:
        """Ends the bar; without one, nothing happens."""
        self._open.close()

    def step(self, losses: Mapping[str, float], rate: float, eta_s: float) -> None:
        """Moves the bar on by a step with these losses."""
        shown = {name: f"{value:.4f}" for name, value in losses.items()}
        shown |= {"lr": f"{rate:.2e}", "eta": _duration(eta_s), "mem": _memory()}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def report(self, progress: Progress) -> None:
        """One line with everything that a report says."""
        fields = {
            "epoch": str(progress.epoch),
            "step": str(progress.step),
            "lr": f"{next(iter(progress.rates.values())):.6g}",
            **{name: f"{value:.4f}" for name, value in progress.losses.items()},
            "data": f"{progress.data_s:.4f}",
            "batch": f"{progress.batch_s:.4f}",
            "eta": _duration(progress.eta_s),
            "mem": _memory(),
        }
        log.info(_line(fields))

    def validated(self, report: ValidationReport) -> None:
        """One line with the gap's answers counted."""
        log.info("validation: %s", report.detection)

    def epoch_done(self, epoch: int, metrics: Mapping[str, float], is_best: bool) -> None:
        """One line with the metrics of an epoch."""
        fields = {name: f"{value:.4f}" for name, value in metrics.items()}
        log.info("%s%s", _line({"epoch": f"{epoch} done", **fields}), " (best)" if is_best else "")

    def close(self) -> None:
        """Closes the file; the log goes on without it."""
        self.close_bar()
        _run_log.removeHandler(self._file)
        self._file.close()


def _line(fields: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in fields.items())


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _memory() -> str:
    """The most memory taken so far: the GPU's by torch, or the process's own without one."""
    if torch.cuda.is_available():
        taken = torch.cuda.max_memory_reserved()
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"{taken / 2**30:.2f}G"
