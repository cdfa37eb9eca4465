from __future__ import annotations

import json

from compress import sensitivity
from compress.layers import groups
from compress.sensitivity import ALL_FP32, ALL_INT8, Row, proposal


def test_the_command_tries_every_part(checkpoint_path, tmp_path, monkeypatch, capsys):
    parts = {name: groups()[name] for name in ("stem", "head")}
    monkeypatch.setattr(sensitivity, "groups", lambda: {**parts, "absent": "no such layer"})
    monkeypatch.setattr(sensitivity, "_LATENCY_S", 0.01)
    path = tmp_path / "rows.json"
    arguments = ["--calibration-pictures", "2", "--pictures", "3", "--json", str(path)]
    assert sensitivity.main([str(checkpoint_path), *arguments]) == 0
    rows = {row["floating"]: row for row in json.loads(path.read_text())["rows"]}
    assert rows.keys() == {ALL_FP32, ALL_INT8, "stem", "head"}
    assert rows[ALL_FP32]["shift_p99_px"] == 0
    assert rows[ALL_INT8]["shift_p99_px"] > 0
    assert (rows["stem"]["layers"], rows["head"]["layers"]) == (2, 2)
    assert len({row["mae_px"] for row in rows.values()}) == 4, "four different networks ran"
    out = capsys.readouterr().out
    assert r"(^|\.)stem\." in out
    assert "pays: " in out or "no part pays" in out


def _rows(*parts: Row) -> list[Row]:
    fp32 = Row(ALL_FP32, "", 0, mae_px=1.0, shift_p99_px=0.0, p50_ms=9.0)
    return [fp32, Row(ALL_INT8, "", 0, mae_px=2.0, shift_p99_px=10.0, p50_ms=4.0), *parts]


def test_a_part_is_proposed_where_it_gives_back_more_than_it_costs():
    pays = Row("head", "HEAD", 2, mae_px=1.5, shift_p99_px=9.9, p50_ms=4.1)
    much = Row("stem", "STEM", 2, mae_px=2.0, shift_p99_px=1.0, p50_ms=4.1)
    dear = Row("fpn", "FPN", 2, mae_px=1.5, shift_p99_px=9.0, p50_ms=5.0)
    little = Row("fusion", "FUSION", 2, mae_px=1.95, shift_p99_px=9.9, p50_ms=4.0)
    assert proposal(_rows(pays, much, dear, little)) == ["STEM", "HEAD"]
    assert proposal(_rows(dear, little)) == []
