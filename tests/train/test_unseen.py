"""Short trainings that leave families out, compared on the same pictures."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.train.answered import add, answer
from tests.train.commands import written
from tests.train.fakes import sample
from tests.train.small import small_config
from train import __main__ as training
from train import checkpoint, unseen
from train.outcomes import Outcomes
from train.predictor import CheckpointLocator
from train.synth import Sample

RIGHT, WRONG = ((200.0, 90.0), (40.0, 90.0)), ((206.0, 90.0), (40.0, 90.0))


def outcomes(*answers: tuple[tuple[float, float], tuple[float, float]]) -> Outcomes:
    """Answers to as many pictures of a gap at (200, 90) and a piece at (40, 90), and to one that
    has no right answer."""
    made = Outcomes()
    for gap, slider in answers:
        add(made, sample(angle_deg=0.0), answer(gap, slider))
    add(made, sample(difficulty="ambiguous", angle_deg=0.0), answer((0, 0), (0, 0)))
    return made


def both(shown: Outcomes, unseen_: Outcomes) -> dict[str, Outcomes]:
    return {"shown": shown, "unseen": unseen_}


def test_what_was_lost_is_the_difference_on_the_same_points() -> None:
    alike = both(outcomes(RIGHT), outcomes(RIGHT))
    cost = unseen.compare("star", both(outcomes(RIGHT, RIGHT), outcomes(RIGHT, WRONG)), alike)
    assert (cost.family, cost.points, cost.shown, cost.unseen) == ("star", 4, 1.0, 0.75)
    assert (cost.anyway, cost.lost) == (0.0, 0.25)
    # One of four points differs: a variance of 1/4 - 1/16, over four points.
    assert cost.plus_minus == pytest.approx(1.96 * (3 / 16 / 4) ** 0.5)


def test_no_interval_is_wider_for_both_being_wrong_alike() -> None:
    alike = both(outcomes(RIGHT, WRONG), outcomes(RIGHT, WRONG))
    cost = unseen.compare("star", alike, alike)
    assert (cost.shown, cost.lost, cost.plus_minus) == (0.75, 0.0, 0.0)


def test_a_training_that_is_worse_anyway_lost_nothing() -> None:
    worse = both(outcomes(RIGHT, RIGHT), outcomes(RIGHT, WRONG))
    cost = unseen.compare("star", worse, worse)
    assert (cost.shown, cost.unseen, cost.anyway, cost.lost) == (1.0, 0.75, 0.25, 0.0)
    assert cost.plus_minus == pytest.approx(1.96 * (2 * 3 / 16 / 4) ** 0.5)


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    config = small_config(
        tmp_path,
        training={"num_epochs": 1},
        data={"pictures_per_epoch": 2, "validation_pictures": 1, "canvas_scale": 2},
        monitor={"tensorboard": False},
    )
    path = written(config, tmp_path / "config.yaml")
    out = ["-o", str(tmp_path / "out"), "--pictures", "3"]
    return ["--config", str(path), *out, "--leave-out", "star", "faint", "--leave-out", "cross"]


def test_trains_once_compares_and_goes_on(
    command: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert unseen.main(command) == 0
    printed = capsys.readouterr().out
    out = tmp_path / "out"
    left_out = {
        path.parent.name: checkpoint.load(path)["config"]["data"]["leave_out"]
        for path in out.glob("*/last.pth")
    }
    assert left_out == {"without-star-faint": ["star", "faint"], "without-cross": ["cross"]}
    costs = json.loads((out / "unseen.json").read_text())
    assert {cost["family"] for cost in costs} == {"star", "faint", "cross"}
    for cost in costs:
        assert f"| {cost['family']} |" in printed

    monkeypatch.setattr(training, "main", lambda _: pytest.fail("trained once more"))
    assert unseen.main(command) == 0
    assert json.loads((out / "unseen.json").read_text()) == costs

    other = tmp_path / "other.yaml"
    other.write_text(
        Path(command[1]).read_text().replace("pictures_per_epoch: 2", "pictures_per_epoch: 4")
    )
    assert unseen.main(["--config", str(other), *command[2:]]) == 2
    assert "trained with another configuration" in capsys.readouterr().err


def test_what_stops_a_training_stops_the_command(
    command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(training, "main", lambda _: training.INTERRUPTED)
    assert unseen.main(command) == training.INTERRUPTED
    assert not (tmp_path / "out" / "unseen.json").exists()


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([["star", "faint"]], "one --leave-out: add a second"),
        ([["star"], ["faint", "star"]], "--leave-out star: in two trainings"),
    ],
)
def test_families_that_no_training_would_show_are_refused(
    command: list[str], groups: list[list[str]], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word for group in groups for word in ("--leave-out", *group)]
    assert unseen.main([*command[: command.index("--leave-out")], *given]) == 2
    assert said in capsys.readouterr().err


def test_each_is_compared_with_a_training_that_was_shown_its_families(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def noted(
        answering: dict[str, CheckpointLocator], samples: Iterable[Sample]
    ) -> tuple[dict[str, Outcomes], str]:
        left_out = {who: set(one.config.data.leave_out) for who, one in answering.items()}
        everywhere = set.intersection(*(set(one.families.values()) for one in samples))
        assert not left_out["shown"] & everywhere
        compared.append(left_out["unseen"] & everywhere)
        return {who: outcomes(RIGHT) for who in answering}, ""

    monkeypatch.setattr(unseen, "evaluate", noted)
    assert unseen.main(command) == 0
    # Of all styles, then of each family that one of the two was not shown.
    assert compared == [set(), {"star"}, {"faint"}, set(), {"cross"}]


def test_an_unknown_family_is_refused_before_anything_is_trained(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert unseen.main([*command, "--leave-out", "starr"]) == 2
    assert "unknown style family 'starr'" in capsys.readouterr().err
