"""The `locator` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from runtime.commands import bench, doctor, info, predict
from runtime.commands.common import (
    EXIT_BROKEN_PIPE,
    EXIT_INTERRUPTED,
    complain,
)
from runtime.errors import LocatorError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. Raises SystemExit for wrong usage (2)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # file names may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options)
    except LocatorError as error:
        return complain(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has left, as `head` does; without this the flush at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="locator",
        description="Finds the gap and the piece in slider-puzzle pictures.",
        epilog="`locator COMMAND --help` shows examples.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (predict, info, doctor, bench):
        command.register(subparsers)
    return parser
