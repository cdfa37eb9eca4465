"""Random numbers for every picture of a batch, on the batch's device."""

from __future__ import annotations

import torch
from torch import Tensor


class Dice:
    """Draws one value, or one tensor, for each of `count` pictures; all on `generator`'s device."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count, self.generator, self.device = count, generator, generator.device

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        """f32 [count, *shape] in low ... high."""
        size = (self.count, *shape)
        drawn = torch.rand(size, device=self.device, generator=self.generator)
        return low + (high - low) * drawn

    def normal(self, *shape: int) -> Tensor:
        """f32 [count, *shape] of mean 0 and deviation 1."""
        size = (self.count, *shape)
        return torch.randn(size, device=self.device, generator=self.generator)

    def chance(self, probability: float) -> Tensor:
        """bool [count], each true with that probability."""
        return self.uniform() < probability

    def slots(self, filled: int) -> Tensor:
        """i64 [count], each in 0 ... filled - 1."""
        return torch.randint(filled, (self.count,), device=self.device, generator=self.generator)

    def order(self) -> Tensor:
        """The numbers 0 ... count - 1 in random order, i64 [count]."""
        return torch.randperm(self.count, device=self.device, generator=self.generator)

    def first(self, count: int) -> Dice:
        """The dice of a batch's first pictures."""
        return Dice(count, self.generator)


def per_picture(values: Tensor, like: Tensor) -> Tensor:
    """[N] as [N, 1, 1, 1], of the type of `like`."""
    return values.to(like.dtype).reshape(-1, 1, 1, 1)
