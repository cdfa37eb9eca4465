"""Export a checkpoint to ONNX: `python -m compress.export ckpt.pth -o DIR [--raw]`."""

from __future__ import annotations

import argparse
import logging
import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from compress.errors import run_command
from compress.graph import RAW_NAMES, DeployedGraph, RawGraph
from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH, CONTRACT_VERSION
from train.checkpoint import load_model
from train.model import KeypointNet, fold

OPSET = 18
DEPLOYED_NAMES = ("keypoints", "angle")
DEFAULT_ROW_AGREEMENT = 1.0


def deployed_onnx(net: KeypointNet, row_agreement: float) -> bytes:
    """The deployed graph (see `compress.graph.DeployedGraph`) of a folded network as ONNX."""
    facts = {"contract_version": str(CONTRACT_VERSION), "row_agreement": repr(row_agreement)}
    return to_onnx(DeployedGraph(net, row_agreement), {"canvas": _canvas()}, DEPLOYED_NAMES, facts)


def raw_onnx(net: KeypointNet) -> bytes:
    """The graph with the five named maps (see `compress.graph.RawGraph`) as ONNX."""
    facts = {"contract_version": str(CONTRACT_VERSION)}
    return to_onnx(RawGraph(net), {"canvas": _canvas()}, RAW_NAMES, facts)


def _canvas() -> Tensor:
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
    model = program.model_proto
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


def export_checkpoint(checkpoint: Path, output: Path, row_agreement: float, raw: bool) -> str:
    """Write fp32.onnx, and raw.onnx if asked, to a folder; return a report.

    Raises CheckpointError for a file that is no checkpoint and OSError for an unusable folder.
    """
    net = fold(load_model(checkpoint)[0])
    output.mkdir(parents=True, exist_ok=True)
    files = {"fp32.onnx": deployed_onnx(net, row_agreement)}
    if raw:
        files["raw.onnx"] = raw_onnx(net)
    for name, data in files.items():
        (output / name).write_bytes(data)
    return "\n".join(f"{output / name}  {len(data):,} bytes" for name, data in files.items())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m compress.export", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    add_row_agreement(parser)
    parser.add_argument("--raw", action="store_true", help="also write raw.onnx, with whole maps")
    return parser


def add_row_agreement(parser: argparse.ArgumentParser) -> None:
    """Give a command the option that decides the decode's row prior."""
    parser.add_argument(
        "--row-agreement",
        type=_exponent,
        default=DEFAULT_ROW_AGREEMENT,
        metavar="LAMBDA",
        help="how strongly both points must share a row; 0: not at all (default: %(default)s)",
    )


def _exponent(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected a number >= 0, got {text}")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 with one line on stderr when something was unusable."""
    given = _parser().parse_args(argv)
    return run_command(
        lambda: export_checkpoint(given.checkpoint, given.output, given.row_agreement, given.raw)
    )


if __name__ == "__main__":
    sys.exit(main())
