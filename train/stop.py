"""A polite stop: the first SIGINT or SIGTERM lets the step finish and the run save itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopFlag:
    """Set once; read after every step."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """A flag that SIGINT and SIGTERM set; a second signal acts as it did before."""
    flag = StopFlag()
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        flag.set()
        restore()

    for number in previous:
        signal.signal(number, on_signal)
    try:
        yield flag
    finally:
        restore()
