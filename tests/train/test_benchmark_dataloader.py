from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.train.datasets import write_dataset
from tests.train.small import small_config
from train import benchmark_dataloader as benchmark
from train import data
from train.canvas import Item
from train.config import Config, dump_config

STAGES = ["generating", "decoding", "letterboxing", "augmenting", "collating"]
KINDS = ["memory", "folder", "cache", "on the fly"]


def config_file(folder: Path, **section: Any) -> str:
    config = small_config(folder / "run", data=section)
    (folder / "config.yaml").write_text(dump_config(config))
    return str(folder / "config.yaml")


def test_it_prints_both_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--config", config_file(tmp_path), "--pictures", "4", "--steps", "1"]
    assert benchmark.main(options) == 0
    first, second = capsys.readouterr().out.split("\n\n")
    assert [line.split()[0] for line in first.splitlines()[1:]] == STAGES
    lines = second.splitlines()[1:]
    assert [line.startswith(kind) for line, kind in zip(lines, KINDS, strict=True)] == [True] * 4
    assert "100%" in lines[0]


def test_json_of_a_data_set_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset(tmp_path)
    path = str(tmp_path)
    section = {"dataset": path, "validation_dataset": path, "pictures_per_epoch": 2, "workers": 2}
    file = config_file(tmp_path, **section)
    assert benchmark.main(["--config", file, "--steps", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["stages_ms"]) == STAGES
    assert all(ms > 0 for ms in result["stages_ms"].values())
    rows = result["throughput"]
    assert [row["source"] for row in rows] == KINDS
    for row in rows:
        together = row["waiting_ms"] + row["training_ms"]
        assert row["pictures_per_s"] == pytest.approx(1000 / together)
        assert row["of_memory"] == pytest.approx(row["pictures_per_s"] / rows[0]["pictures_per_s"])
    assert rows[0]["waiting_ms"] < 1


def sources_of(tmp_path: Path) -> tuple[Config, benchmark.Sources]:
    config = small_config(tmp_path / "run")
    return config, benchmark.make_sources(config, 4, tmp_path)


def test_a_slow_stage_is_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sources = sources_of(tmp_path)

    def slow(canvas: Any, truth: Any, shapes: Any, *_: Any) -> Item:
        time.sleep(0.3)
        return canvas, truth, shapes

    monkeypatch.setattr(benchmark, "augment", slow)
    stages = benchmark.stage_ms(sources, 2)
    assert max(stages, key=stages.__getitem__) == "augmenting"
    assert stages["augmenting"] >= 300


def test_a_slow_source_shows_as_waiting_and_a_cache_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, sources = sources_of(tmp_path)
    really = data.CocoPictures.sample

    def slow(source: data.CocoPictures, number: int) -> Any:
        time.sleep(0.3)
        return really(source, number)

    monkeypatch.setattr(data.CocoPictures, "sample", slow)
    rows = {row.source: row for row in benchmark.compare(config, sources, 2)}
    assert rows["folder"].waiting_ms >= 300
    assert rows["cache"].waiting_ms < 300
    assert rows["folder"].of_memory < rows["cache"].of_memory


def test_what_is_wrong_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = config_file(tmp_path)
    assert benchmark.main(["--config", file, "--set", "data.leave_out=[hart]"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert "hart" in message
