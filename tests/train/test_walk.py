"""The walk of docs/training.md, from pictures to a report: copied, pasted and run on tiny sizes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.train.commands import ROOT

# What makes it tiny; the rest is run as it is printed.
SMALLER = {
    "--num-images 2000": "--num-images 20",
    "--num-images 500": "--num-images 6",
    "num_epochs: 10": "num_epochs: 1",
    "warmup_epochs: 1}": "warmup_epochs: 0}",
    "    tensorboard --logdir": "    ls",  # it would wait for somebody to look
    "train.benchmark_dataloader --config my.yaml": (
        "train.benchmark_dataloader --config my.yaml --steps 1 --set training.batch_size=4"
    ),
    "--distributed": "--distributed --set training.batch_size=4",
    "--save-dir runs/unseen": "--save-dir runs/unseen --set data.pictures_per_epoch=16",
    "--limit 200": "--limit 4",
    "--family-pictures 200": "--family-pictures 4",
}


def commands() -> str:
    """All that is to be copied, in order, made smaller."""
    text = (ROOT / "docs" / "training.md").read_text("utf-8")
    walk = text.partition("## A walk to copy")[2].partition("## The report")[0]
    lines = [line for line in walk.splitlines() if line.startswith("    ")]
    script = "\n".join(lines)
    for printed, smaller in SMALLER.items():
        assert printed in script, printed
        script = script.replace(printed, smaller)
    return "\n".join(line.removeprefix("    ") for line in script.splitlines())


def test_it_leads_from_pictures_to_a_report(tmp_path: Path) -> None:
    (tmp_path / "train").symlink_to(ROOT / "train")  # whose configurations it names
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands()],
        cwd=tmp_path,
        env=os.environ
        | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count("all well") == 1  # the doctor
    for run in ("mine", "unseen", "two"):
        assert (tmp_path / "runs" / run / "best_model.pth").stat().st_size > 0
    report = (tmp_path / "runs" / "mine" / "report" / "report.md").read_text("utf-8")
    assert "6 pictures" in report
    unseen = (tmp_path / "runs" / "unseen" / "report" / "report.md").read_text("utf-8")
    for family in ("heart", "gradient-fill"):
        assert family in unseen
