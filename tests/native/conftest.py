"""The native library as `cmake --preset release && cmake --build --preset release` leaves it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runtime.conftest import ir, network, own_bundle, shared_bundle

__all__ = ["ir", "network", "own_bundle", "shared_bundle"]  # fixtures

BUILD = Path(__file__).parents[2] / "build" / "release"

Answered = tuple[int, list[str], list[str]]


@pytest.fixture(scope="session")
def library() -> str:
    """The shared library's file."""
    path = BUILD / "lib" / "liblocator.so"
    assert path.exists(), f"{path} is missing: build the release preset first"
    return str(path)


@pytest.fixture(scope="session")
def locate(library: str) -> Callable[..., Answered]:
    """Runs the `locate` command: arguments -> (code, stdout lines, stderr lines)."""

    def run(*arguments: object, stdin: bytes = b"") -> Answered:
        command = [str(BUILD / "bin" / "locate"), *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines()

    return run
