"""Running engines on an NVIDIA GPU. Not yet seen to pass: the project has had no GPU so far."""

from __future__ import annotations

import gc
import importlib.util
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from runtime import BackendError, Locator
from runtime.backends import engine
from runtime.bundle import Bundle
from runtime.choose import everywhere
from runtime.errors import BackendUnavailable
from runtime.trial import AGREEMENT_PX, distance_px, expected_points, known_picture, try_out

pytestmark = pytest.mark.gpu
PACKAGES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
INSTALLED = [name for name, package in PACKAGES.items() if importlib.util.find_spec(package)]


@pytest.fixture(params=INSTALLED)
def backend(request) -> str:
    try:
        engine(request.param).devices()
    except BackendUnavailable as error:
        pytest.skip(str(error))  # a GPU that this library is not for
    return request.param


@pytest.fixture
def locator(fp16_bundle, backend):
    with Locator("fp16", backend=backend, bundle=fp16_bundle) as locator:
        yield locator


def free_bytes() -> int:
    from cuda.bindings import runtime

    gc.collect()
    return runtime.cudaMemGetInfo()[1]


def canvases(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return list(rng.integers(0, 256, (count, 256, 512, 4), np.uint8))


def test_the_golden_picture_gets_its_answer(fp16_bundle, backend):
    bundle = Bundle.open(fp16_bundle)
    for candidate in everywhere(bundle, "fp16"):
        if candidate.backend == backend:
            trial = try_out(bundle, "fp16", candidate, None, seconds=0.1)
            expected = expected_points(bundle, "fp16")
            assert distance_px(trial.points_picture_xy, expected) <= AGREEMENT_PX


def test_it_says_what_runs(locator, backend):
    facts = locator.describe()
    assert facts["engine"] == backend
    assert facts["device"] == "cuda:0"
    assert facts["device_name"]


def test_threads_get_their_own_answers(locator):
    pictures = canvases(32)
    infer = locator._backend.infer
    serial = [infer(canvas).keypoints for canvas in pictures]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda canvas: infer(canvas).keypoints, pictures * 4))
    for answer, expected in zip(found, serial * 4, strict=True):
        assert np.array_equal(answer, expected)


def test_results_are_not_overwritten_by_the_next_call(locator):
    first, second = canvases(2)
    answer = locator._backend.infer(first)
    kept = answer.keypoints.copy()
    locator._backend.infer(second)
    assert np.array_equal(answer.keypoints, kept)


def test_two_locators_do_not_disturb_each_other(fp16_bundle, backend, locator):
    first, second = canvases(2)
    expected = locator._backend.infer(first).keypoints
    with Locator("fp16", backend=backend, bundle=fp16_bundle) as other:
        other._backend.infer(second)
        assert np.array_equal(locator._backend.infer(first).keypoints, expected)
    assert np.array_equal(locator._backend.infer(first).keypoints, expected)


def test_a_closed_locator_says_so(fp16_bundle, locator):
    picture = known_picture(Bundle.open(fp16_bundle))
    locator.predict(picture)
    locator.close()
    locator.close()
    with pytest.raises(BackendError, match="closed"):
        locator.predict(picture)


@pytest.mark.parametrize("closed", [True, False])
def test_memory_comes_back(fp16_bundle, backend, closed):
    def cycle() -> None:
        locator = Locator("fp16", backend=backend, bundle=fp16_bundle)
        if closed:
            locator.close()

    for _ in range(3):
        cycle()
    before = free_bytes()
    for _ in range(20):
        cycle()
    assert free_bytes() >= before - 2**20


def test_tensorrt_is_what_auto_takes(fp16_bundle):
    with Locator("fp16", bundle=fp16_bundle) as locator:
        usable = [c for c in locator.explain().candidates if c.rejected is None]
        assert locator.describe()["engine"] == usable[0].backend
