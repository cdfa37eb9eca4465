import time
from pathlib import Path
from typing import Any

import pytest

from tests.train.small import small_config
from train import checkpoint
from train.checkpoint import CheckpointError
from train.config import load_config
from train.folder import CheckpointFolder


def content(epoch: int) -> dict[str, Any]:
    return dict.fromkeys(checkpoint.REQUIRED_KEYS, 0) | {"epoch": epoch}


def folder(path: Path, **settings: object) -> CheckpointFolder:
    return CheckpointFolder(small_config(path, checkpoints=settings))


def epochs(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.glob("epoch_*"))


def epoch_of(path: Path) -> int:
    return int(checkpoint.load(path)["epoch"])


def test_the_configuration_is_written_first(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "a"
    folder(path)
    assert load_config(path / "config.yaml") == small_config(path)
    assert [entry.name for entry in path.iterdir()] == ["config.yaml"]


def test_the_newest_five_epochs_are_kept(tmp_path: Path) -> None:
    written = folder(tmp_path)
    for epoch in range(1, 9):
        written.save_epoch(content(epoch), is_best=False)
    assert epochs(tmp_path) == [f"epoch_{epoch:03}.pth" for epoch in range(4, 9)]
    assert epoch_of(tmp_path / "epoch_004.pth") == 4
    assert epoch_of(tmp_path / "last.pth") == 8


def test_the_interval_and_the_number_kept_are_configured(tmp_path: Path) -> None:
    written = folder(tmp_path, save_interval=3, keep_last=2)
    for epoch in range(1, 12):
        written.save_epoch(content(epoch), is_best=False)
        assert epoch_of(tmp_path / "last.pth") == epoch
    assert epochs(tmp_path) == ["epoch_006.pth", "epoch_009.pth"]


def test_the_thousandth_epoch_is_newer_than_the_one_before(tmp_path: Path) -> None:
    written = folder(tmp_path, keep_last=1)
    for epoch in (999, 1000):
        written.save_epoch(content(epoch), is_best=False)
    assert epochs(tmp_path) == ["epoch_1000.pth"]


def test_an_earlier_runs_later_epochs_do_not_displace_this_runs(tmp_path: Path) -> None:
    earlier = folder(tmp_path)
    for epoch in range(1, 9):
        earlier.save_epoch(content(epoch), is_best=False)
    again = folder(tmp_path, keep_last=2)
    for epoch in range(1, 5):
        again.save_epoch(content(epoch), is_best=False)
        assert f"epoch_{epoch:03}.pth" in epochs(tmp_path)
    assert epochs(tmp_path)[:2] == ["epoch_003.pth", "epoch_004.pth"]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    written = folder(tmp_path, keep_last=1)
    names = ("epoch_001.pth.bak", "my_epoch_001.pth", "epoch_1.pth")
    for name in names:
        (tmp_path / name).touch()
    written.save_epoch(content(5), is_best=False)
    assert all((tmp_path / name).exists() for name in names)


@pytest.mark.parametrize("save_best", [True, False])
def test_the_best_is_what_it_was_told(tmp_path: Path, save_best: bool) -> None:
    written = folder(tmp_path, save_best=save_best)
    for epoch, is_best in ((1, True), (2, True), (3, False)):
        written.save_epoch(content(epoch), is_best)
    best = tmp_path / "best_model.pth"
    assert best.exists() is save_best
    assert not save_best or epoch_of(best) == 2


def test_last_is_due_after_the_configured_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    written = folder(tmp_path, save_minutes=30)
    for save in (written.save_last, lambda saved: written.save_epoch(saved, False)):
        now += 1799
        assert not written.last_is_due
        now += 1
        assert written.last_is_due
        save(content(1))
        assert not written.last_is_due


def test_a_full_disk_is_one_line_and_every_file_stays_whole(tmp_path: Path) -> None:
    written = folder(tmp_path)
    written.save_epoch(content(1), is_best=True)
    for name in ("last.pth", "best_model.pth", "epoch_002.pth"):
        (tmp_path / f"{name}.tmp").symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match="No space left on device") as caught:
        written.save_epoch(content(2), is_best=True)
    assert "\n" not in str(caught.value)
    for name in ("last.pth", "best_model.pth", "epoch_001.pth"):
        assert epoch_of(tmp_path / name) == 1


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="file/run: cannot be made") as caught:
        folder(tmp_path / "file" / "run")
    assert "\n" not in str(caught.value)
