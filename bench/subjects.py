"""What is timed: each subject is set up once, and then called again and again.

A subject's answer is a list of numbers; the same input must give the same ones. Those that answer
with points are held against the bundle's golden answer before anything is timed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, cast

import cv2
import numpy as np

from bench.latency import check_golden, picture, sample
from runtime import Bundle, Locator
from runtime.backends import engine
from runtime.geometry import Letterbox, Picture, RawResult, new_canvas
from runtime.locator import locate
from runtime.picture import load
from runtime.result import Location
from runtime.view import View
from train.synth import Sample

Subject: TypeAlias = Callable[[], list[float]]
SetUp: TypeAlias = tuple[Subject, dict[str, Any]]

AGREEMENT_CANVAS_PX = 1.0


def predict(
    bundle: str, precision: str, backend: str, threads: int, width: int = 340, height: int = 190
) -> SetUp:
    """A whole `Locator.predict` of a picture."""
    locator = Locator(precision, backend=backend, bundle=bundle, threads=threads)
    check_golden(locator, Bundle.open(bundle), precision)
    pixels = picture(width, height)
    return lambda: points(locator.predict(pixels)), dict(locator.describe())


def infer(bundle: str, precision: str, backend: str, threads: int) -> SetUp:
    """The engine's part of it: from a canvas to two points on it."""
    opened = Bundle.open(bundle)
    artefact = opened.artefact(precision, backend)
    chosen = engine(backend)
    loaded = chosen.load(opened.read(artefact), artefact.format, chosen.DEFAULT_DEVICE, threads)
    _check_golden_canvas(opened, precision, loaded.infer)
    canvas = canvas_of(picture())
    facts: dict[str, Any] = {"precision": precision, **loaded.describe()}
    if backend == "openvino":
        facts["kernels"] = kernels(loaded)
    return lambda: numbers(loaded.infer(canvas)), facts


def letterbox(width: int = 340, height: int = 190) -> SetUp:
    """The picture drawn on its canvas."""
    pixels, canvas = picture(width, height), new_canvas()
    laid = Letterbox(width, height)

    def call() -> list[float]:
        laid.render(pixels, canvas)
        return [float(canvas[128, 256, 0]), float(canvas[100, 300, 1])]

    return call, {}


def answer(bundle: str) -> SetUp:
    """The engine's two points mapped into the picture, with what speaks against them."""
    thresholds = Bundle.open(bundle).manifest.thresholds
    view = View.whole(340, 190)
    keypoints = np.array([[300, 120, 0.9, 0.1], [60, 121, 0.8, 0.2]], np.float32)
    raw = RawResult(keypoints, np.array([0.0, 1.0], np.float32))
    return lambda: points(locate(raw, view, thresholds)), {}


def torch_eager(bundle: str, checkpoint: str, threads: int) -> SetUp:
    """The checkpoint's deployed graph in torch, FP32, operation by operation."""
    import torch

    from compress.graph import DeployedGraph
    from train.checkpoint import load_model
    from train.model import fold

    torch.set_num_threads(threads)
    opened = Bundle.open(bundle)
    graph = DeployedGraph(fold(load_model(checkpoint)[0]), opened.manifest.row_agreement)
    graph.eval()

    def run(canvas: Picture) -> RawResult:
        with torch.inference_mode():
            keypoints, angle = graph(torch.from_numpy(canvas)[None])
        return RawResult(keypoints[0].numpy(), angle[0].numpy())

    _check_golden_canvas(opened, "fp32", run)
    canvas = canvas_of(picture())
    facts = {"engine": "torch eager", "version": torch.__version__, "threads": threads}
    return lambda: numbers(run(canvas)), facts


def graph(model: str, threads: int) -> SetUp:
    """Any deployed graph, ONNX or IR, in OpenVINO: of another network, whose answer is its own."""
    path = Path(model)
    files, kind = {"model": path.read_bytes()}, "onnx"
    if path.suffix == ".xml":
        files["weights"], kind = path.with_suffix(".bin").read_bytes(), "openvino-ir"
    loaded = engine("openvino").load(files, kind, "cpu", threads)
    canvas = canvas_of(picture())
    facts = {**loaded.describe(), "kernels": kernels(loaded)}
    return lambda: numbers(loaded.infer(canvas)), facts


def template() -> SetUp:
    """The classical way: the cut-out piece, whose place is given, sought along its row by edges."""
    puzzle = sample()
    return lambda: list(match_template(puzzle)), {"engine": "opencv"}


SUBJECTS: dict[str, Callable[..., SetUp]] = {
    made.__name__: made
    for made in (predict, infer, letterbox, answer, torch_eager, graph, template)
}


def match_template(sample: Sample) -> tuple[float, float]:
    """Where on its row the piece fits best, x and y of its centre in picture pixels.

    The usual recipe: edges of the piece's box (Canny), correlated with those of the picture to the
    right of it, on its rows. It is told where the piece is, which the network has to find.
    """
    assert sample.slider_picture_xy is not None
    outline = sample.outlines_picture_xy["slider"][0]
    height, width = sample.picture.shape[:2]
    left, top = np.floor(outline.min(axis=0)).astype(int).clip(0)
    right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, (width, height))
    edges = cv2.Canny(cv2.cvtColor(sample.picture, cv2.COLOR_BGR2GRAY), 100, 200)
    piece, rows = edges[top:bottom, left:right], edges[top:bottom, right:]
    x, y = sample.slider_picture_xy
    if rows.shape[1] < piece.shape[1]:
        return x, y
    found = cv2.matchTemplate(rows, piece, cv2.TM_CCOEFF_NORMED)
    return x + float(found[0].argmax()) + (right - left), y


def canvas_of(pixels: Picture) -> Picture:
    """The picture on its canvas."""
    canvas = new_canvas()
    View.of(pixels, None).render(pixels, canvas)
    return canvas


def points(location: Location) -> list[float]:
    """Both points, picture pixels: gap x, y, slider x, y."""
    return [location.gap.x, location.gap.y, location.slider.x, location.slider.y]


def numbers(raw: RawResult) -> list[float]:
    """Both points, canvas pixels: gap x, y, slider x, y."""
    return [float(value) for value in raw.keypoints[:, :2].ravel()]


def kernels(backend: object) -> dict[str, int]:
    """How many layers of a compiled OpenVINO network run on which kernels."""
    model = cast(Any, backend)._compiled.get_runtime_model()
    facts = [op.get_rt_info() for op in model.get_ordered_ops()]
    kinds = [
        str(fact["primitiveType"].value)
        for fact in facts
        if str(fact["layerType"].value) in ("Convolution", "FullyConnected", "MatMul")
    ]
    return dict(Counter(kinds).most_common())


def _check_golden_canvas(
    bundle: Bundle, precision: str, run: Callable[[Picture], RawResult]
) -> None:
    """Raise AssertionError unless the golden picture's canvas gets its golden points."""
    golden = bundle.manifest.golden
    assert golden is not None, f"{bundle.directory} has no golden picture"
    pixels = load(bundle.read_golden(golden))
    view = View.of(pixels, None)
    found = numbers(run(canvas_of(pixels)))
    expected = golden.answer[precision]
    wanted = view.letterbox.to_canvas(
        [[expected[point][axis] for axis in "xy"] for point in ("gap", "slider")]
    ).ravel()
    off_px = float(np.abs(np.array(found) - wanted).max())
    assert off_px <= AGREEMENT_CANVAS_PX, f"{off_px:.2f} canvas px off the golden answer"
