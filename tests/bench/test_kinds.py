"""Both kinds on one budget, a tiny one."""

import json

from bench import kinds, report
from train.stop import StopFlag

SMALL = {
    "edge": {"widths": [4, 6, 8, 10], "stem_width": 4, "fpn_width": 8},
    "paper": {"kind": "paper", "widths": [8, 8, 16, 16], "stem_width": 8, "fpn_width": 8},
}


def test_both_are_trained_on_the_same_pictures(tmp_path, monkeypatch):
    common = kinds.budget(pictures=32, validation_pictures=4, threads=1)
    common["data"]["workers"] = 0
    found = kinds.train_both(common, SMALL, StopFlag())
    assert list(found) == ["edge", "paper"]
    for one in found.values():
        assert one["pictures"] == 32
        assert 0 <= one["val_acc_5px_gap"] <= one["val_acc_10px"] <= 1 or one["val_mae"] > 0
        assert one["parameters"] > 1000
    (tmp_path / report.KINDS).write_text(json.dumps({"kinds": found}))
    monkeypatch.setattr(report, "DOCS", tmp_path)
    (section,) = report._kinds()
    assert "| paper |" in section
