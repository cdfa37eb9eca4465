"""Keeps several inferences under way while the next picture is read."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

IN_FLIGHT = 4

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Workers:
    """IN_FLIGHT threads that stay, started as they are needed.

    Threads that come and go would leave memory behind: an allocator keeps a heap for each.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def submit(self, job: Callable[[], _Result]) -> Future[_Result]:
        """Have a job done by one of them."""
        with self._lock:
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor  # `predict` can do without

                self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="locator")
            return self._pool.submit(job)

    def close(self) -> None:
        """Let them end what they are doing, and end them; a later job starts others."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()


def in_order(
    start: Callable[[_Item], Callable[[], _Result]], items: Iterable[_Item], workers: Workers
) -> Iterator[_Result]:
    """Yield a result for each item, in order, with at most IN_FLIGHT of them under way.

    start: called in the caller's thread with an item; what it returns is called by a worker and
        gives the result.
    An exception, be it from `items`, from `start` or from what that returned, is raised when its
    turn has come, after the results of all earlier items.
    """
    waiting: deque[Future[_Result]] = deque()
    source = iter(items)
    while True:
        try:
            waiting.append(workers.submit(start(next(source))))
        except StopIteration:
            break
        except Exception as error:  # noqa: BLE001 - raised below, in its turn
            waiting.append(_failed(error))
            break
        while waiting and (len(waiting) == IN_FLIGHT or waiting[0].done()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _failed(error: Exception) -> Future[_Result]:
    from concurrent.futures import Future

    future: Future[_Result] = Future()
    future.set_exception(error)
    return future
