"""The figures' numbers against loops, and their content as matplotlib holds it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.train.answered import add, answer, known_outcomes, many_outcomes
from tests.train.fakes import sample
from train import figures
from train.outcomes import Outcomes

HISTORY = [
    {
        "epoch": epoch,
        "lr": 1e-3 / epoch,
        "train_loss": 4 / epoch,
        "val_loss": 5 / epoch,
        "val_mae": float("nan") if epoch == 2 else 40 / epoch,
        "val_acc_3px": 0.5,
        "val_acc_5px": 0.6,
        "val_acc_10px": 0.7,
    }
    for epoch in (1, 2, 3)
]


def lines(figure: Figure, panel: int) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.array(line.get_xydata()) for line in figure.axes[panel].lines}


def test_training_curves_show_what_the_history_holds() -> None:
    figure = figures.training_curves(HISTORY)
    loss, mae, accuracy = (lines(figure, panel) for panel in range(3))
    np.testing.assert_allclose(loss["training"], [[1, 4], [2, 2], [3, 4 / 3]])
    np.testing.assert_allclose(loss["validation"][:, 1], [5, 5 / 2, 5 / 3])
    # An epoch that was not validated leaves no point.
    np.testing.assert_allclose(mae["validation, all points"], [[1, 40], [3, 40 / 3]])
    assert mae["target: 5 px"][0, 1] == 5
    assert accuracy["target within 5 px: 98%"][0, 1] == 0.98
    np.testing.assert_allclose(accuracy["within 10 px"][:, 1], 0.7)
    assert figure.axes[3].get_yscale() == "log"


def test_curves_need_nothing_but_epochs() -> None:
    figure = figures.training_curves([{"epoch": 1}, {"epoch": 2}])
    assert lines(figure, 0) == {}


def test_histograms_hold_every_error_once() -> None:
    outcomes = many_outcomes()
    figure = figures.error_distributions(outcomes)
    for panel, point in enumerate(("gap", "slider")):
        axis = figure.axes[panel]
        column = outcomes.column(point)
        errors = column.errors_px[column.exists]
        assert sum(bar.get_height() for bar in axis.patches) == pytest.approx(1)
        left = sum(bar.get_height() for bar in axis.patches if bar.get_x() + bar.get_width() <= 5)
        assert left <= np.mean(errors <= 5) + 1e-9
        assert f"{errors.size} pictures" in axis.get_title()


def test_range_counts_equal_a_loop() -> None:
    outcomes = many_outcomes()
    names = ["normal", "noise", "negative"]
    counts = figures.range_counts(outcomes, "gap", names)
    limits = [1, 3, 5, 10, np.inf]
    expected = np.zeros((3, 6), int)
    for case in outcomes.cases:
        if case.gap is None or case.difficulty not in names:
            continue
        error = np.hypot(case.answer.gap.x - case.gap[0], case.answer.gap.y - case.gap[1])
        column = next(i for i, limit in enumerate(limits) if error <= limit)
        expected[names.index(case.difficulty), 5 if case.answer.reasons else column] += 1
    np.testing.assert_array_equal(counts, expected)
    assert counts.sum() > 20
    assert counts[:, 5].sum() > 0


def test_a_range_holds_its_upper_end() -> None:
    outcomes = Outcomes()
    add(outcomes, sample(gap=(200, 90)), answer((205, 90), (40, 90)))
    assert figures.range_counts(outcomes, "gap", ["normal"]).tolist() == [[0, 0, 1, 0, 0, 0]]


def test_heat_map_of_classes() -> None:
    figure = figures.class_ranges(known_outcomes())
    gap = figure.axes[0]
    assert [label.get_text() for label in gap.get_yticklabels()] == [
        "negative",
        "ambiguous",
        "confusing",
        "rotated",
        "normal",
    ]
    texts = [text.get_text() for text in gap.texts]
    assert texts.count("100%\n1") == 4  # every class but the negatives has one gap


def test_precision_and_recall_equal_a_loop_over_limits() -> None:
    outcomes = many_outcomes()
    found = outcomes.column("gap")
    recall, precision = figures.pr_curve(found, np.ones(len(outcomes.cases), bool))
    expected = []
    for limit in sorted(set(found.scores)):
        answered = found.scores >= limit
        right = found.exists & (found.errors_px <= 5) & answered
        expected.append((right.sum() / found.exists.sum(), right.sum() / answered.sum()))
    np.testing.assert_allclose(np.column_stack([recall, precision])[:-1], expected, atol=1e-6)
    assert recall[-1] == 0
    assert recall.max() < 1  # what was found elsewhere is never recalled


def test_gallery_shows_picture_error_and_cause() -> None:
    outcomes = Outcomes()
    decoyed = sample(difficulty="confusing", angle_deg=-30.0)
    add(outcomes, decoyed, answer((250, 90), (40, 90)))
    add(outcomes, sample(angle_deg=0.0), answer((200, 90), (60, 90)))
    figure = figures.failure_gallery(outcomes.failures)
    first, second = (axis.get_title() for axis in figure.axes[:2])
    assert "gap off by 50 px" in first
    assert "rotation" in first
    assert "several gaps" in first
    assert "slider off by 20 px" in second
    assert "none of these" in second
    shown = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(shown, cv2.cvtColor(decoyed.picture, cv2.COLOR_BGR2RGB))


def test_every_figure_is_drawn_and_saved(tmp_path: Path) -> None:
    outcomes = many_outcomes()
    drawn = {
        "curves": figures.training_curves(HISTORY),
        "errors": figures.error_distributions(outcomes),
        "classes": figures.class_ranges(outcomes),
        "precision-recall": figures.precision_recall(outcomes),
        "failures": figures.failure_gallery(outcomes.failures),
    }
    for name, figure in drawn.items():
        path = tmp_path / f"{name}.png"
        figures.save(figure, path)
        picture = cv2.imread(str(path))
        assert picture.shape[1] >= 500
        assert picture.std() > 1


def test_pictures_without_any_point_are_drawn_too() -> None:
    outcomes = Outcomes()
    add(outcomes, sample(None, None, None, "negative"), answer((1, 1), (2, 2)))
    for draw in (figures.error_distributions, figures.class_ranges, figures.precision_recall):
        assert draw(outcomes).axes
