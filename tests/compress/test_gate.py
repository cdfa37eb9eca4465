from __future__ import annotations

import math
from dataclasses import replace

import pytest

from compress.agreement import compared
from compress.errors import CompressionError
from compress.gate import FIGURES, TOLERANCES, Check, load_tolerances
from tests.train.answered import add, answer
from tests.train.fakes import sample
from train.outcomes import Outcomes

GAP, SLIDER = (200.0, 90.0), (40.0, 90.0)  # where the fake pictures have them


def _outcomes(gaps: list[tuple[float, float]], sliders: list[tuple[float, float]]) -> Outcomes:
    """A normal picture, one without a gap, an ambiguous one, a rotated one."""
    pictures = (
        sample(angle_deg=0.0),
        sample(gap=None, angle_deg=None, difficulty="negative"),
        sample(difficulty="ambiguous", angle_deg=0.0),
        sample(difficulty="rotated", angle_deg=30.0),
    )
    outcomes = Outcomes()
    for one, gap, slider in zip(pictures, gaps, sliders, strict=True):
        add(outcomes, one, answer(gap, slider))
    return outcomes


FP32 = _outcomes([GAP, (1.0, 1.0), (300.0, 90.0), (203.0, 94.0)], [SLIDER] * 4)
INT8 = _outcomes(
    [(203.0, 94.0), (99.0, 1.0), (9.0, 9.0), (203.0, 94.0)],
    [SLIDER, (40.0, 91.0), SLIDER, (40.0, 92.0)],
)


def test_figures_are_those_computed_by_hand():
    figures = compared(FP32, INT8)
    # Points asked for: gap and slider of pictures 1 and 4, slider of picture 2.
    assert figures["mae_px"] == pytest.approx((5 + 0 + 1 + 5 + 2) / 5)
    assert figures["mae_added_px"] == pytest.approx((5 + 1 + 2) / 5)
    assert figures["accuracy_1px"] == pytest.approx(2 / 5)
    assert figures["accuracy_lost_1px"] == pytest.approx(4 / 5 - 2 / 5)
    # Of a picture, the point that moved more: 5, 1, 2.
    assert figures["pictures"] == 3
    assert figures["shift_p50_px"] == 2
    assert figures["shift_max_px"] == 5
    assert figures["shift_p99_px"] == pytest.approx(2 + 0.98 * 3)
    assert figures["points"]["gap"]["shift_max_px"] == 5
    assert figures["points"]["slider"]["shift_p50_px"] == 1
    assert figures["classes"]["rotated"]["shift_max_px"] == 2
    assert figures["classes"]["negative"]["shift_max_px"] == 1
    assert figures["classes"]["ambiguous"]["shift_max_px"] == 0


def test_shifts_where_fp32_is_right_leave_its_misses_out():
    lost = _outcomes([GAP, (1.0, 1.0), (300.0, 90.0), (250.0, 90.0)], [SLIDER] * 4)
    assert compared(lost, INT8)["shift_p99_px"] > 40
    assert compared(lost, INT8)["shift_right_p99_px"] == pytest.approx(1 + 0.99 * 4)


def test_against_itself_nothing_moves():
    figures = compared(FP32, FP32)
    assert figures["shift_max_px"] == figures["mae_added_px"] == figures["accuracy_lost_5px"] == 0


def test_a_check_passes_up_to_its_limit_and_never_without_a_figure():
    check = Check("int8", "mae_added_px", 0.1, 0.1)
    assert check.passed
    assert not replace(check, value=0.1001).passed
    assert not replace(check, value=math.nan).passed
    assert str(replace(check, value=0.25)) == "int8 mae_added_px 0.25, allowed 0.1"


def test_the_tolerances_that_ship():
    tolerances = load_tolerances(TOLERANCES)
    assert tolerances["int8"]["mae_added_px"] == 0.1
    assert tolerances["int8"]["shift_p99_px"] == 1.0
    assert tolerances.keys() == {"int8", "int8-qdq", "fp16"}
    assert all(limits.keys() <= FIGURES for limits in tolerances.values())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[int8]\nmea_px = 1\n", r"int8\.mea_px is not one of: .*mae_px"),
        ("[int8]\nmae_px = '1'\n", r"int8\.mae_px: expected a number"),
        ("[int8_qdq]\nmae_px = 1\n", r"\[int8_qdq\] is not one of: .*int8-qdq"),
        ("int8 = 3\n", r"expected figures under \[int8\], got 3"),
        ("[int8\n", "cannot be used as tolerances"),
        (None, "cannot be used as tolerances"),
    ],
)
def test_unusable_tolerances(text, says, tmp_path):
    path = tmp_path / "gate.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CompressionError, match=says):
        load_tolerances(path)
