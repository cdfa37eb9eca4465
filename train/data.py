"""Where a run's pictures come from, and how they come in batches.

Every picture depends on the seed and its place in the run alone, so that a run can stop after any
step and go on with the very next picture, whatever the number of workers and processes.
"""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from runtime.cpus import default_threads
from runtime.errors import InputError
from train.annotations import load_pictures
from train.canvas import CanvasCache, Item, prepare
from train.coco import CocoPictures
from train.config import AugmentationConfig, Config, ConfigError, DataConfig, EmphasisConfig
from train.entries import DataError
from train.generated import Emphasis, GeneratedPictures
from train.source import SampleSource, Showing, Source
from train.synth import Mixtures, SynthOptions, held_out

__all__ = ["GeneratedPictures", "Item", "Source", "loader", "network_input", "prepare", "sources"]

# Added to the seed for validation, so that its pictures come from a stream of their own.
VALIDATION_SEED = 2**31
GENERATED_PER_EPOCH = 10_000
MOST_WORKERS = 8


Sources = tuple[SampleSource, SampleSource]  # for training and for validation


def sources(config: Config) -> Sources:
    """The training and the validation pictures that a configuration describes.

    Validation pictures are the same ones in every epoch: not shuffled, not augmented and, where
    they are generated, drawn as all are without augmentation, `plain_share` and `emphases`.

    Raises:
        ConfigError: a data set, a family or the folder of photographs is not what it should be.
    """
    augmentation = config.training.augmentation
    try:
        if config.data.dataset is None:
            return _generated(config.data, augmentation)
        return _from_folders(config.data, augmentation)
    except (ValueError, InputError) as error:
        raise ConfigError(f"data: {error}") from error


def _generated(data: DataConfig, augmentation: AugmentationConfig) -> Sources:
    options = SynthOptions(leave_out=frozenset(data.leave_out))
    varied = replace(options, plain_probability=data.plain_share)
    if augmentation.enabled:
        varied = replace(
            varied,
            decoy_probability=augmentation.confusing_gap_prob,
            perlin_probability=augmentation.perlin_noise_prob,
            rotation_probability=augmentation.gap_rotation_prob,
            highlight_probability=augmentation.gap_highlight_prob,
        )
    # The generator draws these into the scene: they are not pasted on top once more.
    drawn = dict.fromkeys(("confusing_gap_prob", "perlin_noise_prob", "gap_highlight_prob"), 0.0)
    augmentation = augmentation.model_copy(update=drawn)
    folder = data.backgrounds
    photographs = None if folder is None else Mixtures(folder)
    others = None if folder is None else held_out(folder)
    per_epoch = data.pictures_per_epoch or GENERATED_PER_EPOCH
    scale, count = data.canvas_scale, data.validation_pictures
    gib, distinct = data.cache_gib if data.cache else 0.0, data.distinct_pictures
    rest = CanvasCache(count, gib, scale)
    cache = CanvasCache(distinct or 0, gib - rest.gib, scale)
    shown = Showing(data.seed, per_epoch, scale, augmentation, cache)
    validated = Showing(data.seed + VALIDATION_SEED, count, scale, cache=rest)
    return (
        GeneratedPictures(shown, varied, photographs, _emphases(data, varied), distinct),
        GeneratedPictures(validated, options, others),
    )


def _emphases(data: DataConfig, options: SynthOptions) -> list[Emphasis]:
    return [
        Emphasis(wanted.share, _emphasised(options, wanted), wanted.finish)
        for wanted in data.emphases
    ]


def _emphasised(options: SynthOptions, wanted: EmphasisConfig) -> SynthOptions:
    given = {
        "piece_height": wanted.piece_height,
        "no_gap_probability": wanted.no_gap,
        "overlapping_probability": wanted.overlapping,
        "right_probability": wanted.right,
        "flush_probability": wanted.flush,
        "deep_blank_probability": wanted.deep_blanks,
    }
    changed: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return replace(options, require=frozenset(wanted.require), **changed)


def _from_folders(data: DataConfig, augmentation: AugmentationConfig) -> Sources:
    assert data.dataset is not None
    assert data.validation_dataset is not None
    pictures = load_pictures(Path(data.dataset))
    validation = load_pictures(Path(data.validation_dataset))[: data.validation_pictures]
    per_epoch = data.pictures_per_epoch or len(pictures)
    if per_epoch > len(pictures):
        raise DataError(f"pictures_per_epoch = {per_epoch}: {data.dataset} has {len(pictures)}")
    scale, gib = data.canvas_scale, data.cache_gib if data.cache else 0.0
    cache = CanvasCache(len(pictures), gib, scale)
    rest = CanvasCache(len(validation), gib - cache.gib, scale)
    shown = Showing(data.seed, per_epoch, scale, augmentation, cache)
    validated = Showing(data.seed, len(validation), scale, cache=rest)
    return (
        CocoPictures(shown, pictures, shuffle=True),
        CocoPictures(validated, validation, shuffle=False),
    )


Key = tuple[int, int]  # epoch, position
Batch = tuple[Tensor, Tensor, Tensor]  # canvases, truths, shapes


class _Guarded(Dataset[Item | DataError]):
    """A source that returns an error where a picture cannot be shown: raised in a worker process,
    it would arrive as a traceback."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getitem__(self, key: Key) -> Item | DataError:
        try:
            return self._source[key]
        except (DataError, InputError) as error:
            return DataError(str(error))


class _Batches(Sampler[list[Key]]):
    """The keys (epoch, position) of every batch of one process, in the order of the run."""

    def __init__(self, starts: range, stop: int, batch_size: int, used_per_epoch: int) -> None:
        self._starts, self._stop = starts, stop
        self._batch_size, self._used_per_epoch = batch_size, used_per_epoch

    def __iter__(self) -> Iterator[list[Key]]:
        for start in self._starts:
            stop = min(start + self._batch_size, self._stop)
            yield [divmod(picture, self._used_per_epoch) for picture in range(start, stop)]

    def __len__(self) -> int:
        return len(self._starts)


class Loader:
    """Batches in the order of a run; raises DataError where a picture cannot be shown."""

    def __init__(self, batches: DataLoader[Any]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Generator[Batch]:
        for batch in self._batches:
            if isinstance(batch, DataError):
                raise batch
            yield batch


def loader(
    source: Source,
    first: int,
    stop: int,
    batch_size: int,
    workers: int | None,
    rank: int = 0,
    world: int = 1,
    used_per_epoch: int | None = None,
) -> Loader:
    """Pictures first … stop − 1 of a run, as batches (canvas u8 [B, H, W, 4], truth f32 [B, 13],
    shapes u8 [B, H/4, W/4, 3]).

    Args:
        batch_size: one process's; `world` of these, one after another, are the run's batch, of
            which process `rank` gets its part.
        workers: processes that make pictures, see `worker_count`.
        used_per_epoch: of every epoch's pictures, how many the run shows (the others are skipped);
            all of them by default.
    """
    starts = range(first + rank * batch_size, stop, world * batch_size)
    used = used_per_epoch or source.pictures_per_epoch
    workers = worker_count(workers)
    batches: DataLoader[Any] = DataLoader(
        _Guarded(source),
        batch_sampler=_Batches(starts, stop, batch_size, used),
        num_workers=workers,
        collate_fn=_collate_good,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=init_worker,
        # Of its own: it would draw from torch's global one, with which a resumed run goes on.
        generator=torch.Generator(),
        prefetch_factor=4 if workers else None,
        multiprocessing_context="fork" if workers else None,
    )
    return Loader(batches)


def worker_count(configured: int | None) -> int:
    """The number of processes that `data.workers` means; None is one for each core to spare."""
    return min(MOST_WORKERS, default_threads() - 1) if configured is None else configured


def network_input(canvas: Tensor) -> Tensor:
    """u8 [B, 256, 512, 4] to f32 [B, 4, 256, 512] in 0..1, in channels_last memory."""
    return canvas.permute(0, 3, 1, 2).float().div_(255)


def collate(items: Sequence[Item]) -> Batch:
    """Items as one batch, stacked."""
    canvases, truths, shapes = (
        torch.from_numpy(np.stack(part)) for part in zip(*items, strict=True)
    )
    return canvases, truths, shapes


def _collate_good(items: Sequence[Item | DataError]) -> Batch | DataError:
    """The batch, or the first error among its items."""
    good = [item for item in items if not isinstance(item, DataError)]
    if len(good) == len(items):
        return collate(good)
    return next(item for item in items if isinstance(item, DataError))


def init_worker(_worker: int = 0) -> None:
    """What a process that makes pictures does first."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    # A signal to the whole group is for the training process, which finishes its step and saves;
    # a worker ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
