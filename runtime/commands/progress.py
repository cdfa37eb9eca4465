"""A counter on the terminal, for runs whose output goes elsewhere."""

from __future__ import annotations

import sys


class Progress:
    """Counts pictures on standard error, in place: `12/400`.

    Only where somebody sees it and nothing else tells: standard error is a terminal, standard
    output is not (its lines would be the progress), and there is more than one picture.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._shown = total > 1 and sys.stderr.isatty() and not sys.stdout.isatty()

    def step(self) -> None:
        """Count one picture."""
        self._done += 1
        if self._shown:
            print(f"\r{self._done}/{self._total}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the counter away, so that a line can be printed in its place."""
        if self._shown:
            print(f"\r{' ' * (2 * len(str(self._total)) + 1)}\r", end="", file=sys.stderr)
