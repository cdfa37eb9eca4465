"""Export a checkpoint without quantising it: `python -m compress.export ckpt.pth -o DIR`.

Writes a bundle that `Locator("fp32", bundle=DIR)` loads: the deployed graph as fp32.onnx, fp16.onnx
(types in the graph, for TensorRT) and OpenVINO's fp32.xml, and raw.onnx, which gives whole maps.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import openvino as ov

from compress.arguments import add_network, network
from compress.artefacts import artefacts
from compress.build import Source, summary
from compress.errors import run_command
from compress.onnx_graphs import deployed_onnx, fp16_onnx, raw_onnx
from compress.package import publish
from compress.quantize import serialised
from runtime.bundle import Bundle


def export(source: Source, output: Path) -> Bundle:
    """Write the bundle. Raises as `compress.package.publish`."""
    fp32 = deployed_onnx(source.folded, source.row_agreement)
    made = artefacts(
        {
            "fp32-ir": serialised(ov.Core().read_model(fp32)),
            "fp32": fp32,
            "fp16": fp16_onnx(source.folded, source.row_agreement),
            "raw": raw_onnx(source.folded),
        }
    )
    return publish(output, source.manifest(made, None), made.files)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 with one line on stderr when something was unusable."""
    parser = argparse.ArgumentParser(
        prog="python -m compress.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_network(parser)
    given = parser.parse_args(argv)
    return run_command(lambda: summary(export(network(given), given.output)))


if __name__ == "__main__":
    sys.exit(main())
