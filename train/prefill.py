"""Fills the caches of a run's pictures with all cores, before the first step waits for one."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Event
from typing import Any

from tqdm import tqdm

from runtime.cpus import default_threads
from runtime.errors import InputError
from train import distributed
from train.data import init_worker
from train.entries import DataError
from train.source import SampleSource
from train.stop import StopFlag

_LOOKS_EVERY_S = 0.1


def prefill(sources: Sequence[SampleSource], stop: StopFlag) -> None:
    """Make what the sources' caches can hold; without caches, nothing.

    What is there in the end does not depend on the number of processes. Returns early once `stop`
    is set: what is missing is made when it is shown.

    Raises:
        DataError: a picture cannot be read.
    """
    numbers = [(source, n) for source in sources for n in range(source.showing.cache.slots)]
    if not numbers:
        return
    count = min(len(numbers), max(1, default_threads() // distributed.world()))
    forked = multiprocessing.get_context("fork")  # as the caches are shared with
    made, enough, errors = forked.Value("q", 0), forked.Event(), forked.SimpleQueue()
    processes = [
        forked.Process(target=_fill, args=(numbers[k::count], made, enough, errors), daemon=True)
        for k in range(count)
    ]
    for process in processes:
        process.start()
    with tqdm(total=len(numbers), desc="pictures", disable=not distributed.is_main()) as progress:
        while any(process.is_alive() for process in processes):
            time.sleep(_LOOKS_EVERY_S)
            progress.update(made.value - progress.n)
            if stop.is_set or not errors.empty():
                enough.set()
    for process in processes:
        process.join()
    if not errors.empty():
        raise DataError(errors.get())


def _fill(
    numbers: Sequence[tuple[SampleSource, int]], made: Any, enough: Event, errors: Any
) -> None:
    init_worker()
    try:
        for source, number in numbers:
            if enough.is_set():
                return
            source.unvaried(number)
            with made.get_lock():
                made.value += 1
    except (DataError, InputError) as error:
        errors.put(str(error))
