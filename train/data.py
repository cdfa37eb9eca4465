"""Generated pictures on their canvases, ready for the network.

Every picture depends on (seed, index) alone, so that a run can stop after any step and go on with
the very next picture, whatever the number of workers.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from runtime.errors import InputError
from runtime.geometry import Letterbox
from train.config import ConfigError, DataConfig
from train.synth import Backgrounds, Sample, SynthOptions, render
from train.targets import truth_vector

# Added to the seed for validation, so that its pictures come from a stream of their own.
VALIDATION_SEED = 2**31

Item = tuple[NDArray[np.uint8], NDArray[np.float32]]


def prepare(sample: Sample) -> Item:
    """A sample's canvas u8 [256, 512, 4] and truth vector f32 [13]."""
    height, width = sample.picture.shape[:2]
    letterbox = Letterbox(width, height)
    return letterbox.render(sample.picture), truth_vector(sample, letterbox)


class GeneratedPictures(Dataset[Item]):
    """The endless stream of pictures of one seed; index i is picture i of it."""

    def __init__(self, seed: int, options: SynthOptions, backgrounds: Backgrounds | None) -> None:
        self._seed, self._options, self._backgrounds = seed, options, backgrounds

    def __getitem__(self, index: int) -> Item:
        return prepare(render(self._seed, index, self._options, self._backgrounds))


class _Range(Sampler[int]):
    """The indices start … stop − 1 in order: every picture is new, nothing needs shuffling."""

    def __init__(self, start: int, stop: int) -> None:
        self._range = range(start, stop)

    def __iter__(self) -> Iterator[int]:
        return iter(self._range)

    def __len__(self) -> int:
        return len(self._range)


def loader(
    dataset: Dataset[Item], start: int, stop: int, batch_size: int, workers: int
) -> DataLoader[Item]:
    """Batches of pictures start … stop − 1: (canvas u8 [B, 256, 512, 4], truth f32 [B, 13])."""
    return DataLoader(
        dataset,
        batch_size,
        sampler=_Range(start, stop),
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_init_worker,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="fork" if workers else None,
    )


def datasets(config: DataConfig) -> tuple[Dataset[Item], Dataset[Item]]:
    """The training and the validation stream that a configuration describes.

    Raises:
        ConfigError: a family or the folder of photographs is not what it should be.
    """
    try:
        options = SynthOptions(leave_out=frozenset(config.leave_out))
        # Validation shows new puzzles on the same photographs; the test split stays unseen.
        photographs = None if config.backgrounds is None else Backgrounds(config.backgrounds)
    except (ValueError, InputError) as error:
        raise ConfigError(f"data: {error}") from error
    return (
        GeneratedPictures(config.seed, options, photographs),
        GeneratedPictures(config.seed + VALIDATION_SEED, options, photographs),
    )


def network_input(canvas: Tensor) -> Tensor:
    """u8 [B, 256, 512, 4] to f32 [B, 4, 256, 512] in 0..1, in channels_last memory."""
    return canvas.permute(0, 3, 1, 2).float().div_(255)


def _collate(items: Sequence[Item]) -> tuple[Tensor, Tensor]:
    canvases, truths = zip(*items, strict=True)
    return torch.from_numpy(np.stack(canvases)), torch.from_numpy(np.stack(truths))


def _init_worker(_worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    # A signal to the whole group is for the training process, which finishes its step and saves;
    # a worker ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
