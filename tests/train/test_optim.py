import pytest
import torch
from torch import nn
from torch.optim import AdamW

from train.config import AdamWConfig, OptimizerConfig, SgdConfig
from train.optim import build_ema, build_optimizer, ema_decay


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


@pytest.mark.parametrize("config", [AdamWConfig(), SgdConfig(weight_decay=0.05)])
def test_only_convolution_weights_decay(config: OptimizerConfig) -> None:
    model = small()
    decayed, rest = build_optimizer(model, config).param_groups
    assert [id(p) for p in decayed["params"]] == [id(model[0].weight)]
    assert decayed["weight_decay"] == 0.05
    assert {id(p) for p in rest["params"]} == {
        id(model[0].bias),
        id(model[1].weight),
        id(model[1].bias),
    }
    assert rest["weight_decay"] == 0


def test_adamw_has_the_configured_settings() -> None:
    optimizer = build_optimizer(small(), AdamWConfig(lr=2e-3, betas=(0.8, 0.95), eps=1e-6))
    assert isinstance(optimizer, AdamW)
    for group in optimizer.param_groups:
        assert (group["lr"], group["betas"], group["eps"]) == (2e-3, (0.8, 0.95), 1e-6)


def test_sgd_with_nesterov_momentum_against_its_formula() -> None:
    weight = nn.Parameter(torch.tensor([[1.0]]))
    model = nn.Module()
    model.weight = weight
    config = SgdConfig(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    optimizer = build_optimizer(model, config)
    expected, velocity = 1.0, 0.0
    for _ in range(4):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
        gradient = 2 * expected + 0.01 * expected
        velocity = gradient if velocity == 0 else 0.9 * velocity + gradient
        expected -= 0.1 * (gradient + 0.9 * velocity)
        assert weight.item() == pytest.approx(expected, rel=1e-5)


def test_the_decay_ramps_up_to_the_configured_one() -> None:
    assert ema_decay(0, 0.9997) == pytest.approx(0.1)
    assert ema_decay(90, 0.9997) == pytest.approx(0.91)
    assert ema_decay(10**6, 0.9997) == 0.9997


def test_the_average_of_weights_and_statistics_against_a_loop() -> None:
    model = small()
    ema = build_ema(model, decay=0.5)
    expected: dict[str, torch.Tensor] = {}
    for update in range(6):
        model(torch.randn(4, 1, 8, 8) + update)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        ema.update_parameters(model)
        decay = ema_decay(update, 0.5)
        for name, value in model.state_dict().items():
            if update == 0 or not value.is_floating_point():
                expected[name] = value.clone()
            else:
                expected[name] = decay * expected[name] + (1 - decay) * value
    for name, value in ema.module.state_dict().items():
        torch.testing.assert_close(value, expected[name])
    assert int(ema.module[1].num_batches_tracked) == 6
