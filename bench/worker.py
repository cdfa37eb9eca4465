"""Everything that is timed runs in a process of its own.

So engines do not share thread pools or memory, a cap of the instruction set (which must be set
before an engine loads) is possible, and several subjects can be timed in turn, so that a change of
the machine's mood meets all of them. The child answers on its standard output, a JSON line each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cap import UNCAPPED, environment
from bench.subjects import SUBJECTS, Subject
from runtime.errors import LocatorError

WARM_UP = 30


class WorkerError(RuntimeError):
    """A subject cannot run here, or its answer is wrong; the message is one line."""


class Worker:
    """A subject, set up, checked and warmed up in a process of its own.

    subject: a name in `bench.subjects.SUBJECTS`; options: its arguments.
    cap: newest instructions that engines may use, such as `avx2-vnni`.
    checkout: folder of the project whose code runs; this one when None.

    answer: what every timed call has to answer; facts: how it runs.
    Raises WorkerError where it cannot be set up.
    """

    def __init__(
        self, subject: str, cap: str = UNCAPPED, checkout: Path | None = None, **options: Any
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", subject, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(cap),
            cwd=checkout,  # where `-m` looks first
        )
        ready = self._read()
        self.answer: list[float] = ready["answer"]
        self.facts: dict[str, Any] = ready["facts"]

    def times_s(self, calls: int) -> list[float]:
        """Seconds of so many further calls, each of which gave the answer; else WorkerError."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()
        return [float(value) for value in self._read()["times_s"]]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        message: dict[str, Any] = json.loads(line or '{"error": "its process died"}')
        if "error" in message:
            self.close()
            raise WorkerError(message["error"])
        return message


def in_turn(workers: Sequence[Worker], calls: int, turns: int) -> list[list[float]]:
    """Seconds of `calls * turns` calls of each worker, which take turns."""
    times_s: list[list[float]] = [[] for _ in workers]
    for _ in range(turns):
        for worker, times in zip(workers, times_s, strict=True):
            times += worker.times_s(calls)
    return times_s


def _timed(call: Subject, calls: int, expected: Sequence[float]) -> list[float]:
    times_s = []
    for _ in range(calls):
        start = time.perf_counter()
        answer = call()
        times_s.append(time.perf_counter() - start)
        assert answer == expected, f"answered {answer}, after {expected}"
    return times_s


def _serve(subject: str, options: Mapping[str, Any]) -> None:
    # Whatever a library prints goes to standard error.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(message: object) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    try:
        call, facts = SUBJECTS[subject](**options)
        answer = call()
        _timed(call, WARM_UP, answer)
        say({"answer": answer, "facts": facts})
        for line in sys.stdin:
            say({"times_s": _timed(call, int(line), answer)})
    except (AssertionError, ImportError, LocatorError, OSError, RuntimeError) as error:
        say({"error": f"{type(error).__name__}: " + " ".join(str(error).split())})


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
