"""Use locators for a long while, in every way at once: `python -m bench.soak --minutes 10`.

First a thousand locators are made, used and closed, one after the other. Then one locator is shared
by threads that call `predict`, `predict_batch` and `stream`, with pictures and with things that are
none, while another thread makes and closes locators of its own. Every answer must equal the one
that was given before, every bad input must be refused, and the resident memory must not grow by
more than 5 % after the warm-up. The exit code is 0 when all of that held and 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from runtime import InputError, Location, Locator
from runtime.bundle import default_bundle_path
from train.synth import render

PICTURES = 24
BATCH = 8
WARM_UP_CYCLES, CYCLES = 50, 1000
WARM_UP_SHARE, MEASURED_SHARE = 0.1, 0.95  # of the time, between which memory must not grow
ALLOWED_GROWTH = 1.05
_SEED = 30_005

Answer = Location | InputError


@dataclass(frozen=True)
class Case:
    """Something to locate, and its answer; None where it has to be refused."""

    source: Any
    expected: Location | None

    def fits(self, answer: Answer) -> bool:
        """Whether this is the very answer."""
        return isinstance(answer, InputError) if self.expected is None else answer == self.expected


def make_cases(locator: Locator) -> list[Case]:
    """Generated pictures, as arrays and as files, and things that must be refused."""
    cases = []
    for index in range(PICTURES):
        picture = render(_SEED, index).picture
        encoded = cv2.imencode(".png", picture)[1].tobytes()
        expected = locator.predict(picture)
        cases += [Case(picture, expected), Case(encoded, expected)]
    whole = cases[1].source
    bad = (b"", whole[: len(whole) // 2], b"GIF89a" + bytes(99), None, np.zeros((9, 9)), "none.png")
    return cases + [Case(source, None) for source in 2 * bad]


def resident_bytes() -> int:
    """Memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cycle(make: Callable[[], Locator], case: Case, count: int) -> float:
    """Make, use and close locators; return the memory held at the end over that after 50.

    Raises AssertionError for a wrong answer.
    """
    start = 0
    for number in range(count):
        if number == min(WARM_UP_CYCLES, count - 1):
            start = resident_bytes()
        with make() as locator:
            assert case.fits(locator.predict(case.source)), "a fresh locator answered otherwise"
    return resident_bytes() / start


class Soak:
    """Threads that use one locator at once, counting what they did."""

    def __init__(self, make: Callable[[], Locator], cases: Sequence[Case]) -> None:
        self._make = make
        self._cases = cases
        self._until = 0.0
        self._lock = threading.Lock()
        self.answered = 0
        self.wrong = 0

    def run(self, locator: Locator, seconds: float) -> float:
        """Return the memory towards the end over that after the warm-up, both while all threads
        are at work; raise what a thread raised.
        """
        self._until = time.monotonic() + seconds
        work = [self._singles] * 4 + [self._batches, self._streams, self._fresh]
        with ThreadPoolExecutor(len(work)) as pool:
            running = [pool.submit(each, locator, random.Random(n)) for n, each in enumerate(work)]
            wait(running, WARM_UP_SHARE * seconds, FIRST_EXCEPTION)
            warm = resident_bytes()
            wait(running, (MEASURED_SHARE - WARM_UP_SHARE) * seconds, FIRST_EXCEPTION)
            late = resident_bytes()
            for each in running:
                each.result()
            return late / warm

    def _singles(self, locator: Locator, rng: random.Random) -> None:
        while time.monotonic() < self._until:
            self._single(locator, rng.choice(self._cases))

    def _single(self, locator: Locator, case: Case) -> None:
        try:
            answer: Answer = locator.predict(case.source)
        except InputError as error:
            answer = error
        self._count([case], [answer])

    def _batches(self, locator: Locator, rng: random.Random) -> None:
        while time.monotonic() < self._until:
            cases = rng.choices(self._cases, k=BATCH)
            self._count(cases, locator.predict_batch([case.source for case in cases]))

    def _streams(self, locator: Locator, rng: random.Random) -> None:
        while time.monotonic() < self._until:
            cases = rng.choices(self._cases, k=10 * BATCH)
            stream = locator.stream(case.source for case in cases)
            for case in cases[: rng.randint(1, len(cases))]:  # some are abandoned half way
                self._count([case], [next(stream)])

    def _fresh(self, _: Locator, rng: random.Random) -> None:
        while time.monotonic() < self._until:
            with self._make() as locator:
                self._single(locator, rng.choice(self._cases))

    def _count(self, cases: Sequence[Case], answers: Sequence[Answer]) -> None:
        wrong = sum(not case.fits(answer) for case, answer in zip(cases, answers, strict=True))
        with self._lock:
            self.answered += len(cases)
            self.wrong += wrong


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when all held, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=default_bundle_path(), metavar="DIR")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cycles", type=int, default=CYCLES)
    options = parser.parse_args(argv)

    def make() -> Locator:
        return Locator(options.precision, bundle=options.bundle)

    with make() as locator:
        cases = make_cases(locator)
        cycled = cycle(make, cases[0], options.cycles)
        say(f"{options.cycles} locators made and closed: memory x {cycled:.3f}")
        soak = Soak(make, cases)
        grown = soak.run(locator, 60 * options.minutes)
    say(f"{soak.answered} answers, {soak.wrong} wrong: memory x {grown:.3f}")
    return int(soak.wrong > 0 or max(cycled, grown) > ALLOWED_GROWTH)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
