"""The cache of compiled networks, and what is told about devices."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest

from runtime import BackendError, BundleError, Locator
from runtime.backends import openvino as adapter
from runtime.bundle import Bundle, default_bundle_path
from tests.runtime.conftest import puzzle


@pytest.fixture(autouse=True)
def entries(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edge-locator" / "openvino"


@pytest.fixture
def compiled(monkeypatch) -> list[str]:
    """What was compiled so far: a name for each time."""
    times = []
    compile_network = adapter._compile

    def counted(*arguments):
        times.append("compiled")
        return compile_network(*arguments)

    monkeypatch.setattr(adapter, "_compile", counted)
    return times


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_second_start_compiles_nothing_and_answers_alike(compiled, precision):
    bundle = Bundle.open(default_bundle_path())
    artefact = bundle.artefact(precision, "openvino")
    files = bundle.read(artefact)
    plain = adapter.OpenVinoBackend(adapter._compile(files, artefact.format, "cpu", 1), "cpu", 1)
    first = adapter.load(files, artefact.format, "cpu", 1)
    second = adapter.load(files, artefact.format, "cpu", 1)
    assert compiled == ["compiled", "compiled"]  # by this test, and by the first load
    canvas = np.random.default_rng(0).integers(0, 256, (256, 512, 4), np.uint8)
    expected = plain.infer(canvas)
    for backend in (first, second):
        assert np.array_equal(backend.infer(canvas).keypoints, expected.keypoints)
        assert np.array_equal(backend.infer(canvas).angle, expected.angle)
    for setting in ("INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS", "PERFORMANCE_HINT"):
        values = [b._compiled.get_property(setting) for b in (plain, first, second)]
        assert len(set(map(str, values))) == 1


def test_a_network_with_an_open_dimension_is_not_ours(network):
    model = onnx.load_from_string(network)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "pictures"
    with pytest.raises(BundleError, match=r"inputs \{'canvas': \(-1, 256, 512, 4\)\}, expected"):
        adapter.load({"model": model.SerializeToString()}, "onnx", "cpu", 1)


def test_other_threads_and_instruction_sets_are_compiled_for(
    shared_bundle, compiled, entries, monkeypatch
):
    Locator("fp32", backend="openvino", bundle=shared_bundle, threads=1).close()
    Locator("fp32", backend="openvino", bundle=shared_bundle, threads=2).close()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    Locator("fp32", backend="openvino", bundle=shared_bundle, threads=1).close()
    assert len(compiled) == 3
    assert len(list(entries.glob("*.entry"))) == 3


def test_a_damaged_entry_is_compiled_anew(shared_bundle, compiled, entries, caplog):
    Locator("int8", bundle=shared_bundle, threads=1).close()
    [entry] = entries.glob("*.entry")
    entry.write_bytes(entry.read_bytes()[:-5])
    with caplog.at_level(logging.WARNING), Locator(bundle=shared_bundle, threads=1) as locator:
        assert locator.predict(puzzle((9, 9), (30, 9))).gap.x == pytest.approx(9, abs=1e-4)
    assert caplog.messages == [f"{entry} is damaged: making it anew"]
    assert len(compiled) == 2


def test_an_entry_that_the_engine_refuses_is_forgotten(shared_bundle, entries, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(adapter.Entry, "get", lambda self, make: b"no network")
        with pytest.raises(BackendError, match="openvino cannot load the network"):
            Locator("int8", bundle=shared_bundle, threads=1)
    Locator("int8", bundle=shared_bundle, threads=1).close()


def test_modes_are_compiled_each_time_and_name_no_hardware(shared_bundle, entries):
    with Locator("int8", device="auto:cpu", bundle=shared_bundle) as locator:
        assert "device_name" not in locator.describe()
    assert not entries.exists()


def test_the_hardware_is_named(shared_bundle):
    with Locator("int8", bundle=shared_bundle) as locator:
        assert locator.describe()["device_name"]
