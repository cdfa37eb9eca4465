"""Channels scaled alike, so that one INT8 step suits all that share a tensor.

A ReLU, a maximum, a copy or a sum does not mind if a channel before it is divided by a number and
the weights that read it are multiplied by the same one. An activation has one scale for all of its
channels, so a channel that stays well below the largest one has few steps left: it is enlarged, as
far as the weights that read it, which have one scale for an output each, allow.

Sources: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
2019 (between convolutions); Xiao et al., "SmoothQuant", 2022 (how activations and weights share).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from scipy.cluster.hierarchy import DisjointSet
from torch import Tensor, fx
from torch.export import export

from compress.calibration import CalibrationSet
from compress.fakequant import RawNet
from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH
from train.data import network_input
from train.model import KeypointNet

# The first of the calibration pictures: largest values hardly change with more.
PICTURES = 100
# A channel's share in a tensor's largest value counts as no less, nor do weights.
LEAST = 1e-2

_ATEN = torch.ops.aten
_CONVOLUTION = _ATEN.conv2d.default
_RELUS = (_ATEN.relu.default, _ATEN.relu_.default)
# What answers the same for a channel whatever the channel's (positive) scale is.
_KEEPING = (
    *_RELUS,
    _ATEN.max_pool2d.default,
    _ATEN.upsample_nearest2d.vec,
    _ATEN.feature_dropout.default,  # in eval mode
)
_SUMS = (_ATEN.add.Tensor, _ATEN.add_.Tensor)
_SHUFFLE = _ATEN.pixel_shuffle.default


@dataclass(frozen=True)
class _Layer:
    """A convolution: its parameters' names, the value it reads and the one it writes.

    copies: how many of its channels in a row write one channel (pixel shuffle).
    """

    weight: str
    bias: str
    reads: fx.Node
    writes: fx.Node
    copies: int


def equalized(folded: KeypointNet, calibration: CalibrationSet) -> KeypointNet:
    """The same function, up to rounding, by weights that quantisation loses less of.

    folded: as `train.model.fold` gives it, every convolution with a bias; it is left as it is.
    calibration: its first `PICTURES` say how large each channel becomes.
    """
    net = RawNet(folded).eval()
    blank = torch.zeros(1, 4, CANVAS_HEIGHT, CANVAS_WIDTH)
    program = export(net, (blank,))
    layers = list(_layers(program.graph, program.graph_signature.inputs_to_parameters))
    spaces, fixed = _spaces(program.graph, layers)
    weights = dict(net.named_parameters())
    largest = _largest(program.module(), calibration)
    scales = {
        space: _scale(
            [largest[node.name] for node in members if _is_quantized(node)],
            [weights[layer.weight] for layer in layers if layer.reads in members],
        )
        for space, members in ((spaces[next(iter(s))], s) for s in spaces.subsets())
        if space not in fixed
    }
    result = copy.deepcopy(folded)
    _rescale(dict(result.named_parameters()), layers, lambda node: scales.get(spaces[node]))
    return result


def _layers(graph: fx.Graph, parameters: dict[str, str]) -> Iterable[_Layer]:
    for node in graph.find_nodes(op="call_function", target=_CONVOLUTION):
        data, weight, bias = node.args[:3]
        writes, copies = node, 1
        (*_, reader) = node.users
        if reader.target is _SHUFFLE:
            writes, copies = reader, reader.args[1] ** 2
        yield _Layer(parameters[weight.name], parameters[bias.name], data, writes, copies)


def _spaces(graph: fx.Graph, layers: list[_Layer]) -> tuple[DisjointSet, set[fx.Node]]:
    """Values whose channels have to share their scales, and which of these must keep theirs.

    Keys of the second are `spaces[value]`.
    """
    spaces = DisjointSet(graph.nodes)
    kept: set[fx.Node] = set()
    shuffled = {layer.writes for layer in layers if layer.copies > 1}
    for node in graph.nodes:
        values = [*node.all_input_nodes, node]
        if node.target in _KEEPING or (node.target in _SUMS and len(values) == 3):
            for value in values[1:]:
                spaces.merge(values[0], value)
        elif node.target is not _CONVOLUTION and node not in shuffled:
            kept.update(values)
    return spaces, {spaces[node] for node in kept}


def _is_quantized(node: fx.Node) -> bool:
    """Whether it gets a quantiser of its own: all but what a ReLU alone reads."""
    return not all(user.target in _RELUS for user in node.users)


def _largest(module: fx.GraphModule, calibration: CalibrationSet) -> dict[str, Tensor]:
    """Value -> the largest magnitude of each of its channels, f32 [C]."""
    found = _Largest(module)
    with torch.no_grad():
        for canvas in calibration.canvases[:PICTURES]:
            found.run(network_input(torch.from_numpy(canvas)[None]))
    return found.by_name


class _Largest(fx.Interpreter):
    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.by_name: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor) and value.ndim == 4:
            largest = value.detach().abs().amax(dim=(0, 2, 3))
            self.by_name[n.name] = torch.maximum(largest, self.by_name.get(n.name, largest))
        return value


def _scale(largest: list[Tensor], readers: list[Tensor]) -> Tensor:
    """What to divide each channel by, f32 [C].

    largest: of the tensors that share the channels; readers: weights [out, C / groups, kh, kw].
    """
    activations = torch.stack([_share(one) for one in largest]).amax(dim=0)
    weights = torch.ones_like(activations)
    if readers:
        # By output; of the outputs of a group the one that takes a channel most seriously.
        shares = [_share(w.detach().abs().amax(dim=(2, 3)), dim=1) for w in readers]
        of_groups = [s.reshape(len(weights) // s.shape[1], -1, s.shape[1]) for s in shares]
        weights = torch.stack([s.amax(dim=1).flatten() for s in of_groups]).amax(dim=0)
    return (activations / weights).sqrt()


def _share(values: Tensor, dim: int = 0) -> Tensor:
    largest = values.amax(dim=dim, keepdim=True)
    return (values / torch.where(largest > 0, largest, 1.0)).clamp(min=LEAST)


@torch.no_grad()
def _rescale(
    parameters: dict[str, Tensor],
    layers: list[_Layer],
    scale_of: Callable[[fx.Node], Tensor | None],
) -> None:
    for layer in layers:
        weight, bias = parameters[layer.weight], parameters[layer.bias]
        read, written = scale_of(layer.reads), scale_of(layer.writes)
        if read is not None:
            of_groups = read.reshape(-1, weight.shape[1])
            by_output = of_groups.repeat_interleave(len(weight) // len(of_groups), dim=0)
            weight *= by_output[..., None, None]
        if written is not None:
            out = written.repeat_interleave(layer.copies)
            weight /= out[:, None, None, None]
            bias /= out
