"""The errors of compression's commands, and how a command reports them."""

from __future__ import annotations

import sys
from collections.abc import Callable

from runtime.errors import LocatorError
from train.checkpoint import CheckpointError
from train.config import ConfigError
from train.entries import DataError
from train.testsets import TestSetError

REFUSED, UNUSABLE, INTERRUPTED = 1, 2, 130


class CompressionError(RuntimeError):
    """Something given to a compression command cannot be used; the message is one line."""


class RefusedError(RuntimeError):
    """What was made is not good enough; the message is one line, and nothing was written."""


class InterruptedRunError(RuntimeError):
    """A run was told to stop and can be continued; the message is one line that says how."""


_CODES: dict[type[Exception], int] = {RefusedError: REFUSED, InterruptedRunError: INTERRUPTED}
_UNUSABLE = (
    CompressionError,
    CheckpointError,
    ConfigError,
    DataError,
    LocatorError,
    TestSetError,
    FloatingPointError,
    OSError,
)
_REPORTED: tuple[type[Exception], ...] = (*_CODES, *_UNUSABLE)


def run_command(command: Callable[[], str]) -> int:
    """Run a command, print the report it returns, and return the exit code.

    What the user can mend (a bad checkpoint, picture, bundle or path) becomes one line on stderr
    and exit code 2; what the gate refused, 1; an interrupted run, 130. Anything else is a defect
    and keeps its traceback.
    """
    try:
        report = command()
    except _REPORTED as error:
        sys.stderr.write(f"error: {error}\n")
        return _CODES.get(type(error), UNUSABLE)
    sys.stdout.write(f"{report}\n")
    return 0
