"""A bundle: a folder with manifest.json and the artefacts it describes, read and written here."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import BundleError, InputError
from runtime.files import write_atomically
from runtime.manifest import (
    SCHEMA_VERSION,
    Artefact,
    Calibration,
    Compression,
    Gate,
    Golden,
    Manifest,
    ManifestError,
    Model,
    ThresholdFit,
    Thresholds,
    parse_manifest,
)

__all__ = [
    "MANIFEST_NAME",
    "SCHEMA_VERSION",
    "Artefact",
    "Bundle",
    "Calibration",
    "Compression",
    "Gate",
    "Golden",
    "Manifest",
    "Model",
    "ThresholdFit",
    "Thresholds",
    "default_bundle_path",
    "sha256_of",
    "write_bundle",
]

MANIFEST_NAME = "manifest.json"
_REMEDY = "reinstall edge-locator, or export the bundle anew if it is your own"


def default_bundle_path() -> Path:
    """Folder of the bundle that comes with the package."""
    return Path(__file__).parent / "weights"


def sha256_of(data: bytes) -> str:
    """Hex SHA-256 digest, as manifests hold it."""
    from hashlib import sha256  # loads OpenSSL, which costs time

    return sha256(data).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. directory: its folder; manifest: what it says about itself."""

    directory: Path
    manifest: Manifest

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Bundle:
        """Read a bundle's manifest. Raises BundleError when it is missing, damaged or too new."""
        folder = Path(directory)
        path = folder / MANIFEST_NAME
        if not os.path.isdir(folder):
            raise BundleError(f"{folder} is not a folder: give the folder of a bundle")
        data = _read(path)
        try:
            manifest = parse_manifest(json.loads(data, parse_constant=_refuse))
        except ManifestError as error:
            raise BundleError(f"{path}: {error} ({_REMEDY})") from error
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{path} is damaged, it is not JSON: {_REMEDY}") from error
        return cls(folder, manifest)

    @property
    def precisions(self) -> tuple[str, ...]:
        """Precisions that some artefact has, sorted."""
        return tuple(sorted({artefact.precision for artefact in self.manifest.artefacts.values()}))

    def artefact(self, precision: str, backend: str) -> Artefact:
        """The first artefact of that precision meant for that backend.

        Raises InputError for a precision the bundle does not hold and for a backend that none of
        its artefacts of that precision is for.
        """
        if precision not in self.precisions:
            held = ", ".join(self.precisions)
            raise InputError(f"precision {precision!r} is not in this bundle, which holds: {held}")
        fitting = [a for a in self.manifest.artefacts.values() if a.precision == precision]
        for artefact in fitting:
            if backend in artefact.backends:
                return artefact
        meant = sorted({name for artefact in fitting for name in artefact.backends})
        raise InputError(
            f"this bundle's {precision} artefact is for {', '.join(meant)}, not for {backend}"
        )

    def read(self, artefact: Artefact) -> dict[str, bytes]:
        """Return the artefact's files, role -> content, after checking their digests.

        The very bytes that were checked are returned, so that nothing can change in between.
        Raises BundleError naming the file that is missing or does not match.
        """
        return {
            role: self._read_checked(name, artefact.sha256[role])
            for role, name in artefact.files.items()
        }

    def read_golden(self, golden: Golden) -> bytes:
        """Return the encoded golden picture, checked like `read`."""
        return self._read_checked(golden.picture, golden.sha256)

    def verify(self) -> None:
        """Check every file the manifest names. Raises BundleError for the first that fails."""
        for name, digest in _named_files(self.manifest):
            self._read_checked(name, digest)

    def _read_checked(self, name: str, digest: str) -> bytes:
        path = self.directory / name
        data = _read(path)
        if sha256_of(data) != digest:
            raise BundleError(
                f"{path} is not the file that the manifest describes (wrong sha256): {_REMEDY}"
            )
        return data


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")  # though Python would take NaN and Infinity


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing: {_REMEDY}") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}): {_REMEDY}") from error


def _named_files(manifest: Manifest) -> Iterable[tuple[str, str]]:
    for artefact in manifest.artefacts.values():
        for role, name in artefact.files.items():
            yield name, artefact.sha256[role]
    if manifest.golden:
        yield manifest.golden.picture, manifest.golden.sha256


def write_bundle(
    directory: str | os.PathLike[str], manifest: Manifest, files: Mapping[str, bytes]
) -> Bundle:
    """Write a bundle, replacing one that is there, and return it opened.

    files: file name -> content, for every file that the manifest names.
    Each file appears whole or not at all, and the manifest last: an interrupted write is noticed
    by its digests. Raises ValueError when manifest and files disagree.
    """
    expected = dict(_named_files(manifest))
    actual = {name: sha256_of(data) for name, data in files.items()}
    if expected != actual:
        wrong = sorted(name for name, _ in expected.items() ^ actual.items())
        raise ValueError(f"manifest and files disagree about: {', '.join(dict.fromkeys(wrong))}")
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_atomically(folder / name, data)
    text = json.dumps(dataclasses.asdict(manifest), indent=2, allow_nan=False) + "\n"
    write_atomically(folder / MANIFEST_NAME, text.encode())
    return Bundle.open(folder)
