"""Layers drawn by many processes, kept on the training's device: the newest replace the oldest."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.errors import InputError
from train import distributed
from train.canvas import shared
from train.compose.layers import FIELDS, draw_layers
from train.data import init_worker
from train.entries import DataError
from train.generated import GeneratedPictures

_CHUNK = 16  # items that travel together
_CHUNKS = 2  # of a process: while one travels, the other is filled
_POLL_S = 0.002
_SLOT_BYTES = sum(int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in FIELDS.values())

Fields = Mapping[str, Tensor]


class Bank:
    """Layers of as many of the source's pictures as `gib` GiB of the device's memory hold.

    Which slots are filled when depends on how fast the processes are: no two runs are alike.
    """

    def __init__(
        self, source: GeneratedPictures, device: torch.device, gib: float, processes: int
    ) -> None:
        self.slots = int(gib * 2**30 / _SLOT_BYTES) // _CHUNK * _CHUNK
        if self.slots == 0:
            raise DataError(f"data.compose.gib = {gib}: {_CHUNK} pictures take more")
        self.made = 0  # pictures so far
        self._device = device
        self._fields = {
            name: torch.zeros((self.slots, *shape), dtype=_torch_type(kind), device=device)
            for name, (shape, kind) in FIELDS.items()
        }
        self._boxes = {
            name: shared((processes, _CHUNKS, _CHUNK, *shape), kind)
            for name, (shape, kind) in FIELDS.items()
        }
        self._full = shared((processes, _CHUNKS), np.uint8)
        context = multiprocessing.get_context("fork")
        self._errors = context.SimpleQueue()
        self._processes = [
            context.Process(target=self._fill, args=(source, number), daemon=True)
            for number in range(processes)
        ]
        for process in self._processes:
            process.start()
        if device.type == "cuda":  # page-locked: copies need no detour and no waiting
            for box in self._boxes.values():
                torch.cuda.cudart().cudaHostRegister(box.ctypes.data, box.nbytes, 0)
        self._lock, self._enough = threading.Lock(), threading.Event()
        self._collector = threading.Thread(target=self._collect, daemon=True)
        self._collector.start()

    @contextlib.contextmanager
    def reading(self, least: int = 1) -> Iterator[tuple[Fields, int]]:
        """The fields and how many slots are filled, `least` at the least; nothing moves meanwhile.

        Raises:
            DataError: a picture could not be drawn.
        """
        while self.made < min(least, self.slots):
            self._check()
            time.sleep(_POLL_S)
        self._check()
        with self._lock:
            yield self._fields, min(self.made, self.slots)

    def close(self) -> None:
        """Ends the processes; the bank is of no use afterwards."""
        self._enough.set()
        self._collector.join()
        for process in self._processes:
            process.kill()
            process.join()

    def _check(self) -> None:
        if not self._errors.empty():
            raise DataError(self._errors.get())
        if not all(process.is_alive() for process in self._processes):
            raise DataError("a process that draws pictures has ended: out of memory?")
        if not self._collector.is_alive():  # else the same pictures would be shown for ever
            raise DataError("the thread that collects pictures has ended")

    def _fill(self, source: GeneratedPictures, number: int) -> None:
        """What process `number` does: it draws every so many-th picture of the source."""
        init_worker()
        processes = len(self._full)
        picture, chunk = distributed.rank() * processes + number, 0
        step = distributed.world() * processes
        try:
            while True:
                while self._full[number, chunk]:
                    time.sleep(_POLL_S)
                for place in range(_CHUNK):
                    layers, picture = _next_layers(source, picture, step)
                    for name, box in self._boxes.items():
                        box[number, chunk, place] = layers[name]
                self._full[number, chunk] = 1
                chunk = (chunk + 1) % _CHUNKS
        except (DataError, InputError) as error:
            self._errors.put(str(error))

    def _collect(self) -> None:
        stream = torch.cuda.Stream() if self._device.type == "cuda" else None
        while not self._enough.is_set():
            ready = np.argwhere(self._full.copy())
            if not len(ready):
                time.sleep(_POLL_S)
                continue
            with torch.cuda.stream(stream):
                arrived = [self._copied(process, chunk) for process, chunk in ready]
            if stream is not None:
                stream.synchronize()
            for process, chunk in ready:
                self._full[process, chunk] = 0
            with self._lock:
                for layers in arrived:
                    self._store(layers)

    def _copied(self, process: int, chunk: int) -> dict[str, Tensor]:
        hosts = {n: torch.from_numpy(box[process, chunk]) for n, box in self._boxes.items()}
        return {n: host.to(self._device, non_blocking=True, copy=True) for n, host in hosts.items()}

    def _store(self, layers: Fields) -> None:
        at = self.made % self.slots
        for name, part in layers.items():
            self._fields[name][at : at + _CHUNK] = part
            if part.is_cuda:
                part.record_stream(torch.cuda.current_stream())
        self.made += _CHUNK


def _next_layers(
    source: GeneratedPictures, picture: int, step: int
) -> tuple[dict[str, NDArray[Any]], int]:
    """The first picture from `picture` on, in steps, that comes in layers; and the one after."""
    while True:
        options = source.options_of(picture)
        layers = draw_layers(source.showing.seed, picture, options, source.backgrounds)
        picture += step
        if layers is not None:
            return layers, picture


def _torch_type(kind: type) -> torch.dtype:
    return torch.from_numpy(np.zeros(1, kind)).dtype
