"""The Locator: letterbox, inference, letterbox undone."""

from __future__ import annotations

import math
import os
import threading
from types import TracebackType

import numpy as np

from runtime.backends import engine
from runtime.backends.base import Backend, default_threads
from runtime.bundle import Bundle, default_bundle_path
from runtime.choose import AUTO, Choice, choose
from runtime.errors import BackendError, InputError
from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH, Letterbox, Picture, RawResult
from runtime.picture import PictureSource, load
from runtime.result import Keypoint, Location


class Locator:
    """Finds the gap and the slider piece in pictures. One may be shared by several threads.

    precision: `int8` (fast) or `fp32`, as far as the bundle holds them.
    device: `auto` (the CPU), `cpu`, or another device of the backend, such as OpenVINO's `gpu`.
    backend: `auto`, `openvino` or `onnxruntime`.
    bundle: folder of a bundle; the package's own when None.
    threads: threads of one inference; as many as the process has CPUs when None.

    Whatever is asked for by name is used or refused, never replaced. Raises InputError for an
    unknown name, BackendUnavailable when the engine or device cannot be used here, BundleError for
    a damaged bundle and BackendError when the engine cannot load the network.
    """

    def __init__(
        self,
        precision: str = "int8",
        *,
        device: str = AUTO,
        backend: str = AUTO,
        bundle: str | os.PathLike[str] | None = None,
        threads: int | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"expected at least 1 thread, got {threads}")
        opened = Bundle.open(default_bundle_path() if bundle is None else bundle)
        self._choice, chosen, artefact = choose(opened, precision, backend, device)
        self._min_score = opened.manifest.thresholds.min_score
        self._backend: Backend = engine(chosen.backend).load(
            opened.read(artefact), artefact.format, chosen.device, threads or default_threads()
        )
        self._local = threading.local()

    def predict(self, picture: PictureSource) -> Location:
        """Locate both points in a picture.

        picture: a path, the bytes of a PNG, JPEG, WebP or BMP file, a uint8 array (grey, BGR or
            BGRA) or a PIL image.
        Returns a Location in picture pixels, whatever the picture shows: its `ok` and `reasons`
        say whether to trust it. Raises InputError for a picture that cannot be read.
        """
        pixels = load(picture)
        letterbox = Letterbox(picture_width=pixels.shape[1], picture_height=pixels.shape[0])
        canvas = letterbox.render(pixels, out=self._canvas())
        return locate(self._backend.infer(canvas), letterbox, self._min_score)

    def _canvas(self) -> Picture:
        """A canvas to draw on, one a thread: a fresh one for every picture would cost time."""
        canvas: Picture | None = getattr(self._local, "canvas", None)
        if canvas is None:
            canvas = self._local.canvas = np.empty((CANVAS_HEIGHT, CANVAS_WIDTH, 4), np.uint8)
        return canvas

    def explain(self) -> Choice:
        """Which backends were considered, which one serves and why not the others; str() reads."""
        return self._choice

    def describe(self) -> dict[str, str | int]:
        """Facts about what runs: precision, engine, version, device, threads."""
        return {"precision": self._choice.precision, **self._backend.describe()}

    def close(self) -> None:
        """Free the network. `predict` raises BackendError afterwards; closing twice is fine."""
        self._backend.close()

    def __enter__(self) -> Locator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def locate(raw: RawResult, letterbox: Letterbox, min_score: float) -> Location:
    """Turn the network's answer for a canvas into one for the picture.

    min_score: 0..1; a point below it, or outside the picture, becomes a reason not to trust.
    Raises BackendError when the answer holds numbers that are not finite.
    """
    if not (np.isfinite(raw.keypoints).all() and np.isfinite(raw.angle).all()):
        raise BackendError("the network answered with numbers that are not finite")
    points_picture_xy = letterbox.to_picture(raw.keypoints[:, :2])
    gap, slider = (
        # Engines approximate the sigmoid: it may pass 1 by a rounding error.
        Keypoint(float(x), float(y), min(1.0, max(0.0, float(score))), max(0.0, float(rival)))
        for (x, y), (score, rival) in zip(points_picture_xy, raw.keypoints[:, 2:], strict=True)
    )
    width, height = letterbox.picture_width, letterbox.picture_height
    sine, cosine = (float(part) for part in raw.angle)
    angle_deg = math.degrees(math.atan2(sine, cosine))
    return Location(
        gap=gap,
        slider=slider,
        angle_deg=180.0 if angle_deg == -180.0 else angle_deg,
        picture_width=width,
        picture_height=height,
        reasons=(
            *_doubts("gap", gap, width, height, min_score),
            *_doubts("slider", slider, width, height, min_score),
        ),
    )


def _doubts(
    name: str, point: Keypoint, width: int, height: int, min_score: float
) -> tuple[str, ...]:
    doubts = []
    if point.score < min_score:
        doubts.append(f"{name} score {point.score:.3f} is below {min_score:.3f}")
    if not (-0.5 <= point.x < width - 0.5 and -0.5 <= point.y < height - 0.5):
        doubts.append(f"{name} lies outside the picture")
    return tuple(doubts)
