"""The schema of a bundle's manifest.json: the dataclasses, and strict reading of them.

Strict means: every key must be there and be known, and nothing is converted. A manifest is written
by a program, so any deviation means damage or a version this package does not understand.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

from runtime.geometry import CANVAS_HEIGHT, CONTRACT_VERSION

SCHEMA_VERSION = 3
_OLDEST_READ = 2

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_ROLES = {"onnx": ["model"], "openvino-ir": ["model", "weights"]}
_T = TypeVar("_T")


class ManifestError(Exception):
    """The manifest does not follow the schema; the text names the key and the deviation."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ManifestError(message)


def _require_sha256(value: str, where: str) -> None:
    _require(bool(_SHA256.fullmatch(value)), f"{where}: expected 64 hex digits, got {value!r}")


def _require_plain_name(value: str, where: str) -> None:
    # A name with a separator or a leading dot could reach outside the bundle's folder.
    plain = bool(_PLAIN_NAME.fullmatch(value))
    _require(plain, f"{where}: expected a plain file name, got {value!r}")


@dataclass(frozen=True)
class Model:
    """Which network: its name and the configuration it was built with (model keys of training)."""

    name: str
    config: dict[str, Any]


@dataclass(frozen=True)
class ThresholdFit:
    """How thresholds were fitted, and the rates on other pictures than those fitted on.

    precision: whose answers; pictures: how many were fitted on, and as many measured on.
    false_abstention: share of the right answers that was not trusted.
    true_abstention: share of the wrong answers that was not trusted.
    no_gap_abstention: share of the pictures without a gap whose answer was not trusted.
    """

    precision: str
    pictures: int
    false_abstention: float
    true_abstention: float
    no_gap_abstention: float


@dataclass(frozen=True)
class Thresholds:
    """From where on an answer is reported but not trusted; the defaults never object.

    min_score: of a point, 0..1. max_rival: of a point, 0..1 (see `runtime.Keypoint`).
    max_row_difference_canvas_px: between the two points' rows, canvas pixels.
    fit: None where the values were set by hand.
    """

    min_score: float
    max_rival: float = 1.0
    max_row_difference_canvas_px: float = float(CANVAS_HEIGHT)
    fit: ThresholdFit | None = None

    def __post_init__(self) -> None:
        for name, largest in (
            ("min_score", 1), ("max_rival", 1), ("max_row_difference_canvas_px", CANVAS_HEIGHT)
        ):  # fmt: skip
            value = getattr(self, name)
            fits = 0 <= value <= largest
            _require(fits, f"thresholds.{name}: expected 0..{largest}, got {value}")


@dataclass(frozen=True)
class Artefact:
    """One deployable form of the network.

    files: role -> plain file name; role `model`, and `weights` for openvino-ir.
    sha256: role -> hex digest of that file.
    format: `onnx` or `openvino-ir`; precision: `fp32`, `int8`, ...
    backends: names of the engines it is for.
    measured: test set name -> its fingerprint and the figures measured on it.
    """

    files: dict[str, str]
    sha256: dict[str, str]
    format: str
    precision: str
    backends: tuple[str, ...]
    measured: dict[str, dict[str, Any]]

    def __post_init__(self) -> None:
        known = ", ".join(_ROLES)
        _require(self.format in _ROLES, f"format: expected one of {known}, got {self.format!r}")
        roles = _ROLES[self.format]
        for key, entries in (("files", self.files), ("sha256", self.sha256)):
            got = sorted(entries)
            _require(got == sorted(roles), f"{key}: expected the roles {roles}, got {got}")
        for role, name in self.files.items():
            _require_plain_name(name, f"files.{role}")
            _require_sha256(self.sha256[role], f"sha256.{role}")


@dataclass(frozen=True)
class Calibration:
    """The pictures that quantisation was calibrated on: how many, and the digest of the set."""

    count: int
    sha256: str

    def __post_init__(self) -> None:
        _require_sha256(self.sha256, "calibration.sha256")


@dataclass(frozen=True)
class Golden:
    """A picture with its known answers: precision -> `Location.to_dict()`, its points at least."""

    picture: str
    sha256: str
    answer: dict[str, dict[str, Any]]

    def __post_init__(self) -> None:
        _require_plain_name(self.picture, "golden.picture")
        _require_sha256(self.sha256, "golden.sha256")
        for precision, answer in self.answer.items():
            for point in ("gap", "slider"):
                where = f"golden.answer.{precision}.{point}"
                found = _parse(answer.get(point), dict[str, float], where)
                _require({"x", "y"} <= found.keys(), f"{where}: expected x and y")


@dataclass(frozen=True)
class Gate:
    """What the artefacts were held to before the bundle was written, and what was found.

    testset, pictures, fingerprint: on which pictures.
    tolerances: artefact name -> figure -> what it may be at most.
    figures: artefact name -> what was measured against FP32.
    """

    testset: str
    pictures: int
    fingerprint: str
    tolerances: dict[str, dict[str, float]]
    figures: dict[str, dict[str, Any]]

    def __post_init__(self) -> None:
        _require_sha256(self.fingerprint, "compression.gate.fingerprint")


@dataclass(frozen=True)
class Compression:
    """How the INT8 artefacts were made. method: `ptq` or `qat`; settings: its own.

    gate: None where nothing was measured.
    """

    method: str
    settings: dict[str, Any]
    gate: Gate | None


@dataclass(frozen=True)
class Manifest:
    """The whole manifest. versions: package name -> version that produced the bundle.

    row_agreement: the exponent of the row prior that the artefacts decode with.
    artefacts: artefact name -> artefact.
    compression: None where there is no INT8, or nothing is known of how it was made.
    """

    model: Model
    row_agreement: float
    thresholds: Thresholds
    artefacts: dict[str, Artefact]
    calibration: Calibration | None
    golden: Golden | None
    versions: dict[str, str]
    contract_version: int = CONTRACT_VERSION
    schema_version: int = SCHEMA_VERSION
    compression: Compression | None = None

    def __post_init__(self) -> None:
        fits = math.isfinite(self.row_agreement) and self.row_agreement >= 0
        _require(fits, f"row_agreement: expected a number >= 0, got {self.row_agreement}")
        _require(bool(self.artefacts), "artefacts: expected at least one")


def parse_manifest(document: object) -> Manifest:
    """Build a Manifest from what json.loads returned. Raises ManifestError."""
    if isinstance(document, dict):
        version = _check_version(document, "schema_version", SCHEMA_VERSION, _OLDEST_READ)
        _check_version(document, "contract_version", CONTRACT_VERSION, CONTRACT_VERSION)
        if version == 2:  # which said nothing of how INT8 was made
            _require("compression" not in document, "unknown: compression")
            document = {**document, "compression": None, "schema_version": SCHEMA_VERSION}
    return typing.cast(Manifest, _parse(document, Manifest, ""))


def _check_version(document: dict[str, Any], key: str, known: int, oldest: int) -> int:
    version = typing.cast(int, _parse(document.get(key), int, key))
    if version > known:
        raise ManifestError(
            f"{key} is {version}, newer than this package knows ({known}): upgrade edge-locator"
        )
    _require(
        version >= oldest,
        f"{key} is {version}, older than this package reads ({oldest}): export the bundle anew",
    )
    return version


def _parse(value: object, annotation: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return value
    if origin is types.UnionType:  # the schema's unions are all `X | None`
        return None if value is None else _parse(value, arguments[0], where)
    if dataclasses.is_dataclass(annotation):
        return _parse_fields(value, typing.cast(type[Any], annotation), where)
    if origin is dict:
        items = _parse_plain(value, dict, where).items()
        return {key: _parse(item, arguments[1], f"{where}.{key}") for key, item in items}
    if origin is tuple:
        parts = enumerate(_parse_plain(value, list, where))
        return tuple(_parse(part, arguments[0], f"{where}[{n}]") for n, part in parts)
    if annotation is float and type(value) is int:
        try:
            return float(value)
        except OverflowError as error:
            raise ManifestError(f"{where}: the number is too large") from error
    return _parse_plain(value, annotation, where)


def _parse_plain(value: object, expected: type[_T], where: str) -> _T:
    if type(value) is not expected:
        got = "nothing" if value is None else type(value).__name__
        raise ManifestError(f"{where or 'document'}: expected {expected.__name__}, got {got}")
    return value


def _parse_fields(value: object, kind: type[Any], where: str) -> Any:
    mapping = _parse_plain(value, dict, where)
    annotations = typing.get_type_hints(kind)
    prefix = f"{where}." if where else ""
    missing = sorted(annotations.keys() - mapping.keys())
    unknown = sorted(mapping.keys() - annotations.keys())
    _require(not missing, f"missing: {', '.join(prefix + key for key in missing)}")
    _require(not unknown, f"unknown: {', '.join(prefix + key for key in unknown)}")
    return kind(**{key: _parse(mapping[key], annotations[key], prefix + key) for key in mapping})
