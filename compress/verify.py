"""Do the engines agree: `python -m compress.verify BUNDLE ckpt.pth`.

Every artefact on every engine of the CPU that can run it, against the checkpoint's network in torch
(FP32) and against the other engine: the network's outputs on the canvas, then coordinates in
picture pixels. Then which layers of the INT8 network run in INT8, and which fell back.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from compress.accuracy import Labelled, generated
from compress.errors import CompressionError, RefusedError, run_command
from compress.graph import DeployedGraph
from compress.layers import IrModel, executed_layers, layer_table
from runtime.backends import engine
from runtime.bundle import Bundle
from train.arguments import positive
from train.checkpoint import load_model
from train.model import fold

TORCH = "torch"
# Two engines that run the same FP32 file may round differently, but not more than this.
FP32_AGREEMENT_PX = 0.1
_ENGINES = {"onnx": ("onnxruntime", "openvino"), "openvino-ir": ("openvino",)}


@dataclass(frozen=True, eq=False)
class Answers:
    """What one engine makes of an artefact: keypoints f32 [N, 2, 4] on the canvas."""

    artefact: str
    engine: str
    keypoints: NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """Two answers to the same pictures: outputs at most apart, points in picture pixels."""

    artefact: str
    engine: str
    against: str
    score: float
    p50_px: float
    p99_px: float
    max_px: float

    def __str__(self) -> str:
        pixels = "".join(f"{v:>10.4f}" for v in (self.p50_px, self.p99_px, self.max_px))
        return f"{self.artefact:<10}{self.engine:<13}{self.against:<22}{self.score:>9.4f}{pixels}"


def answers(bundle: Bundle, pictures: Sequence[Labelled]) -> Iterator[Answers]:
    """Every artefact that locates, on every engine here that reads its format."""
    for name, artefact in bundle.manifest.artefacts.items():
        if not artefact.backends:  # whole maps
            continue
        files = bundle.read(artefact)
        for backend in _ENGINES[artefact.format]:
            loaded = engine(backend).load(files, artefact.format, "cpu", 1)
            found = [loaded.infer(one.canvas).keypoints for one in pictures]
            loaded.close()
            yield Answers(name, backend, np.stack(found))


@torch.no_grad()
def torch_answers(bundle: Bundle, checkpoint: Path, pictures: Sequence[Labelled]) -> Answers:
    """The checkpoint's network in torch, decoded as the bundle says."""
    net, config = load_model(checkpoint)
    if config.model.model_dump(mode="json") != bundle.manifest.model.config:
        raise CompressionError(f"{checkpoint} holds another network than {bundle.directory}")
    graph = DeployedGraph(fold(net), bundle.manifest.row_agreement)
    found = [graph(torch.from_numpy(one.canvas)[None])[0][0].numpy() for one in pictures]
    return Answers("checkpoint", TORCH, np.stack(found))


def difference(a: Answers, b: Answers, pictures: Sequence[Labelled]) -> Difference:
    """How far `a` is from `b`; of a picture, the point that lies farther."""
    pairs = zip(pictures, a.keypoints, b.keypoints, strict=True)
    shifts = [one.shift_px(ours, theirs) for one, ours, theirs in pairs]
    against = b.engine if b.engine == TORCH else f"{b.artefact} {b.engine}"
    score = float(np.abs(a.keypoints[..., 2] - b.keypoints[..., 2]).max())
    spread = (float(value) for value in np.nanpercentile(shifts, [50, 99, 100]))
    return Difference(a.artefact, a.engine, against, score, *spread)


def verify(bundle: Bundle, checkpoint: Path, count: int) -> str:
    """The tables. Raises RefusedError when engines disagree about FP32."""
    pictures = generated(count, None)
    reference = torch_answers(bundle, checkpoint, pictures)
    found = list(answers(bundle, pictures))
    rows = [difference(one, reference, pictures) for one in found]
    rows += [
        difference(a, b, pictures)
        for n, a in enumerate(found)
        for b in found[:n]
        if a.artefact == b.artefact
    ]
    head = f"{'artefact':<10}{'engine':<13}{'against':<22}{'score':>9}"
    head += "".join(f"{name:>10}" for name in ("p50 px", "p99 px", "max px"))
    table = "\n".join([f"{count} pictures", head, *map(str, rows), "", *_layers(bundle)])
    apart = [
        row for row in rows if row.artefact.startswith("fp32") and row.p99_px > FP32_AGREEMENT_PX
    ]
    if apart:
        sys.stdout.write(f"{table}\n")
        raise RefusedError(
            f"{apart[0].artefact} on {apart[0].engine} is {apart[0].p99_px:.2f} px (p99) from "
            f"{apart[0].against}, more than {FP32_AGREEMENT_PX:g}"
        )
    return table


def _layers(bundle: Bundle) -> list[str]:
    tables = []
    for name, artefact in bundle.manifest.artefacts.items():
        if artefact.precision == "int8" and artefact.format == "openvino-ir":
            files = bundle.read(artefact)
            model = IrModel(files["model"], files["weights"]).read()
            tables.append(f"{name} on openvino\n{layer_table(executed_layers(model))}")
    return tables


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when engines agree, 1 when not, 2 when something was unusable."""
    parser = argparse.ArgumentParser(
        prog="python -m compress.verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--pictures", type=positive, default=100, metavar="N")
    given = parser.parse_args(argv)
    return run_command(lambda: verify(Bundle.open(given.bundle), given.checkpoint, given.pictures))


if __name__ == "__main__":
    sys.exit(main())
