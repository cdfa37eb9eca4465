"""What a figure depends on: machine, versions, weights."""

from __future__ import annotations

import dataclasses
import os
import platform
from pathlib import Path
from typing import Any

import openvino as ov
import torch

from runtime.bundle import MANIFEST_NAME, sha256_of
from runtime.machine import this_machine

_INSTRUCTIONS = ("avx2", "avx_vnni", "avx512_vnni", "amx_int8")


def fingerprint(bundle_dir: Path) -> dict[str, Any]:
    """Facts that decide about figures, none of which names the host or its user."""
    machine = dataclasses.asdict(this_machine())
    packages = {
        **machine.pop("packages"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    return {
        **machine,
        "logical_cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "instructions": [name for name in _INSTRUCTIONS if name in _cpu_flags()],
        "engine_capabilities": sorted(ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
        "packages": packages,
        "bundle_sha256": sha256_of((bundle_dir / MANIFEST_NAME).read_bytes()),
    }


def _cpu_flags() -> set[str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    flags = [line.partition(":")[2].split() for line in lines if line.startswith("flags")]
    return set(flags[0]) if flags else set()
