import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts

from train.config import TrainingConfig, parse_config
from train.optim import build_optimizer
from train.schedule import build_scheduler, learning_rate

STEPS = 8


def training(**changes: object) -> TrainingConfig:
    return parse_config({"training": changes}).training


def test_warm_restarts_follow_torch_after_the_warm_up() -> None:
    config = training()
    parameter = torch.nn.Parameter(torch.zeros(1))
    reference = torch.optim.SGD([parameter], lr=3e-4)
    schedule = CosineAnnealingWarmRestarts(reference, T_0=10, T_mult=2, eta_min=3e-6)
    reference.step()
    for step in range(STEPS * 5, STEPS * 155):
        schedule.step(step / STEPS - 5)
        expected = reference.param_groups[0]["lr"]
        assert learning_rate(step, STEPS, config) == pytest.approx(expected, rel=1e-9)


def test_warm_up_is_a_line_from_warmup_lr_to_lr() -> None:
    config = training()
    assert learning_rate(0, STEPS, config) == pytest.approx(1e-5)
    assert learning_rate(STEPS * 5 // 2, STEPS, config) == pytest.approx((1e-5 + 3e-4) / 2)
    assert learning_rate(STEPS * 5, STEPS, config) == pytest.approx(3e-4)


def test_the_default_run_ends_at_the_bottom_of_a_cycle() -> None:
    config = training()
    assert learning_rate(155 * STEPS - 1, STEPS, config) == pytest.approx(3e-6, rel=1e-3)


def test_one_cosine_follows_torch_and_ends_with_the_run() -> None:
    scheduler = {"type": "CosineAnnealingLR", "warmup_epochs": 1, "eta_min": 1e-6}
    config = training(num_epochs=6, optimizer={"lr": 2e-3}, scheduler=scheduler)
    reference = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-3)
    schedule = CosineAnnealingLR(reference, T_max=5 * STEPS, eta_min=1e-6)
    for step in range(STEPS, 6 * STEPS):
        expected = reference.param_groups[0]["lr"]
        assert learning_rate(step, STEPS, config) == pytest.approx(expected, rel=1e-6)
        reference.step()
        schedule.step()
    assert learning_rate(6 * STEPS, STEPS, config) == pytest.approx(1e-6)


def test_no_warm_up_starts_at_the_top() -> None:
    scheduler = {"type": "CosineAnnealingLR", "warmup_epochs": 0}
    assert learning_rate(0, STEPS, training(scheduler=scheduler)) == pytest.approx(3e-4)


def test_a_run_of_warm_up_alone_ends_low() -> None:
    config = training(num_epochs=5, scheduler={"type": "CosineAnnealingLR", "warmup_epochs": 5})
    assert learning_rate(5 * STEPS, STEPS, config) == pytest.approx(3e-6)


def test_the_scheduler_sets_the_optimizer() -> None:
    config = training()
    optimizer = build_optimizer(torch.nn.Linear(2, 2), config.optimizer)
    scheduler = build_scheduler(optimizer, STEPS, config)
    for step in range(3):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([learning_rate(step, STEPS, config)] * 2)
        optimizer.step()
        scheduler.step()
