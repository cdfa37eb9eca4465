from __future__ import annotations

import io
import logging
import re
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.train.monitor import runs
from train import history
from train.monitor import Monitor, NullMonitor, console

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"


def watched(tmp_path: Path, steps: int = 4) -> None:
    """An epoch of `steps` steps, a validation and the end of the epoch, without TensorBoard."""
    config = runs.config(tmp_path, tensorboard=False)
    state = runs.state(config)
    monitor = Monitor(config, tmp_path, state)
    with monitor.epoch():
        for _ in range(steps):
            runs.make_step(monitor, state)
    monitor.validated(runs.report())
    monitor.epoch_done({"train_loss": 1.5, "val_mae": 2.0, "best_mae": 2.0}, is_best=True)
    monitor.close()


def log_lines(folder: Path) -> list[str]:
    (path,) = folder.glob("training_*.log")
    return path.read_text("utf-8").splitlines()


def test_a_report_is_one_line_with_every_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.set_up()
    watched(tmp_path)
    lines = log_lines(tmp_path)
    # The first three steps; 11 of the run's 15 are left, 2 s each.
    assert re.fullmatch(
        rf"{STAMP} - train\.monitor\.console - INFO - epoch: 1, step: 3, lr: 0\.0003, "
        r"loss: 2\.0000, heatmap: 4\.0000, location: 6\.0000, expected: 8\.0000, offset: 10\.0000, "
        r"angle: 12\.0000, shape: 14\.0000, centre: 16\.0000, "
        r"data: 0\.2500, batch: 2\.0000, eta: 0:00:24, mem: \d+\.\d\dG",
        lines[0],
    )
    assert "epoch: 1, step: 4, lr: 0.0004, loss: 4.0000" in lines[1]
    assert "tp: 1, fp: 0, fn: 0, tn: 1, precision: 1.0000" in lines[2]
    assert "epoch: 1 done, train_loss: 1.5000, val_mae: 2.0000" in lines[3]
    assert lines[3].endswith("(best)")
    assert len(lines) == 4
    assert capsys.readouterr().out.splitlines() == lines


def test_the_file_is_of_the_day_and_is_continued(tmp_path: Path) -> None:
    console.set_up()
    watched(tmp_path)
    watched(tmp_path)
    assert [p.name for p in tmp_path.glob("*.log")] == [f"training_{datetime.now():%Y%m%d}.log"]
    assert len(log_lines(tmp_path)) == 8


def test_midnight_begins_another_file(tmp_path: Path) -> None:
    handler = console.DailyFile(tmp_path)
    for day in (3, 4):
        record = logging.makeLogRecord({"msg": f"day {day}", "levelname": "INFO"})
        record.created = datetime(2031, 5, day, 12).timestamp()
        handler.emit(record)
    handler.close()
    for day in (3, 4):
        text = (tmp_path / f"training_2031050{day}.log").read_text("utf-8")
        assert text.rstrip().endswith(f"day {day}")
        assert text.count("\n") == 1


def test_a_terminal_gets_a_bar_and_the_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    console.set_up()
    watched(tmp_path)
    shown = terminal.getvalue()
    assert "epoch 1/3" in shown
    assert "4/5" in shown
    assert re.search(r"loss=4\.0000.*lr=4\.00e-04.*eta=0:00:22.*mem=\d+\.\d\dG", shown)
    assert capsys.readouterr().out.count("step: 3") == 1


def test_the_log_goes_on_without_the_file_after_closing(tmp_path: Path) -> None:
    console.set_up()
    watched(tmp_path)
    before = log_lines(tmp_path)
    logging.getLogger("train").info("after")
    assert log_lines(tmp_path) == before


def test_other_ranks_only_warn(capsys: pytest.CaptureFixture[str]) -> None:
    console.set_up(rank=1)
    logging.getLogger("train.loop").info("quiet")
    logging.getLogger("train.loop").warning("heard")
    assert re.fullmatch(rf"{STAMP} - train\.loop - WARNING - heard\n", capsys.readouterr().out)


def test_an_epoch_goes_into_the_history(tmp_path: Path) -> None:
    watched(tmp_path)
    (entry,) = history.read(tmp_path)
    assert entry["epoch"] == 1
    assert entry["lr"] == pytest.approx(4e-4)
    assert entry["val_mae"] == 2.0
    assert entry["seconds"] > 0


def test_an_epoch_without_validation_does_not_repeat_the_last_one(tmp_path: Path) -> None:
    config = runs.config(tmp_path, tensorboard=False)
    state = runs.state(config)
    monitor = Monitor(config, tmp_path, state)
    metrics = {"train_loss": 1.5, "val_mae": 2.0, "best_mae": 2.0}
    for validates in (True, False):
        with monitor.epoch():
            runs.make_step(monitor, state)
        if validates:
            monitor.validated(runs.report())
        monitor.epoch_done(metrics, is_best=False)
        state.epoch += 1
    monitor.close()
    first, second = history.read(tmp_path)
    assert first["val_mae"] == 2.0
    assert "val_mae" not in second
    assert second["train_loss"] == 1.5


def test_the_null_monitor_takes_every_call_and_writes_nothing(tmp_path: Path) -> None:
    monitor = NullMonitor()
    config = runs.config(tmp_path)
    state = runs.state(config)
    with monitor.epoch():
        assert not runs.make_step(monitor, state)
    monitor.validated(runs.report())
    monitor.epoch_done({"train_loss": 1.0}, is_best=False)
    monitor.close()
    assert not list(tmp_path.iterdir())
    methods = {name for name in vars(Monitor) if not name.startswith("_")}
    assert methods == {name for name in vars(NullMonitor) if not name.startswith("_")}
