"""Remembers what `Locator.tune` measured, for this machine and these very artefacts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from runtime.bundle import Bundle, sha256_of
from runtime.cache import cache_folder
from runtime.files import write_atomically

_KIND = "tuned"


def recall(bundle: Bundle, precision: str) -> dict[tuple[str, str], float]:
    """Return (backend, device) -> milliseconds as remembered, or nothing.

    A record of another machine, or one that cannot be read, counts as none.
    """
    path = _path(bundle, precision)
    if not path.exists():
        return {}
    from runtime.machine import this_machine  # costs time, and mostly there is no record

    try:
        record = json.loads(path.read_bytes())
        if record["machine"] != this_machine().fingerprint:
            return {}
        return {(backend, device): float(ms) for backend, device, ms in record["measured_ms"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def remember(bundle: Bundle, precision: str, measured_ms: Mapping[tuple[str, str], float]) -> None:
    """Keep what was measured. Raises OSError when it cannot be written."""
    from runtime.machine import this_machine

    rows = [[backend, device, ms] for (backend, device), ms in measured_ms.items()]
    record = {"machine": this_machine().fingerprint, "measured_ms": rows}
    path = _path(bundle, precision)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(record).encode())


def _path(bundle: Bundle, precision: str) -> Path:
    digests = sorted(
        digest
        for artefact in bundle.manifest.artefacts.values()
        if artefact.precision == precision
        for digest in artefact.sha256.values()
    )
    return cache_folder() / _KIND / f"{sha256_of(' '.join(digests).encode())}.json"
