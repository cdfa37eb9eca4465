"""Rates against formulas written out here, and against torch's schedulers on their own."""

from collections.abc import Sequence
from math import cos, pi

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from train.config import Config, parse_config
from train.schedule import Schedule

STEPS = 8  # an epoch
PEAK = 2e-3


def config(epochs: int = 12, validation: int = 1, **scheduler: object) -> Config:
    return parse_config(
        {
            "training": {
                "num_epochs": epochs,
                "optimizer": {"lr": PEAK},
                "scheduler": {"warmup_epochs": 2, "warmup_lr": 1e-4} | scheduler,
            },
            "validation": {"interval": validation},
        }
    )


def built(configured: Config) -> tuple[torch.optim.SGD, Schedule]:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    optimizer = torch.optim.SGD(groups, lr=PEAK)
    return optimizer, Schedule(optimizer, STEPS, configured)


def rates(configured: Config) -> list[float]:
    """The rate of every step of the run and of the one that would follow."""
    optimizer, schedule = built(configured)
    found = []
    for _ in range(configured.training.num_epochs * STEPS + 1):
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert first == second
        found.append(first)
        optimizer.step()
        schedule.step_made()
    return found


def warm(step: int) -> float:
    return 1e-4 + (PEAK - 1e-4) * step / (2 * STEPS)


def assert_rates(found: Sequence[float], expected: Sequence[float]) -> None:
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_default_is_a_warm_up_and_cosines_that_end_with_the_run() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    schedule = Schedule(optimizer, STEPS, Config())
    reference = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    cosines = CosineAnnealingWarmRestarts(reference, T_0=10, T_mult=2, eta_min=3e-6)
    reference.step()
    rate = 0.0
    for step in range(155 * STEPS):
        rate = optimizer.param_groups[0]["lr"]
        if step < 5 * STEPS:
            assert rate == pytest.approx(1e-5 + (3e-4 - 1e-5) * step / (5 * STEPS))
        else:
            cosines.step(step / STEPS - 5)
            assert rate == pytest.approx(reference.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        schedule.step_made()
    assert rate == pytest.approx(3e-6, rel=1e-3)


def test_one_cosine_ends_with_the_run() -> None:
    found = rates(config(type="CosineAnnealingLR", eta_min=1e-5))
    half = [(1 + cos(pi * step / (10 * STEPS))) / 2 for step in range(10 * STEPS + 1)]
    expected = [1e-5 + (PEAK - 1e-5) * share for share in half]
    assert_rates(found, [*map(warm, range(2 * STEPS)), *expected])


def test_steps_fall_every_step_size_epochs() -> None:
    found = rates(config(type="StepLR", step_size=3, gamma=0.1))
    expected = [PEAK * 0.1 ** (step // (3 * STEPS)) for step in range(10 * STEPS + 1)]
    assert_rates(found, [*map(warm, range(2 * STEPS)), *expected])


def test_the_exponential_falls_by_gamma_an_epoch() -> None:
    found = rates(config(type="ExponentialLR", gamma=0.8))
    expected = [PEAK * 0.8 ** (step / STEPS) for step in range(10 * STEPS + 1)]
    assert_rates(found, [*map(warm, range(2 * STEPS)), *expected])


@pytest.mark.parametrize("kind", ["CosineAnnealingLR", "StepLR", "ReduceLROnPlateau"])
def test_without_a_warm_up_it_starts_at_the_top(kind: str) -> None:
    assert rates(config(type=kind, warmup_epochs=0))[0] == pytest.approx(PEAK)


def test_a_warm_up_may_take_part_of_an_epoch() -> None:
    found = rates(config(type="StepLR", warmup_epochs=0.5))
    assert found[2] == pytest.approx((1e-4 + PEAK) / 2)
    assert found[4] == pytest.approx(PEAK)


def test_a_run_of_warm_up_alone_only_rises() -> None:
    found = rates(config(epochs=2, type="CosineAnnealingLR"))
    assert_rates(found, [*map(warm, range(2 * STEPS)), PEAK])


def plateau_rates(configured: Config, errors_px: Sequence[float]) -> list[float]:
    """The rate after every validation."""
    optimizer, schedule = built(configured)
    found = []
    for error_px in errors_px:
        for _ in range(STEPS * configured.validation.interval):
            optimizer.step()
            schedule.step_made()
        schedule.validated(error_px)
        found.append(optimizer.param_groups[1]["lr"])
    return found


def test_a_plateau_lowers_the_rate_after_patience_epochs_without_improvement() -> None:
    found = plateau_rates(
        config(type="ReduceLROnPlateau", warmup_epochs=1, factor=0.5, patience=2, min_lr=PEAK / 3),
        [9, 8, 8.5, 8.5, 8.5, 7, 8, 8, 8, 8, 8, 8],
    )
    halved, least = PEAK / 2, PEAK / 3
    assert_rates(found, [PEAK] * 4 + [halved] * 4 + [least] * 4)


def test_patience_counts_epochs_whatever_the_validations_between() -> None:
    found = plateau_rates(
        config(type="ReduceLROnPlateau", warmup_epochs=0, patience=4, validation=2), [9, 9, 9, 9]
    )
    assert_rates(found, [PEAK] * 3 + [PEAK / 2])


def test_a_plateau_does_not_disturb_the_warm_up() -> None:
    found = plateau_rates(config(type="ReduceLROnPlateau", warmup_epochs=4, patience=0), [5] * 4)
    assert found[2] == pytest.approx(1e-4 + (PEAK - 1e-4) * 3 / 4)
    assert found[3] == pytest.approx(PEAK)


@pytest.mark.parametrize(
    "kind",
    [
        "CosineAnnealingWarmRestarts",
        "CosineAnnealingLR",
        "StepLR",
        "ExponentialLR",
        "ReduceLROnPlateau",
    ],
)
def test_it_goes_on_where_its_state_was_taken(kind: str) -> None:
    configured = config(type=kind, warmup_epochs=1)
    optimizer, schedule = built(configured)
    saved = (schedule.state_dict(), optimizer.state_dict())
    straight = []
    for step in range(12 * STEPS):
        if step == 5 * STEPS + 3:
            saved = (schedule.state_dict(), optimizer.state_dict())
            straight = []
        straight.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step_made()
        if step % STEPS == 0:
            schedule.validated(5.0)
    optimizer, schedule = built(configured)
    schedule.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    resumed = []
    for step in range(5 * STEPS + 3, 12 * STEPS):
        resumed.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step_made()
        if step % STEPS == 0:
            schedule.validated(5.0)
    assert resumed == straight
