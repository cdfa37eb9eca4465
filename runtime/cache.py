"""Things that cost time to make and fit one machine alone, kept in the user's cache folder.

An entry is a file named after the digest of everything it depends on, so a change of any of that
makes a new entry. It begins with the digest of its content, so damage is noticed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runtime.bundle import sha256_of
from runtime.files import write_atomically

# An entry of another library, driver or network is never asked for again.
KEPT_ENTRIES = 8
_DIGEST_BYTES = 32
_SUFFIX = ".entry"


def cache_folder() -> Path:
    """The package's folder in the platform's cache folder of this user; it need not exist."""
    import platformdirs  # costs time that a Locator without a cache need not spend

    return Path(platformdirs.user_cache_dir("edge-locator", appauthor=False))


@dataclass(frozen=True)
class Entry:
    """One cached thing. kind: its folder; depends_on: all that it depends on, as JSON values."""

    kind: str
    depends_on: Mapping[str, object]

    @property
    def path(self) -> Path:
        """The entry's file."""
        facts = json.dumps(self.depends_on, sort_keys=True).encode()
        return cache_folder() / self.kind / (sha256_of(facts) + _SUFFIX)

    def get(self, make: Callable[[], bytes]) -> bytes:
        """Return the entry's content, made and kept first where it is missing or damaged.

        Of several processes that need the same entry one makes it and the others wait. Where the
        folder cannot be written, what was made is returned all the same, with a warning.
        """
        path = self.path
        data = _read(path)
        if data is None:
            with _locked(path.parent):
                data = _read(path)  # another process may just have made it
                if data is None:
                    if path.exists():
                        _warn("%s is damaged: making it anew", path)
                    data = make()
                    _keep(path, data)
        return data

    def forget(self) -> None:
        """Remove the entry, so that it is made anew the next time."""
        with suppress(OSError):
            self.path.unlink()


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    with suppress(OSError):  # somebody else's cache may be read all the same
        os.utime(path)  # pruning goes by the time of the last use
    digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return data if _digest(data) == digest else None


def _digest(data: bytes) -> bytes:
    return bytes.fromhex(sha256_of(data))


def _keep(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, _digest(data) + data)
        _prune(path.parent)
    except OSError as error:
        _warn("%s cannot be kept (%s): it will be made each time", path, error.strerror)


def _warn(message: str, *facts: object) -> None:
    import logging  # costs time that a start need not spend

    logging.getLogger(__name__).warning(message, *facts)


def _prune(folder: Path) -> None:
    """Remove what was not used for longest, and what interrupted writers left behind."""
    entries = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
    for path in (*entries[:-KEPT_ENTRIES], *folder.glob(".*.tmp")):
        path.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: one for all entries, as builds side by side would slow each other."""
    from filelock import FileLock  # as above

    lock = FileLock(folder / "lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:
        yield  # writing the entry will fail too, and say so
        return
    try:
        yield
    finally:
        lock.release()
