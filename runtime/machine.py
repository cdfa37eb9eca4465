"""What machine this is, as far as it decides how fast an engine runs."""

from __future__ import annotations

import dataclasses
import json
import platform
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from runtime.backends.tensorrt import cuda
from runtime.cpus import default_threads
from runtime.errors import BackendUnavailable

_PACKAGES = (
    "openvino",
    "onnxruntime",
    "onnxruntime-gpu",
    "tensorrt-cu13",
    "tensorrt-rtx-cu13",
    "opencv-python-headless",
    "numpy",
)


@dataclass(frozen=True)
class Machine:
    """processor: its name; cores: `runtime.cpus.default_threads`; system: name and release.

    gpus: names of the NVIDIA GPUs that CUDA can use. packages: installed ones -> version.
    """

    processor: str
    cores: int
    system: str
    gpus: tuple[str, ...]
    packages: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any of the facts."""
        facts = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return sha256(facts.encode()).hexdigest()[:16]


@cache
def this_machine() -> Machine:
    """Describe the machine that this process runs on."""
    installed = {name: version for name in _PACKAGES if (version := _version(name))}
    return Machine(
        processor=_processor(),
        cores=default_threads(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        gpus=_gpus(),
        packages=installed,
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _gpus() -> tuple[str, ...]:
    try:
        return tuple(gpu.name for gpu in cuda.gpus())
    except BackendUnavailable:
        return ()
