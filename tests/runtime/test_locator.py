from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from runtime import BackendError, BackendUnavailable, BundleError, InputError, Locator
from runtime.backends import openvino as openvino_adapter
from runtime.backends.openvino import OpenVinoBackend
from runtime.bundle import Thresholds, sha256_of
from runtime.geometry import RawResult
from runtime.locator import locate
from runtime.view import View
from tests.runtime.conftest import build_onnx, puzzle

LIMITS = Thresholds(min_score=0.5)
SERVED = [("int8", "openvino"), ("fp32", "openvino"), ("fp32", "onnxruntime")]


@pytest.mark.parametrize(("precision", "backend"), SERVED)
def test_predict_finds_the_marked_pixels(shared_bundle, precision, backend):
    with Locator(precision, backend=backend, bundle=shared_bundle, threads=1) as locator:
        location = locator.predict(puzzle((300, 120), (50, 121)))
    assert (location.gap.x, location.gap.y) == pytest.approx((300, 120), abs=1e-4)
    assert (location.slider.x, location.slider.y) == pytest.approx((50, 121), abs=1e-4)
    assert location.distance_px == pytest.approx(250, abs=1e-4)
    assert location.angle_deg == pytest.approx(30, abs=1e-4)
    assert location.gap.score == pytest.approx(1)
    assert location.gap.rival == pytest.approx(0.25)
    assert location.ok
    assert location.reasons == ()


def test_predict_answers_in_picture_pixels(shared_bundle):
    picture = np.full((100, 300, 3), 40, np.uint8)
    picture[40:60, 200:220] = (0, 0, 255)
    picture[40:60, 20:40] = (255, 0, 0)
    location = Locator(bundle=shared_bundle).predict(picture)
    # The first canvas pixel of a block is the block's corner, to within a canvas pixel.
    assert location.gap.x == pytest.approx(200, abs=1)
    assert location.gap.y == pytest.approx(40, abs=1)
    assert location.slider.x == pytest.approx(20, abs=1)
    assert (location.picture_width, location.picture_height) == (300, 100)


def test_faint_points_are_reported_with_reasons(shared_bundle):
    location = Locator(bundle=shared_bundle).predict(np.full((256, 512, 3), 51, np.uint8))
    assert not location.ok
    assert location.reasons == (
        "nothing found",
        "gap score 0.200 is below 0.500",
        "slider score 0.200 is below 0.500",
    )
    assert location.gap.score == pytest.approx(0.2)


@pytest.mark.parametrize(("precision", "backend"), SERVED)
def test_threads_share_one_locator(shared_bundle, precision, backend):
    rng = np.random.default_rng(5)
    cases = [
        ((int(x), int(y)), (int(u), int(v)))
        for x, y, u, v in rng.integers((0, 0, 0, 128), (512, 128, 512, 256), (160, 4))
    ]
    start = threading.Barrier(4)

    with Locator(precision, backend=backend, bundle=shared_bundle, threads=1) as locator:

        def work(part: int) -> list[tuple[float, ...]]:
            start.wait(timeout=30)
            found = [locator.predict(puzzle(*case)) for case in cases[part::4]]
            return [(f.gap.x, f.gap.y, f.slider.x, f.slider.y) for f in found]

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(work, range(4)))
    for part, answer in enumerate(answers):
        expected = [(*gap, *slider) for gap, slider in cases[part::4]]
        assert answer == pytest.approx(np.array(expected), abs=1e-4)


@pytest.mark.parametrize(("precision", "backend"), SERVED)
def test_results_are_not_overwritten_by_the_next_call(shared_bundle, precision, backend):
    locator = Locator(precision, backend=backend, bundle=shared_bundle)
    canvas = np.zeros((256, 512, 4), np.uint8)
    canvas[10, 20, 0] = 255
    first = locator._backend.infer(canvas)
    kept = first.keypoints.copy()
    locator._backend.infer(np.zeros_like(canvas))
    assert np.array_equal(first.keypoints, kept)
    assert canvas[10, 20, 0] == 255


def test_pictures_of_different_shapes_do_not_leak_into_each_other(shared_bundle):
    locator = Locator(bundle=shared_bundle)
    wide, tall = puzzle((5, 5), (400, 40), (512, 60)), np.full((256, 30, 3), 51, np.uint8)
    locator.predict(wide)
    assert locator.predict(tall).gap.score == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"precision": "int4"}, InputError, "unknown precision 'int4': expected fp32 or int8"),
        ({"backend": "tflite"}, InputError, "unknown backend 'tflite': expected auto or"),
        ({"threads": 0}, InputError, "expected at least 1 thread, got 0"),
        ({"device": "cuda"}, BackendUnavailable, "no device 'cuda' here, expected cpu"),
        ({"device": "auto:banana"}, BackendUnavailable, "no device 'auto:banana'"),
        ({"backend": "onnxruntime"}, BackendUnavailable, "int8 artefact is for openvino"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(shared_bundle, options, error, says):
    with pytest.raises(error, match=says):
        Locator(bundle=shared_bundle, **options)


@pytest.mark.parametrize("device", ["CPU", "cpu", "auto", "auto:cpu"])
def test_device_names_of_the_engine_are_taken(shared_bundle, device):
    locator = Locator(bundle=shared_bundle, device=device)
    assert locator.predict(puzzle((9, 9), (30, 9))).gap.x == pytest.approx(9, abs=1e-4)


def test_a_missing_engine_is_named_and_passed_over_only_by_auto(shared_bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendUnavailable, match=r"pip install .edge-locator\[onnxruntime\]"):
        Locator("fp32", backend="onnxruntime", bundle=shared_bundle)
    explanation = Locator("fp32", bundle=shared_bundle).explain()
    assert explanation.chosen.backend == "openvino"
    assert "fp32 with openvino on cpu: chosen" in str(explanation)
    assert "rejected: onnxruntime cannot be imported" in str(explanation)


def test_a_missing_openvino_is_named(shared_bundle, monkeypatch):
    openvino_adapter._core.cache_clear()
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BackendUnavailable, match="pip install openvino"):
        Locator("int8", bundle=shared_bundle)
    assert Locator("fp32", bundle=shared_bundle).describe()["engine"] == "onnxruntime"


def test_explain_names_the_one_that_could_serve_too(shared_bundle):
    text = str(Locator("fp32", bundle=shared_bundle).explain())
    assert "fp32 with onnxruntime on cpu: usable, but comes later in the order" in text


@pytest.mark.parametrize(("precision", "backend"), SERVED)
def test_describe_says_what_runs(shared_bundle, precision, backend):
    facts = Locator(precision, backend=backend, bundle=shared_bundle, threads=2).describe()
    assert facts["precision"] == precision
    assert facts["engine"] == backend
    assert facts["device"] == "cpu"
    assert facts["threads"] == 2
    assert facts["version"]


@pytest.mark.parametrize(("precision", "backend"), SERVED)
def test_a_closed_locator_says_so(shared_bundle, precision, backend):
    locator = Locator(precision, backend=backend, bundle=shared_bundle)
    picture = puzzle((9, 9), (30, 9))
    locator.predict(picture)
    locator.close()
    locator.close()
    with pytest.raises(BackendError, match="closed"):
        locator.predict(picture)


def test_tune_measures_the_bundle_that_is_named(shared_bundle, monkeypatch):
    asked = []
    monkeypatch.setattr("runtime.tune.tune", lambda *request: asked.append(request))
    Locator.tune("fp32", bundle=shared_bundle, threads=1)
    assert [(bundle.directory, *rest) for bundle, *rest in asked] == [(shared_bundle, "fp32", 1)]


def _replace(folder: Path, name: str, data: bytes) -> None:
    """Swap a file and its digest: damage that only the engine can notice."""
    old = (folder / name).read_bytes()
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace(sha256_of(old), sha256_of(data)))
    (folder / name).write_bytes(data)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_network_that_the_engine_refuses_is_a_typed_error(own_bundle, backend):
    _replace(own_bundle, "fp32.onnx", b"no network")
    with pytest.raises(BackendError, match=f"{backend} cannot (read|load) the network"):
        Locator("fp32", backend=backend, bundle=own_bundle)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_network_with_other_outputs_is_refused(own_bundle, backend):
    _replace(own_bundle, "fp32.onnx", build_onnx(outputs=("points", "angle")))
    with pytest.raises(BundleError, match=r"'points'.*export the bundle anew"):
        Locator("fp32", backend=backend, bundle=own_bundle)


def test_a_failure_while_running_onnxruntime_is_a_typed_error(shared_bundle):
    locator = Locator("fp32", backend="onnxruntime", bundle=shared_bundle)
    with pytest.raises(BackendError, match="onnxruntime failed"):
        locator._backend.infer(np.zeros((1, 1, 4), np.uint8))


class _BrokenRequest:
    """Stands for OpenVINO's compiled network and its request: running it fails."""

    def create_infer_request(self) -> _BrokenRequest:
        return self

    def set_tensor(self, name: str, tensor: ov.Tensor) -> None:
        assert (name, list(tensor.shape)) == ("canvas", [1, 256, 512, 4])

    def infer(self) -> None:
        raise RuntimeError("Exception from core.cpp:105:\nout of memory\n")


def test_a_failure_while_running_openvino_is_a_typed_error():
    backend = OpenVinoBackend(_BrokenRequest(), "cpu", 1)
    with pytest.raises(BackendError, match=r"^openvino failed: out of memory$"):
        backend.infer(np.zeros((256, 512, 4), np.uint8))


def _raw(x=100.0, y=100.0, score=0.9, sine=0.0, cosine=1.0) -> RawResult:
    gap = [x, y, score, 0.1]
    slider = [x, y + (20 if y < 128 else -20), score, 0.1]  # not at the gap's place
    return RawResult(np.array([gap, slider], np.float32), np.array([sine, cosine], np.float32))


def test_points_in_the_padding_are_reported_as_outside():
    location = locate(_raw(x=3, y=128), View.whole(100, 100), LIMITS)
    assert location.reasons == (
        "gap lies outside the picture",
        "slider lies outside the picture",
    )
    assert location.gap.x < -0.5


@pytest.mark.parametrize(
    ("x", "y", "inside"),
    [
        (-0.5, -0.5, True), (511.49, 255.49, True), (-0.51, 9, False), (9, -0.51, False),
        (511.5, 9, False), (9, 255.5, False),
    ],
)  # fmt: skip
def test_the_picture_ends_half_a_pixel_beyond_its_last_centres(x, y, inside):
    assert locate(_raw(x=x, y=y), View.whole(512, 256), LIMITS).ok == inside


@pytest.mark.parametrize(
    ("sine", "cosine", "expected"),
    [(0, 1, 0), (0.5, 0.5, 45), (-1, 0, -90), (0.0, -1, 180), (-0.0, -1, 180), (0, 0, 0)],
)
def test_angles_lie_in_the_half_open_range(sine, cosine, expected):
    location = locate(_raw(sine=sine, cosine=cosine), View.whole(512, 256), LIMITS)
    assert location.angle_deg == pytest.approx(expected)


def test_scores_are_clipped_to_their_range():
    assert locate(_raw(score=1.0000002), View.whole(512, 256), LIMITS).gap.score == 1


@pytest.mark.parametrize("broken", [_raw(x=np.nan), _raw(sine=np.inf)])
def test_answers_that_are_not_finite_are_engine_failures(broken):
    with pytest.raises(BackendError, match="not finite"):
        locate(broken, View.whole(512, 256), LIMITS)
