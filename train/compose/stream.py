"""Batches of composed pictures without end, as `train.data.loader` would give them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from runtime.cpus import default_threads
from runtime.geometry import STRIDE
from train import distributed
from train.compose.bank import Bank
from train.compose.dice import Dice
from train.compose.paint import Puzzles, compose
from train.compose.pick import pick_layers
from train.compose.views import PAGE_SHARE, canvas_of, halved, recoloured, viewed
from train.compose.wear import worn
from train.config import Config
from train.coverage import KINDS
from train.data import Batch
from train.generated import GeneratedPictures

# So many puzzles are painted for each that is shown: about half are worth their label.
_SPARE = 2.0
_LEAST_BATCHES = 2  # in the bank before the first one is shown


def composed_batches(
    config: Config, source: GeneratedPictures, device: torch.device
) -> Generator[Batch]:
    """Canvases u8 [B, 256, 512, 4], truths f32 [B, 13] and shapes u8 [B, 64, 128, 3] on `device`.

    `data.compose` says which share is composed; the others are the generator's, varied. The shapes
    are 0 all over: unknown. With `data.canvas_scale` 2 all are half as large.

    Raises:
        DataError: a picture could not be drawn.
    """
    settings = config.data.compose
    assert settings is not None
    processes = settings.processes or max(1, default_threads() - 1)
    bank = Bank(source, device, settings.gib, max(1, processes // distributed.world()))
    composer = _Composer(config, source, bank, device)
    try:
        with bank.reading(_LEAST_BATCHES * composer.batch_size):
            pass
        while True:
            yield composer.batch()
    finally:
        bank.close()


@dataclass(frozen=True)
class _Mixed:
    """Pictures [N, 256, 512, 3] in 0..255, their rectangles f32 [N, 4] and truths f32 [N, 13]."""

    picture: Tensor
    rect: Tensor
    truth: Tensor


class _Composer:
    def __init__(
        self, config: Config, source: GeneratedPictures, bank: Bank, device: torch.device
    ) -> None:
        assert config.training.batch_size is not None
        assert config.data.compose is not None
        self.batch_size, self.bank, self.options = config.training.batch_size, bank, source.options
        self.augmentation = config.training.augmentation
        self.halves = config.data.canvas_scale == 2
        self.composed = round(self.batch_size * config.data.compose.share)
        self.on_pages = round(PAGE_SHARE * self.batch_size)
        seed = config.data.seed + distributed.rank()
        self.generator = torch.Generator(device).manual_seed(seed)
        # Half precision where it is computed as fast as it is moved.
        self.dtype = torch.float16 if device.type == "cuda" else torch.float32

    @torch.no_grad()
    def batch(self) -> Batch:
        mixed, pages = self._mixed()
        order = self._dice(self.batch_size).order()
        picture, truth = mixed.picture[order], mixed.truth[order]
        if self.augmentation.enabled:
            picture = recoloured(picture, self.augmentation, self._dice(self.batch_size))
        canvas = canvas_of(picture, mixed.rect[order])
        if self.augmentation.enabled:
            dice = self._dice(self.batch_size)
            canvas, truth = viewed(canvas, truth, pages, self.augmentation, dice)
        if self.halves:
            canvas, truth = halved(canvas, truth)
        canvas = (255 * canvas).round_().to(torch.uint8).permute(0, 2, 3, 1)
        rows, columns = (side // STRIDE for side in canvas.shape[1:3])
        shapes = canvas.new_zeros((self.batch_size, rows, columns, len(KINDS)))
        return canvas, truth, shapes

    def _mixed(self) -> tuple[_Mixed, Tensor]:
        """The batch, composed pictures first; and the pages that some are laid on."""
        dice = self._dice(round(self.composed * _SPARE))
        rest, around = self._dice(self.batch_size - self.composed), self._dice(self.on_pages)
        with self.bank.reading() as (fields, filled):
            layers = pick_layers(fields, filled, dice, self.dtype)
            slots = rest.slots(filled)
            made = _Mixed(*(fields[name][slots] for name in ("picture", "rect", "truth")))
            slots = around.slots(filled)
            pages = canvas_of(fields["background"][slots], fields["rect"][slots])
        new = self._best(compose(layers, self.options, dice))
        picture = torch.cat([new.picture, made.picture.to(self.dtype)])
        rect, truth = torch.cat([new.rect, made.rect]), torch.cat([new.truth, made.truth])
        return _Mixed(picture, rect, truth), pages

    def _best(self, puzzles: Puzzles) -> _Mixed:
        """As many as are wanted, those that are not worth their label last."""
        order = puzzles.good.int().argsort(descending=True, stable=True)[: self.composed]
        picture = worn(puzzles.picture[order], self.options, self._dice(self.composed))
        return _Mixed(picture, puzzles.rect[order], puzzles.truth[order])

    def _dice(self, count: int) -> Dice:
        return Dice(count, self.generator)
