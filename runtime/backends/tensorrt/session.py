"""Runs a TensorRT engine: fixed buffers, and one CUDA graph from upload to download."""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from runtime.backends.base import INPUT_NAME, INPUT_SHAPE, OUTPUT_SHAPES
from runtime.backends.tensorrt import cuda
from runtime.errors import BackendError
from runtime.geometry import Picture, RawResult

if TYPE_CHECKING:
    import tensorrt_rtx as trt


class Session:
    """One engine, ready to run on one GPU; a lock lets one canvas in at a time.

    engine: of either library. gpu: CUDA's number of the GPU.
    Raises BackendError when the GPU has no room for it or fails.
    """

    def __init__(self, engine: trt.ICudaEngine, gpu: int) -> None:
        self._gpu = gpu
        self._lock = threading.Lock()
        with ExitStack() as owner:
            cuda.use(gpu)
            self._stream = cuda.new_stream(owner)
            self._canvas = cuda.Buffer(INPUT_SHAPE, np.uint8, owner)
            self._results = {
                name: cuda.Buffer(shape, np.float32, owner) for name, shape in OUTPUT_SHAPES.items()
            }
            context = self._new_context(engine)
            owner.callback([context, engine].clear)
            self._enqueue(context)  # the first run loads kernels, which a recording must not
            cuda.wait(self._stream)
            self._graph = cuda.Graph(self._stream, owner)
            with self._graph.record():
                self._enqueue(context)
            owner.callback(cuda.use, gpu)  # closing may happen in another thread
            # A session that is merely forgotten releases everything too.
            self._release = weakref.finalize(self, owner.pop_all().close)

    def _new_context(self, engine: trt.ICudaEngine) -> trt.IExecutionContext:
        context = engine.create_execution_context()
        if context is None:
            raise BackendError("the engine cannot be run: the GPU's memory may be full")
        for name, buffer in {INPUT_NAME: self._canvas, **self._results}.items():
            context.set_tensor_address(name, buffer.device)
        return context

    def _enqueue(self, context: trt.IExecutionContext) -> None:
        self._canvas.upload(self._stream)
        if not context.execute_async_v3(int(self._stream)):
            raise BackendError("the engine refused to run")
        for buffer in self._results.values():
            buffer.download(self._stream)

    def run(self, canvas: Picture) -> RawResult:
        """See `Backend.infer`."""
        with self._lock:
            if not self._release.alive:
                raise BackendError("this backend is closed: create a new Locator")
            cuda.use(self._gpu)
            self._canvas.host[0] = canvas
            self._graph.launch()
            cuda.wait(self._stream)
            keypoints, angle = (self._results[name].host[0] for name in OUTPUT_SHAPES)
            return RawResult(keypoints.copy(), angle.copy())

    def close(self) -> None:
        """See `Backend.close`."""
        with self._lock:
            self._release()
