"""From a network to a bundle: what every compression command takes, makes and writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openvino as ov

from compress import gate, report
from compress.agreement import measure
from compress.artefacts import Artefacts, artefacts
from compress.calibration import CalibrationSet
from compress.errors import RefusedError
from compress.fakequant import RawNet
from compress.gate import Tolerances
from compress.layers import IrModel, name_layers
from compress.onnx_graphs import deployed_onnx, fp16_onnx
from compress.package import producing_versions, publish
from compress.qdq import qdq_onnx
from compress.quantize import FLOATING, serialised
from runtime import BackendError
from runtime.bundle import Bundle, Calibration, Compression, Manifest, Model, Thresholds
from train.answers import MIN_SCORE
from train.config import Config
from train.evaluate import DEFAULT_TESTSET
from train.model import KeypointNet
from train.picturesets import PictureSet, of_testset


@dataclass(frozen=True, eq=False)
class Source:
    """What a bundle is made from.

    folded: the trained network with every block folded, and for quantisation its channels scaled
        alike (`compress.equalize`); config: its training's.
    pictures: what quantisation is calibrated on; None where nothing is quantised.
    floating: patterns of layers that stay in floating point.
    row_agreement, min_score: what the manifest says under these names.
    """

    folded: KeypointNet
    config: Config
    pictures: CalibrationSet | None = None
    floating: tuple[str, ...] = FLOATING
    row_agreement: float = 1.0
    min_score: float = MIN_SCORE

    @property
    def calibration(self) -> CalibrationSet:
        """The pictures, for what needs some."""
        assert self.pictures is not None
        return self.pictures

    def manifest(self, made: Artefacts, compression: Compression | None) -> Manifest:
        """The manifest of a bundle of it, without a golden picture."""
        model, pictures = self.config.model, self.pictures
        return Manifest(
            model=Model(model.kind, model.model_dump(mode="json")),
            row_agreement=self.row_agreement,
            thresholds=Thresholds(self.min_score),
            artefacts=made.entries,
            calibration=Calibration(pictures.count, pictures.sha256) if pictures else None,
            golden=None,
            versions=producing_versions(),
            compression=compression,
        )


@dataclass(frozen=True, eq=False)
class Int8:
    """An INT8 network: for OpenVINO, and for TensorRT and ONNX Runtime.

    method, settings: as `runtime.bundle.Compression` has them.
    """

    method: str
    settings: dict[str, Any]
    ir: IrModel
    qdq: bytes

    @classmethod
    def of(cls, method: str, settings: dict[str, Any], net: RawNet, row_agreement: float) -> Int8:
        """Both forms of a network with quantisers."""
        unsigned = ov.Core().read_model(qdq_onnx(net, row_agreement, signed=False))
        name_layers(unsigned)
        signed = qdq_onnx(net, row_agreement, signed=True)
        return cls(method, settings, serialised(unsigned), signed)


@dataclass(frozen=True)
class GateRequest:
    """Which pictures the gate shows, what it allows, and where a report goes (None: nowhere)."""

    testset: str = DEFAULT_TESTSET
    pictures: int | None = None
    backgrounds: Path | None = None
    tolerances: Path = gate.TOLERANCES
    report: Path | None = None

    def picture_set(self) -> PictureSet:
        """The pictures, anew. Raises TestSetError for a set that cannot be made here."""
        return of_testset(self.testset, self.backgrounds, self.pictures)

    def limits(self) -> Tolerances:
        """See `compress.gate.load_tolerances`."""
        return gate.load_tolerances(self.tolerances)


def publish_gated(output: Path, source: Source, int8: Int8, request: GateRequest) -> Bundle:
    """Write a bundle if its artefacts pass the gate.

    Raises RefusedError when they do not, and as `compress.package.publish`; the output is then
    as it was.
    """
    return publish_int8(output, source, int8, lambda bundle: examined(bundle, request))


def publish_int8(
    output: Path, source: Source, int8: Int8, examine: Callable[[Bundle], Manifest] | None = None
) -> Bundle:
    """Write a bundle with all artefacts; see `compress.package.publish`."""
    made = artefacts(
        {
            "fp32": deployed_onnx(source.folded, source.row_agreement),
            "fp16": fp16_onnx(source.folded, source.row_agreement),
            "int8": int8.ir,
            "int8-qdq": int8.qdq,
        }
    )
    manifest = source.manifest(made, Compression(int8.method, int8.settings, None))
    return publish(output, manifest, made.files, examine)


def examined(bundle: Bundle, request: GateRequest) -> Manifest:
    """Hold a bundle to the gate, writing its report whatever comes of it.

    Returns the manifest with what was found. Raises RefusedError when it does not pass.
    """
    limits = request.limits()
    try:
        measured = measure(bundle, request.picture_set())
    except BackendError as error:  # FP16 overflows, for one
        raise RefusedError(f"refused: {error}; nothing was written") from error
    found = gate.checks(measured, limits)
    if request.report:
        report.write(bundle, measured, found, request.report)
    gate.refuse_unless_passed(found, measured)
    manifest = bundle.manifest
    assert manifest.compression is not None
    record = dataclasses.replace(manifest.compression, gate=gate.gate_record(measured, limits))
    return dataclasses.replace(manifest, compression=record)


def summary(bundle: Bundle) -> str:
    """A bundle's files, what it was calibrated on, and what the gate found, as text."""
    lines = [
        f"{path.name:<18}{path.stat().st_size:>12,} bytes"
        for path in sorted(bundle.directory.iterdir())
    ]
    calibrated = bundle.manifest.calibration
    if calibrated:
        lines.insert(
            0, f"calibrated on {calibrated.count} pictures, sha256 {calibrated.sha256[:16]}"
        )
    made = bundle.manifest.compression
    if made and made.gate:
        figures = made.gate.figures
        lines += [f"on {made.gate.testset}, {made.gate.pictures} pictures, against FP32:"]
        lines += [report.one_line(name, of_artefact) for name, of_artefact in figures.items()]
    return "\n".join([*lines, f"written to {bundle.directory}"])
