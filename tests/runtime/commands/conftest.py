from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from runtime.bundle import Bundle, Golden, sha256_of, write_bundle
from runtime.cli import main
from tests.runtime.conftest import puzzle

GAP_XY, SLIDER_XY = (300, 120), (50, 121)


@pytest.fixture
def golden_bundle(own_bundle: Path) -> Path:
    """The tiny bundle with a golden picture, whose answer is known without running anything."""
    bundle = Bundle.open(own_bundle)
    encoded = cv2.imencode(".png", puzzle(GAP_XY, SLIDER_XY))[1].tobytes()
    answer = {
        name: dict(zip("xy", map(float, point), strict=True))
        for name, point in (("gap", GAP_XY), ("slider", SLIDER_XY))
    }
    golden = Golden("golden.png", sha256_of(encoded), {"fp32": answer, "int8": answer})
    files = {
        artefact.files[role]: data
        for artefact in bundle.manifest.artefacts.values()
        for role, data in bundle.read(artefact).items()
    }
    manifest = dataclasses.replace(bundle.manifest, golden=golden)
    return write_bundle(own_bundle, manifest, {**files, "golden.png": encoded}).directory


@pytest.fixture
def locator(capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command: arguments -> exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
