"""The errors of compression's commands, and how a command reports them."""

from __future__ import annotations

import sys
from collections.abc import Callable

from runtime.errors import LocatorError
from train.checkpoint import CheckpointError


class CompressionError(RuntimeError):
    """Something given to a compression command cannot be used; the message is one line."""


def run_command(command: Callable[[], str]) -> int:
    """Run a command, print the report it returns, and return the exit code.

    What the user can mend (a bad checkpoint, picture, bundle or path) becomes one line on stderr
    and exit code 2; anything else is a defect and keeps its traceback.
    """
    try:
        report = command()
    except (CompressionError, CheckpointError, LocatorError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{report}\n")
    return 0
