"""Put a bundle together, publish it whole, and record what was measured on it."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

from compress.artefacts import FILES
from compress.errors import CompressionError
from runtime import Bundle, BundleError, Locator
from runtime.bundle import (
    MANIFEST_NAME,
    Golden,
    Manifest,
    Thresholds,
    sha256_of,
    write_bundle,
)
from runtime.geometry import Picture
from train.synth import GENERATOR_VERSION, render

GOLDEN_PICTURE = "golden.png"
_GOLDEN_SEED = 30_002
_PACKAGES = ("torch", "onnx", "openvino", "nncf", "numpy", "opencv-python-headless")


def producing_versions() -> dict[str, str]:
    """Versions of everything that decides what a bundle holds."""
    packages = {name: version(name) for name in _PACKAGES}
    return packages | {"picture generator": str(GENERATOR_VERSION)}


def golden_picture() -> Picture:
    """The self-test's picture: the first of a fixed stream that is of difficulty normal."""
    index = 0
    while (sample := render(_GOLDEN_SEED, index)).difficulty != "normal":
        index += 1
    return sample.picture


def publish(
    output: Path,
    manifest: Manifest,
    files: Mapping[str, bytes],
    examine: Callable[[Bundle], Manifest] | None = None,
) -> Bundle:
    """Add the golden picture with every precision's answer, and write the bundle whole.

    output: the bundle's folder: a new one, an empty one, or a bundle that is then replaced.
    manifest: without a golden picture; files: file name -> content.
    examine: is given the bundle before it takes its place, and returns its manifest with what was
        found; what it raises leaves the output as it was.
    Raises CompressionError when the folder holds anything else, OSError when it cannot be written.
    """
    encoded = cv2.imencode(".png", golden_picture())[1].tobytes()
    files = {**files, GOLDEN_PICTURE: encoded}
    golden = Golden(GOLDEN_PICTURE, sha256_of(encoded), answer={})
    whole = dataclasses.replace(manifest, golden=golden)
    with _replacing(output) as folder:
        _write_answered(folder, whole, files)
        if examine:
            write_bundle(folder, examine(Bundle.open(folder)), files)
    return Bundle.open(output)


def republish(bundle: Bundle, output: Path, examine: Callable[[Bundle], Manifest]) -> Bundle:
    """Write a bundle to another folder; see `publish`. Raises BundleError for a damaged one too."""
    files = _files_of(bundle)
    with _replacing(output) as folder:
        copied = write_bundle(folder, bundle.manifest, files)
        write_bundle(folder, examine(copied), files)
    return Bundle.open(output)


def _write_answered(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write a bundle with every precision's answer for its golden picture, if it has one."""
    opened = write_bundle(folder, manifest, files)
    golden = manifest.golden
    if golden is None:
        return
    answer = {}
    for precision in opened.precisions:
        with Locator(precision, bundle=folder) as locator:
            answer[precision] = locator.predict(files[golden.picture]).to_dict()
    answered = dataclasses.replace(golden, answer=answer)
    write_bundle(folder, dataclasses.replace(manifest, golden=answered), files)


@contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    """A new folder beside `output` that takes its place when the block ends well."""
    check_replaceable(output)
    output = output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (output.with_name(f".{output.name}.{os.getpid()}.{end}") for end in ("new", "old"))
    fresh.mkdir()
    try:
        yield fresh
        if output.exists():
            output.rename(old)
        fresh.rename(output)
    except BaseException:
        if old.exists():
            old.rename(output)
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def check_replaceable(output: Path) -> None:
    """Refuse to replace a folder that holds anything but a bundle: it would be lost.

    Raises CompressionError naming what is in the way.
    """
    if not output.exists():
        return
    if not output.is_dir():
        raise CompressionError(f"{output} is a file: give a folder for the bundle")
    known = {MANIFEST_NAME, GOLDEN_PICTURE, *FILES}
    with suppress(BundleError):  # no manifest, or a damaged one: the usual names must do
        artefacts = Bundle.open(output).manifest.artefacts.values()
        known.update(name for artefact in artefacts for name in artefact.files.values())
    if foreign := sorted({path.name for path in output.iterdir()} - known):
        raise CompressionError(
            f"{output} holds {foreign[0]}, which is no part of a bundle: give an empty folder"
        )


def record_measurement(
    bundle_dir: str | os.PathLike[str], artefact: str, testset: str, result: Mapping[str, Any]
) -> Bundle:
    """Write what was measured on a test set into the manifest, replacing an earlier figure.

    artefact: its name in the bundle.
    testset: the set's name.
    result: JSON values, among them the set's `fingerprint`; a figure that is not finite (nothing
        to measure) becomes null.
    The manifest is replaced atomically. Raises CompressionError for an artefact that the bundle
    does not hold or a result without fingerprint, BundleError for a damaged bundle.
    """
    bundle = Bundle.open(bundle_dir)
    entries = dict(bundle.manifest.artefacts)
    if artefact not in entries:
        held = ", ".join(entries)
        raise CompressionError(f"{bundle.directory} holds {held}, not {artefact}")
    if not isinstance(result.get("fingerprint"), str):
        raise CompressionError(f"the result of {testset!r} has no fingerprint of its pictures")
    measured = {**entries[artefact].measured, testset: finite(dict(result))}
    entries[artefact] = dataclasses.replace(entries[artefact], measured=measured)
    changed = dataclasses.replace(bundle.manifest, artefacts=entries)
    return write_bundle(bundle.directory, changed, _files_of(bundle))


def set_thresholds(bundle: Bundle, thresholds: Thresholds) -> Bundle:
    """Write other thresholds into a bundle, whole, and return it opened anew.

    The golden answers are given anew; measured figures are removed, as refused answers are counted
    in them. Raises BundleError for a damaged bundle, CompressionError when its folder holds
    anything else.
    """
    artefacts = {
        name: dataclasses.replace(artefact, measured={})
        for name, artefact in bundle.manifest.artefacts.items()
    }
    changed = dataclasses.replace(bundle.manifest, artefacts=artefacts, thresholds=thresholds)
    files = _files_of(bundle)
    with _replacing(bundle.directory) as folder:
        _write_answered(folder, changed, files)
    return Bundle.open(bundle.directory)


def _files_of(bundle: Bundle) -> dict[str, bytes]:
    """Every file that the manifest names, name -> content, checked."""
    manifest = bundle.manifest
    files = {
        artefact.files[role]: data
        for artefact in manifest.artefacts.values()
        for role, data in bundle.read(artefact).items()
    }
    if manifest.golden:
        files[manifest.golden.picture] = bundle.read_golden(manifest.golden)
    return files


def finite(value: Any) -> Any:
    """JSON has no nan: null instead, at any depth."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
