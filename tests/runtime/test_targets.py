"""The targets: what the file says, and what meets one."""

import tomllib
from pathlib import Path

import pytest

import runtime
from runtime.targets import CAPPED, TWO_THREADS, Target, target, targets


def test_the_targets_are_those_of_the_file():
    path = Path(runtime.__file__).parent / "targets.toml"
    read = [{k: v for k, v in vars(one).items() if v is not None} for one in targets()]
    assert read == tomllib.loads(path.read_text())["target"]


def test_one_target_is_found_by_class_and_metric():
    assert target(CAPPED, "times_faster_than_fp32").at_least == 2.5
    assert target(TWO_THREADS, "times_faster_than_fp32").at_least == 2.8
    with pytest.raises(KeyError, match="no target for accuracy_9px on anywhere"):
        target("anywhere", "accuracy_9px")


@pytest.mark.parametrize(
    ("limits", "value", "met", "aim_met"),
    [
        ({"at_most": 4, "aim": 2}, 4, True, False),
        ({"at_most": 4, "aim": 2}, 2, True, True),
        ({"at_most": 4}, 4.1, False, False),
        ({"at_most": 4}, 3, True, True),
        ({"at_least": 4, "aim": 5}, 4, True, False),
        ({"at_least": 4, "aim": 5}, 3.9, False, False),
        ({"at_least": 4}, 4, True, True),
        ({"at_most": 4}, float("nan"), False, False),
    ],
)
def test_what_meets_a_target(limits, value, met, aim_met):
    one = Target("anywhere", ["int8"], "mae_px", "mean", **limits)
    assert (one.met_by(value), one.aim_met_by(value)) == (met, aim_met)


@pytest.mark.parametrize(
    "limits",
    [{}, {"at_most": 1, "at_least": 1}, {"at_most": 1, "aim": 2}, {"at_least": 2, "aim": 1}],
)
def test_a_target_that_cannot_be(limits):
    with pytest.raises(ValueError, match="mae_px on anywhere"):
        Target("anywhere", ["int8"], "mae_px", "mean", **limits)
