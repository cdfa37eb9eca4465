from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from compress.calibration import CalibrationSet
from compress.equalize import LEAST, equalized
from compress.fakequant import quantized
from tests.compress.conftest import tiny_net
from train.config import PaperConfig
from train.data import network_input
from train.model import KeypointNet, build_model, fold


def _input(canvases: CalibrationSet) -> Tensor:
    return network_input(torch.from_numpy(canvases.canvases))


def _raw(net: nn.Module, canvases: CalibrationSet) -> Tensor:
    assert isinstance(net, KeypointNet)
    with torch.no_grad():
        return net.forward_raw(_input(canvases))


def _lopsided() -> KeypointNet:
    """A network in which some channels between two convolutions, one that several read, and one
    that is summed and shuffled, are a thousand times weaker than their neighbours."""
    net = fold(tiny_net())
    with torch.no_grad():
        for writer, reader in (("stem.0.0", "stem.1.0"), ("fpn.smooth.0", "head.block.0")):
            for parameter in net.get_submodule(writer).parameters():
                parameter[:6] /= 1e3
            net.get_submodule(reader).weight[:, :6] *= 1e3
        net.get_submodule("angle.fused").weight[:, :6] *= 1e3
        for writer in ("fpn.down", "fpn.laterals.0"):
            for parameter in net.get_submodule(writer).parameters():
                parameter[:6] /= 1e3
        for parameter in net.get_submodule("fpn.up.0.project").parameters():
            parameter[:24] /= 1e3  # four copies of six channels
        net.get_submodule("fpn.smooth.0").weight[:, :6] *= 1e3
    return net


@pytest.mark.parametrize(
    "make",
    [
        lambda: fold(tiny_net()),
        _lopsided,
        lambda: fold(build_model(PaperConfig()).eval()),
    ],
    ids=["edge", "lopsided", "paper"],
)
def test_the_function_stays(make, canvases):
    torch.manual_seed(1)
    net = make()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    result = equalized(net, canvases)
    expected = _raw(net, canvases)
    torch.testing.assert_close(
        _raw(result, canvases), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())
    )
    weights = {n: v for n, v in result.state_dict().items() if n.endswith(".weight")}
    changed = [name for name, value in weights.items() if not torch.equal(value, before[name])]
    assert len(changed) > len(weights) / 2
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), "the network given is left as it is"


def _largest_after(net: KeypointNet, module: str, canvases: CalibrationSet) -> Tensor:
    seen = []
    net.get_submodule(module).register_forward_hook(lambda _m, _i, out: seen.append(out))
    _raw(net, canvases)
    return seen[0].detach().abs().amax(dim=(0, 2, 3))


def test_a_channel_is_divided_by_the_root_of_its_share_over_that_of_its_weights(canvases):
    net = fold(tiny_net())
    largest = _largest_after(net, "stem.0.1", canvases)
    reader = net.stem[1][0].weight.detach()
    by_hand = []
    for channel in range(reader.shape[1]):
        activation = max(float(largest[channel] / largest.max()), LEAST)
        weight = max(
            float(reader[out, channel].abs().max() / reader[out].abs().max())
            for out in range(reader.shape[0])
        )
        by_hand.append((activation / max(weight, LEAST)) ** 0.5)
    result = equalized(net, canvases)
    # The stem's first convolution reads the picture, whose channels stay.
    ratio = (net.stem[0][0].weight / result.stem[0][0].weight).detach().mean(dim=(1, 2, 3))
    torch.testing.assert_close(ratio, torch.tensor(by_hand), rtol=1e-3, atol=0.0)


def test_quantisation_loses_less_of_a_lopsided_network(canvases):
    net = _lopsided()
    expected = _raw(net, canvases)

    def lost(folded: KeypointNet) -> float:
        return float((_raw(quantized(folded, canvases), canvases) - expected).square().mean())

    assert lost(equalized(net, canvases)) < 0.1 * lost(net)
