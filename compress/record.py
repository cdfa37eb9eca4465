"""Write measured accuracy into a bundle: `python -m compress.record BUNDLE results.json`.

The results are what `python -m train.evaluate --bundle BUNDLE --json results.json` wrote.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compress.errors import CompressionError, run_command
from compress.package import record_measurement
from runtime import Bundle


def record_results(bundle_dir: Path, path: Path) -> str:
    """Record the headline figures of every test set and artefact that a results file holds.

    Results are by precision; the artefact of that name is the one that OpenVINO runs. Returns a
    line for each.

    Raises CompressionError for a file of another form, BundleError for a damaged bundle.
    """
    names = Bundle.open(bundle_dir).manifest.artefacts
    lines = []
    for testset, result in _read(path).items():
        shared = {key: value for key, value in result.items() if key not in names}
        for name in [name for name in names if name in result]:
            figures = _mapping(result[name], path)
            headline = _mapping(figures.get("headline"), path)
            record_measurement(bundle_dir, name, testset, {**shared, **headline})
            lines.append(f"{bundle_dir}: {name} on {testset}")
    return "\n".join(lines)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise CompressionError(f"{path} is not JSON: {error}") from error
    return {name: _mapping(value, path) for name, value in _mapping(document, path).items()}


def _mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CompressionError(f"{path} does not hold what train.evaluate --json writes")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when recorded, 2 with one line on stderr when something was unusable."""
    parser = argparse.ArgumentParser(prog="python -m compress.record", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("results", type=Path)
    given = parser.parse_args(argv)
    return run_command(lambda: record_results(given.bundle, given.results))


if __name__ == "__main__":
    sys.exit(main())
