"""Deployed and raw graphs of a folded network as ONNX, FP32 and FP16."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Mapping, Sequence

import onnx
import torch
from torch import Tensor, nn

from compress.graph import RAW_NAMES, DeployedGraph, RawGraph
from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH, CONTRACT_VERSION
from train.model import KeypointNet

OPSET = 18
DEPLOYED_NAMES = ("keypoints", "angle")


def deployed_onnx(net: KeypointNet, row_agreement: float) -> bytes:
    """The deployed graph (see `compress.graph.DeployedGraph`) of a folded network as ONNX."""
    graph, facts = DeployedGraph(net, row_agreement), deployed_facts(row_agreement)
    return to_onnx(graph, {"canvas": blank_canvas()}, DEPLOYED_NAMES, facts)


def fp16_onnx(net: KeypointNet, row_agreement: float) -> bytes:
    """As `deployed_onnx`, with the network's weights and features in FP16.

    The types are in the graph, which is what TensorRT goes by; the decode stays FP32.
    """
    return deployed_onnx(copy.deepcopy(net).half(), row_agreement)


def raw_onnx(net: KeypointNet) -> bytes:
    """The graph with the five named maps (see `compress.graph.RawGraph`) as ONNX."""
    facts = {"contract_version": str(CONTRACT_VERSION)}
    return to_onnx(RawGraph(net), {"canvas": blank_canvas()}, RAW_NAMES, facts)


def deployed_facts(row_agreement: float) -> dict[str, str]:
    """The metadata of a deployed graph's file."""
    return {"contract_version": str(CONTRACT_VERSION), "row_agreement": repr(row_agreement)}


def blank_canvas() -> Tensor:
    """An input of the deployed and of the raw graph: u8 [1, 256, 512, 4], all 0."""
    return torch.zeros(1, CANVAS_HEIGHT, CANVAS_WIDTH, 4, dtype=torch.uint8)


def to_onnx(
    graph: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    facts: Mapping[str, str],
) -> bytes:
    """Export a graph with static shapes; the same weights give the same bytes.

    inputs: name -> an example, in the order of the graph's arguments.
    outputs: the names of what it returns, in order.
    facts: metadata for the file.
    Returns a serialised and checked model.
    """
    # The exporter tells that torchvision's operators are not at hand, which nothing here uses.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # A deprecation inside torch itself.
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        program = torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return finished(program.model_proto, facts)


def finished(model: onnx.ModelProto, facts: Mapping[str, str]) -> bytes:
    """Checked, with inferred shapes and with the metadata `facts` alone."""
    _strip(model)
    onnx.helper.set_model_props(model, dict(facts))
    model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: they hold stack traces with the paths of this machine."""
    graph = model.graph
    for group in (graph.node, graph.initializer, graph.value_info, graph.input, graph.output):
        for item in group:
            item.ClearField("metadata_props")
            item.ClearField("doc_string")
    for owner in (model, graph):
        owner.ClearField("metadata_props")
        owner.ClearField("doc_string")
    graph.name = "edge-locator"
