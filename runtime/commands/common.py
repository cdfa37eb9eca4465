"""What the subcommands share: how they are declared, how they report errors, exit codes."""

from __future__ import annotations

import argparse
import sys
from typing import TypeAlias

from runtime.bundle import default_bundle_path
from runtime.errors import LocatorError

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_BROKEN_PIPE = 0, 2, 130, 141


def add_command(
    subparsers: Subparsers, name: str, summary: str, epilog: str
) -> argparse.ArgumentParser:
    """Declare a subcommand with --bundle; its `run` default is set by the caller.

    summary: what it does, in lower case; epilog: examples and exit codes, printed as they are.
    """
    added = subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added.add_argument(
        "--bundle", metavar="DIR", default=default_bundle_path(), help="use your own bundle"
    )
    return added


def complain(error: LocatorError) -> int:
    """Print the error to stderr, a line, and return the exit code that says so."""
    print(f"locator: error: {error}", file=sys.stderr, flush=True)
    return EXIT_FAILED
