"""The network with NNCF's quantisers in it: what quantisation-aware training trains."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Iterator, Sequence

import nncf
import torch
from nncf.quantization.advanced_parameters import QuantizationParameters
from nncf.torch.function_hook.nncf_graph.nncf_graph_builder import build_nncf_graph
from nncf.torch.function_hook.wrapper import get_hook_storage, wrap_model
from nncf.torch.model_graph_manager import get_const_node
from nncf.torch.quantization.layers import SymmetricQuantizer
from torch import Tensor, nn

from compress.calibration import CalibrationSet
from compress.layers import layer_name, matching
from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH
from train.data import network_input
from train.model import KeypointNet

# NNCF compiles a helper when it first quantises, and gives up after a minute, which is too little
# for a busy machine.
os.environ.setdefault("NNCF_EXTENSION_LOAD_TIMEOUT", "0")

_LAST_CONVOLUTIONS = ("head/out/", "angle/out/")


class RawNet(KeypointNet):
    """A folded network that is called for its raw maps: NNCF hooks what a call runs.

    `forward_training` and `forward_raw` are such calls, so that the training loop passes through
    the quantisers.
    """

    def __init__(self, folded: KeypointNet) -> None:
        nn.Module.__init__(self)  # the parts are there already
        for name, part in folded.named_children():
            self.add_module(name, copy.deepcopy(part))
        self.shapes = None

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Canvas f32 [B, 4, 256, 512] in 0..1 to raw f32 [B, 8, 64, 128]."""
        return KeypointNet.forward_raw(self, x)

    def forward_raw(self, x: Tensor) -> Tensor:
        """See `forward`."""
        raw: Tensor = self(x)
        return raw

    def forward_training(self, x: Tensor) -> tuple[Tensor, None]:
        """See `forward`; there is no shape head."""
        return self(x), None


def quantized(
    folded: KeypointNet, calibration: CalibrationSet, floating: Sequence[str] = ()
) -> RawNet:
    """A folded network with calibrated quantisers: symmetric, weights by channel.

    Activations that are never negative are unsigned; `signed_activations` changes that.
    floating: patterns (`re.search`) of layer names that stay in floating point.
    """
    logging.getLogger("nncf").setLevel(logging.ERROR)
    net = RawNet(folded).eval()
    dataset = nncf.Dataset(
        calibration.canvases, lambda canvas: network_input(torch.from_numpy(canvas)[None])
    )
    made: RawNet = nncf.quantize(
        net,
        dataset,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=calibration.count,
        ignored_scope=nncf.IgnoredScope(names=_operations(net, floating)),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            # Half the range for the first layer only helps CPUs without VNNI.
            overflow_fix=nncf.OverflowFix.DISABLE,
            activations_quantization_params=QuantizationParameters(per_channel=False),
        ),
    )
    _free_outputs(made)
    return made


def _free_outputs(net: RawNet) -> None:
    """Leaves the raw maps alone: one step for logits of ±70 and offsets of ±½ has no offsets left.

    NNCF spares a network's outputs, but takes what follows the last convolutions for a part of it.
    """
    hooks = get_hook_storage(net).post_hooks
    for name in [name for name in hooks if name.startswith(_LAST_CONVOLUTIONS)]:
        del hooks[name]


def quantizers(net: RawNet) -> Iterator[tuple[str, SymmetricQuantizer]]:
    """The quantisers by the names of their hooks; one that serves several comes once."""
    for name, hook in get_hook_storage(net).named_hooks():
        if isinstance(hook, SymmetricQuantizer):
            yield name, hook


@torch.no_grad()
def signed_activations(net: RawNet) -> None:
    """Make every quantiser signed, in place: what TensorRT wants. Ranges stay, steps double."""
    for _, quantizer in quantizers(net):
        quantizer.signed = True


def _operations(net: RawNet, patterns: Sequence[str]) -> list[str]:
    """NNCF's names of the operations whose weights belong to a layer that a pattern matches."""
    if not patterns:
        return []
    blank = torch.zeros(1, 4, CANVAS_HEIGHT, CANVAS_WIDTH)
    graph = build_nncf_graph(wrap_model(net), blank)
    found = []
    for node in graph.get_all_nodes():
        weight = get_const_node(node, 1, graph) if node.node_type == "conv2d" else None
        if weight is None:
            continue
        if matching([layer_name(str(weight.layer_attributes.name))], patterns):
            found.append(node.node_name)
    return found
