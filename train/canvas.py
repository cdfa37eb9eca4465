"""One picture on its canvas with its truth and its shapes, and what keeps many of them."""

from __future__ import annotations

import mmap
import multiprocessing
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH, STRIDE, Letterbox
from train.coverage import KINDS, Shapes, coverage_of
from train.synth import Sample
from train.targets import TRUTH_FIELDS, transformed, truth_vector

Canvas = NDArray[np.uint8]
Truth = NDArray[np.float32]
Item = tuple[Canvas, Truth, Shapes]


def canvas_shape(canvas_scale: int) -> tuple[int, int, int]:
    """(height, width, 4) of a canvas that is `canvas_scale` times smaller than the contract's."""
    return CANVAS_HEIGHT // canvas_scale, CANVAS_WIDTH // canvas_scale, 4


def prepare(sample: Sample, canvas_scale: int = 1) -> Item:
    """A sample's canvas u8 [256, 512, 4], truth vector f32 [13] and shapes u8 [64, 128, 3] (see
    `train.coverage`), or all made smaller."""
    height, width = sample.picture.shape[:2]
    letterbox = Letterbox(width, height)
    canvas, truth = letterbox.render(sample.picture), truth_vector(sample, letterbox)
    return *shrink(canvas, truth, canvas_scale), coverage_of(sample, letterbox, canvas_scale)


def shrink(canvas: Canvas, truth: Truth, canvas_scale: int) -> tuple[Canvas, Truth]:
    """Canvas and truth at 1 / `canvas_scale` of their size; the truth in the new pixels."""
    if canvas_scale == 1:
        return canvas, truth
    height, width, _ = canvas_shape(canvas_scale)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    # A pixel's centre at x lies at (x + 1/2) / scale - 1/2 afterwards.
    factor = 1 / canvas_scale
    matrix = np.array([[factor, 0, factor / 2 - 0.5], [0, factor, factor / 2 - 0.5]])
    return np.asarray(small, np.uint8), transformed(truth, matrix)


class CanvasCache:
    """Items by number, each made once: as many of the first `count` as `gib` GiB hold.

    The memory is shared with every process forked later (a data loader's workers) and taken from
    the system as it fills. What is handed out cannot be written to.
    """

    def __init__(self, count: int, gib: float, canvas_scale: int = 1) -> None:
        height, width, channels = canvas_shape(canvas_scale)
        canvas, shapes = (height, width, channels), (height // STRIDE, width // STRIDE, len(KINDS))
        self.slots = min(count, int(gib * 2**30 // (np.prod(canvas) + np.prod(shapes))))
        self._parts = (
            shared((self.slots, *canvas), np.uint8),
            shared((self.slots, len(TRUTH_FIELDS)), np.float32),
            shared((self.slots, *shapes), np.uint8),
        )
        self._filled = shared((self.slots,), np.bool_)
        # Only orders memory between processes: a flag seen means that the canvas is there.
        self._lock = multiprocessing.get_context("fork").Lock()

    @property
    def gib(self) -> float:
        """GiB of canvases and shapes it holds once full."""
        canvases, _, shapes = self._parts
        return float((canvases.nbytes + shapes.nbytes) / 2**30)

    def item(self, number: int, make: Callable[[], Item]) -> Item:
        """Item `number`, made by `make` when it is not there yet."""
        if number >= self.slots:
            return make()
        with self._lock:
            filled = self._filled[number]
        if not filled:
            for part, made in zip(self._parts, make(), strict=True):
                part[number] = made
            with self._lock:
                self._filled[number] = True
        canvas, truth, shapes = (part[number] for part in self._parts)
        for array in (canvas, truth, shapes):
            array.flags.writeable = False
        return canvas, truth, shapes


def shared(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that processes forked later share; memory is taken from the system as it is used."""
    count = int(np.prod(shape))
    memory = mmap.mmap(-1, max(1, count * np.dtype(dtype).itemsize))
    return np.frombuffer(memory, dtype, count).reshape(shape)
