"""Capping the instruction set: a newer machine as a stand-in for an older one."""

from __future__ import annotations

import argparse
import os
import sys

UNCAPPED, AVX2_VNNI = "none", "avx2-vnni"
# Both are needed: one alone leaves some kernels uncapped.
_VARIABLES = ("OV_CPU_MAX_ISA", "ONEDNN_MAX_CPU_ISA")


def environment(cap: str) -> dict[str, str]:
    """This process's environment, for one whose engines use no newer instructions than `cap`."""
    kept = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    if cap == UNCAPPED:
        return kept
    return kept | dict.fromkeys(_VARIABLES, cap.upper().replace("-", "_"))


def current_cap() -> str:
    """The cap of this process."""
    return os.environ.get(_VARIABLES[0], UNCAPPED).lower().replace("_", "-")


def add_cap(parser: argparse.ArgumentParser) -> None:
    """Declare `--cap`."""
    parser.add_argument("--cap", choices=[AVX2_VNNI], help="use no newer instructions than these")


def start_anew_under(cap: str | None, module: str) -> None:
    """Start `python -m module` with the same arguments again under the cap, which must be set
    before an engine loads; returns where there is none to set."""
    if cap and environment(cap) != dict(os.environ):
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], environment(cap))
