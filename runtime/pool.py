"""Things that take time to make, each used by one caller at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Pool(Generic[_T]):
    """Keeps as many things as were ever in use at once, for any number of threads."""

    def __init__(self) -> None:
        self._idle: deque[_T] = deque()

    def take(self, make: Callable[[], _T]) -> _T:
        """What was given back last, still in the processor's caches; `make()` where none is left.

        What is never given back is only lost to the pool.
        """
        try:
            return self._idle.pop()
        except IndexError:
            return make()

    def give(self, thing: _T) -> None:
        """Take one back."""
        self._idle.append(thing)
