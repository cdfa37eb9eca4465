"""Building engines, for real, through TensorRT for RTX, which needs no GPU for it."""

from __future__ import annotations

import logging
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import tensorrt_rtx

from compress.graph import RAW_NAMES
from compress.onnx_graphs import raw_onnx
from runtime import BackendError, BackendUnavailable, BundleError, Locator
from runtime.backends.tensorrt import build as build_module
from runtime.backends.tensorrt import cuda
from runtime.backends.tensorrt.build import RTX, build
from runtime.backends.tensorrt.engine import RTX_ENGINE
from runtime.bundle import Bundle
from runtime.choose import consider
from tests.compress.conftest import tiny_net
from tests.runtime.backends.conftest import fp16_convolutions
from tests.runtime.conftest import build_onnx
from train.model import fold

ROOT = Path(__file__).parents[3]
AMPERE, ADA = (8, 6), (8, 9)
DRIVER = "580.65"


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def gpu(monkeypatch):
    """Pretends that CUDA has one GPU of the capability."""

    def pretend(capability: tuple[int, int]) -> None:
        found = (cuda.Gpu("GeForce RTX 3050", capability),)
        monkeypatch.setattr(cuda, "gpus", lambda: found)

    return pretend


def never() -> bytes:
    raise AssertionError("built, though the engine is in the cache")


def test_the_deployed_graph_is_built_in_the_precision_of_its_weights(fp16_onnx, shipped_fp32):
    fp16, fp32 = build(RTX, fp16_onnx, AMPERE), build(RTX, shipped_fp32, AMPERE)
    assert 0.4 < len(fp16) / len(fp32) < 0.7  # the weights are nearly all of it


def test_the_raw_graph_is_built(monkeypatch):
    """Users of TensorRT may want it; the runtime itself runs the deployed graph alone."""
    seen = []
    monkeypatch.setattr(build_module, "check_interface", lambda *found: seen.append(found))
    assert build(RTX, fp16_convolutions(raw_onnx(fold(tiny_net()))), AMPERE)
    [(inputs, outputs)] = seen
    assert inputs == {"canvas": (1, 256, 512, 4)}
    assert set(outputs) == set(RAW_NAMES)
    assert outputs["heatmap_gap"] == (1, 1, 64, 128)


def test_an_engine_is_built_once(own_cache, fp16_onnx):
    entry = RTX_ENGINE.entry(fp16_onnx, AMPERE, DRIVER)
    plan = entry.get(lambda: RTX_ENGINE._build(fp16_onnx, AMPERE))
    assert RTX_ENGINE.entry(fp16_onnx, AMPERE, DRIVER).get(never) == plan


def test_an_engine_fits_nothing_but_what_it_was_built_for(own_cache, monkeypatch):
    network = build_onnx()
    plan = RTX_ENGINE.entry(network, AMPERE, DRIVER).get(lambda: RTX_ENGINE._build(network, AMPERE))
    other = RTX_ENGINE.entry(network, ADA, DRIVER).get(lambda: RTX_ENGINE._build(network, ADA))
    assert other != plan
    paths = [
        RTX_ENGINE.entry(network, AMPERE, DRIVER).path,
        RTX_ENGINE.entry(network, ADA, DRIVER).path,
        RTX_ENGINE.entry(network, AMPERE, "580.66").path,
        RTX_ENGINE.entry(network + b" ", AMPERE, DRIVER).path,
    ]
    with monkeypatch.context() as patch:
        patch.setattr(tensorrt_rtx, "__version__", "1.7.2")
        paths.append(RTX_ENGINE.entry(network, AMPERE, DRIVER).path)
    with monkeypatch.context() as patch:
        patch.setattr(platform, "system", lambda: "Windows")
        paths.append(RTX_ENGINE.entry(network, AMPERE, DRIVER).path)
    assert len(set(paths)) == len(paths)


def test_a_damaged_engine_is_built_anew(own_cache, caplog):
    network = build_onnx()
    entry = RTX_ENGINE.entry(network, AMPERE, DRIVER)
    plan = entry.get(lambda: RTX_ENGINE._build(network, AMPERE))
    entry.path.write_bytes(entry.path.read_bytes()[:-1])
    with caplog.at_level(logging.INFO):
        again = entry.get(lambda: RTX_ENGINE._build(network, AMPERE))
    assert len(again) == len(plan)
    assert caplog.messages == [
        f"{entry.path} is damaged: making it anew",
        "building a tensorrt-rtx engine for this machine; it is kept for the next time",
    ]
    assert entry.get(never) == again


_BUILDER = """
import hashlib, logging, sys
from pathlib import Path
from runtime.backends.tensorrt.engine import RTX_ENGINE

logging.basicConfig(level=logging.INFO)
network = Path(sys.argv[1]).read_bytes()
entry = RTX_ENGINE.entry(network, (8, 6), "580.65")
print("ready", flush=True)
sys.stdin.readline()
plan = entry.get(lambda: RTX_ENGINE._build(network, (8, 6)))
print(hashlib.sha256(plan).hexdigest())
"""


def test_of_two_processes_one_builds(own_cache, fp16_bundle):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _BUILDER, str(fp16_bundle / "fp16.onnx")],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    printed = [worker.communicate(timeout=300) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    (digest, _), (other, _) = printed
    assert digest == other != ""
    assert sum("building" in errors for _, errors in printed) == 1


def test_a_network_that_the_library_refuses_is_a_typed_error():
    with pytest.raises(BackendError, match=r"^tensorrt_rtx cannot read the network: .*parse"):
        build(RTX, b"no network", AMPERE)


def test_a_network_with_other_outputs_is_refused():
    with pytest.raises(BundleError, match=r"'points'.*export the bundle anew"):
        build(RTX, build_onnx(outputs=("points", "angle")), AMPERE)


def test_an_engine_that_cannot_be_loaded_is_a_typed_error():
    with pytest.raises(BackendError) as caught:
        RTX_ENGINE._deserialise(b"no engine")
    assert "\n" not in str(caught.value)


def test_a_gpu_of_a_supported_generation_comes_first(fp16_bundle, gpu):
    gpu(AMPERE)
    assert RTX_ENGINE.devices() == ("cuda:0",)
    choice = consider(Bundle.open(fp16_bundle), "fp16")
    assert (choice.chosen.backend, choice.chosen.device) == ("tensorrt-rtx", "cuda:0")
    assert [RTX_ENGINE.matches(name) for name in ("cuda", "CUDA:0", "cuda:1", "cpu")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_a_gpu_of_another_generation_is_named(fp16_bundle, gpu):
    gpu((9, 0))
    with pytest.raises(BackendUnavailable, match="not support this machine's GPU: GeForce RTX"):
        Locator("fp16", backend="tensorrt-rtx", bundle=fp16_bundle)


def test_without_a_gpu_only_auto_takes_another_engine(fp16_bundle, monkeypatch):
    def none() -> tuple[cuda.Gpu, ...]:
        raise BackendUnavailable("no usable NVIDIA GPU (none)")

    monkeypatch.setattr(cuda, "gpus", none)
    for request in ({"backend": "tensorrt-rtx"}, {"device": "cuda"}):
        with pytest.raises(BackendUnavailable, match="tensorrt-rtx: no usable NVIDIA GPU"):
            Locator("fp16", bundle=fp16_bundle, **request)
    with Locator("fp16", bundle=fp16_bundle, threads=1) as locator:
        assert locator.describe()["engine"] == "openvino"
        assert "rejected: no usable NVIDIA GPU" in str(locator.explain())


@pytest.mark.parametrize(
    ("backend", "package"), [("tensorrt", "tensorrt"), ("tensorrt-rtx", "tensorrt_rtx")]
)
def test_a_missing_library_is_named(fp16_bundle, monkeypatch, backend, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BackendUnavailable, match=rf'pip install "edge-locator\[{backend}\]"'):
        Locator("fp16", backend=backend, bundle=fp16_bundle)


def test_missing_cuda_bindings_are_named(fp16_bundle, monkeypatch):
    cuda._cudart.cache_clear()
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(BackendUnavailable, match="pip install cuda-bindings"):
        Locator("fp16", backend="tensorrt-rtx", bundle=fp16_bundle)
