import pytest

from train import summary
from train.config import EdgeConfig


def test_rows_against_hand_counts() -> None:
    config = EdgeConfig(
        widths=(4, 6, 8, 10),
        stem_width=5,
        stage2=((1, 0),),
        stage3=((0, 0, 0),),
        stage4=((0, 0, 0, 0),),
        fpn_width=8,
    )
    rows = {row.name: row for row in summary.summarise(config)}
    stem = (4 * 5 * 9 + 5) + (5 * 4 * 9 + 4)
    assert rows["stem"].parameters == stem
    assert rows["stem"].macs == 4 * 5 * 9 * 128 * 256 + 5 * 4 * 9 * 64 * 128
    # The transition, one block at stride 4, one exchange between the two branches.
    stage2 = (4 * 6 * 9 + 6) + (4 * 4 * 9 + 4) + (4 * 6 * 9 + 6) + (6 * 4 + 4)
    assert rows["stage 2"].parameters == stage2
    assert rows["stage 2"].macs == 2 * 4 * 6 * 9 * 2048 + 4 * 4 * 9 * 8192 + 6 * 4 * 2048
    head = (8 * 8 * 9 + 8) + (8 * 24 + 24)  # six channels of four cells each
    assert rows["DualHead"].parameters == head
    # Two strided convolutions, four blocks and the last one, a 1×1.
    angle = (6 * 32 * 9 + 32) + (8 * 32 * 9 + 32) + 4 * (32 * 32 * 9 + 32) + (32 * 2 + 2)
    assert rows["AngleHead"].parameters == angle
    macs = (6 * 32 * 9 + 8 * 32 * 9 + 4 * 32 * 32 * 9 + 32 * 2) * 16 * 32
    assert rows["AngleHead"].macs == macs
    assert rows["total"].reference_parameters == 3_284_846
    assert rows["total"].macs == sum(row.macs for row in rows.values()) / 2


def test_the_command_prints_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert summary.main([]) == 0
    printed = capsys.readouterr().out
    for word in (
        "stem",
        "stage 2",
        "stage 3",
        "stage 4",
        "LiteFPN",
        "DualHead",
        "AngleHead",
        "1,701,568",
    ):
        assert word in printed


def test_the_command_refuses_a_bad_config(tmp_path, capsys) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("modle: {}\n")
    assert summary.main(["--config", str(path)]) == 2
    assert "modle" in capsys.readouterr().err
