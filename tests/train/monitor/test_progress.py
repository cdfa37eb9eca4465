import pytest

from train.monitor.progress import Means


def test_means_are_over_the_steps_that_brought_a_value() -> None:
    means = Means()
    means.add({"loss": 1.0, "ratio": 5.0})
    means.add({"loss": 2.0})
    means.add({"loss": 6.0})
    assert means.take() == pytest.approx({"loss": 3.0, "ratio": 5.0})


def test_means_start_afresh() -> None:
    means = Means()
    means.add({"loss": 100.0, "ratio": 1.0})
    assert means
    means.take()
    assert not means
    means.add({"loss": 4.0})
    assert means.take() == {"loss": 4.0}
