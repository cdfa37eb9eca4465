"""Keeps several inferences under way while the next picture is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

IN_FLIGHT = 4

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    start: Callable[[_Item], Callable[[], _Result]], items: Iterable[_Item]
) -> Iterator[_Result]:
    """Yield a result for each item, in order, with at most IN_FLIGHT of them under way.

    start: called in the caller's thread with an item; what it returns is called in another thread
        and gives the result.
    An exception, be it from `items`, from `start` or from what that returned, is raised when its
    turn has come, after the results of all earlier items.
    """
    from concurrent.futures import ThreadPoolExecutor  # costs time that `predict` need not spend

    waiting: deque[Future[_Result]] = deque()
    source = iter(items)
    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="locator") as pool:
        while True:
            try:
                waiting.append(pool.submit(start(next(source))))
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
