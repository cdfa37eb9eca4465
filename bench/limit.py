"""How near to the machine's limit the network runs: `python -m bench.limit [--cap avx2-vnni]`.

The peak is measured, not read from a data sheet: a chain of wide 3 x 3 convolutions that stays in
the cache, in the same engine with as many threads. Beside it stand the network's convolutions, by
the engine's own clock: their multiply-accumulates, the bytes they touch, and the slowest layers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from bench.cap import add_cap, current_cap, start_anew_under
from bench.latency import picture
from bench.subjects import canvas_of
from compress.layers import name_layers
from runtime.backends.base import INPUT_NAME, INPUT_SHAPE
from runtime.bundle import Bundle, default_bundle_path
from runtime.timing import time_calls

PROBE_CHANNELS, PROBE_SIZE, PROBE_LAYERS = 256, 32, 8
PROBE_SECONDS, PROFILED_CALLS = 1.5, 200
SLOWEST = 10


@dataclass(frozen=True)
class Layer:
    """A convolution of the deployed graph.

    macs: multiply-accumulates; bytes: of its input and its output as the engine holds them.
    ms: median by the engine's clock, what is fused into it included. precision: what it runs in.
    """

    name: str
    macs: int
    bytes: int
    ms: float
    precision: str

    @property
    def gmacs_per_s(self) -> float:
        """Multiply-accumulates a second, in thousand millions."""
        return self.macs / self.ms / 1e6


def settings(threads: int) -> dict[str, Any]:
    """As the runtime's backend has them."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }


def probe_model(int8: bool) -> ov.Model:
    """A chain of 3 x 3 convolutions, ReLU after each; in INT8 the quantisers NNCF would set."""
    generator = np.random.default_rng(0)
    shape = [1, PROBE_CHANNELS, PROBE_SIZE, PROBE_SIZE]
    given = x = ops.parameter(shape, np.float32)
    for _ in range(PROBE_LAYERS):
        weights = generator.normal(0, 0.03, (PROBE_CHANNELS, PROBE_CHANNELS, 3, 3))
        weight = ops.constant(weights.astype(np.float32))
        if int8:
            x = _quantised(x, 0.0, 4.0, 256)
            weight = _quantised(weight, -0.1, 0.1, 255)
        x = ops.relu(ops.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1]))
    return ov.Model([x], [given])


def _quantised(x: Any, low: float, high: float, levels: int) -> Any:
    bounds = [np.float32(low), np.float32(high)] * 2
    return ops.fake_quantize(x, *(ops.constant(bound) for bound in bounds), levels=levels)


def peak_gmacs_per_s(int8: bool, threads: int) -> float:
    """Multiply-accumulates a second of the probe, in thousand millions (median)."""
    compiled = ov.Core().compile_model(probe_model(int8), "CPU", settings(threads))
    request = compiled.create_infer_request()
    request.get_input_tensor().data[:] = np.random.default_rng(1).random(
        (1, PROBE_CHANNELS, PROBE_SIZE, PROBE_SIZE), np.float32
    )
    macs = PROBE_LAYERS * 9 * PROBE_CHANNELS**2 * PROBE_SIZE**2
    took = time_calls(request.infer, PROBE_SECONDS)
    return macs / took.p50_ms / 1e6


def convolutions(model: ov.Model, threads: int, canvas: np.ndarray[Any, Any]) -> list[Layer]:
    """The deployed graph's convolutions, slowest first."""
    macs = {
        op.get_friendly_name(): _macs(op)
        for op in model.get_ordered_ops()
        if op.get_type_name() == "Convolution"
    }
    compiled = ov.Core().compile_model(model, "CPU", settings(threads) | {"PERF_COUNT": True})
    request = compiled.create_infer_request()
    request.get_tensor(INPUT_NAME).data[:] = canvas
    times_ms: dict[str, list[float]] = {name: [] for name in macs}
    for _ in range(PROFILED_CALLS):
        request.infer()
        for info in request.get_profiling_info():
            if info.node_name in times_ms:
                times_ms[info.node_name].append(1e3 * info.real_time.total_seconds())
    facts = {op.get_friendly_name(): op for op in compiled.get_runtime_model().get_ordered_ops()}
    found = [
        Layer(
            name, macs[name], _bytes(facts[name]), float(np.median(times)), _precision(facts[name])
        )
        for name, times in times_ms.items()
        if name in facts and times
    ]
    missing = macs.keys() - {layer.name for layer in found}
    assert not missing, f"the engine's clock knows nothing of {sorted(missing)}"
    return sorted(found, key=lambda layer: layer.ms, reverse=True)


def _macs(op: ov.Node) -> int:
    _, *per_output = op.input(1).get_shape()
    return int(np.prod(op.output(0).get_shape()) * np.prod(per_output))


def _bytes(op: ov.Node) -> int:
    tensors = [port.get_tensor() for port in (*op.inputs()[:1], *op.outputs())]
    return sum(int(np.prod(t.get_shape())) * t.get_element_type().size for t in tensors)


def _precision(op: ov.Node) -> str:
    return str(op.get_rt_info()["runtimePrecision"].value)


def measure(bundle_dir: Path, threads: int) -> dict[str, Any]:
    """Peaks, and each precision's convolutions; plain values for JSON."""
    canvas = canvas_of(picture()).reshape(INPUT_SHAPE)
    bundle = Bundle.open(bundle_dir)
    result: dict[str, Any] = {"cap": current_cap(), "threads": threads}
    for precision in ("int8", "fp32"):
        artefact = bundle.artefact(precision, "openvino")
        files = bundle.read(artefact)
        model = ov.Core().read_model(*files.values())
        if artefact.format == "onnx":  # an IR's are named already
            name_layers(model)
        layers = convolutions(model, threads, canvas)
        peak = peak_gmacs_per_s(precision == "int8", threads)
        total_ms, total_macs = sum(x.ms for x in layers), sum(x.macs for x in layers)
        result[precision] = {
            "peak_gmacs_per_s": peak,
            "macs": total_macs,
            "bytes": sum(x.bytes for x in layers),
            "convolutions_ms": total_ms,
            "gmacs_per_s": total_macs / total_ms / 1e6,
            "fraction_of_peak": total_macs / total_ms / 1e6 / peak,
            "not_in_precision": [
                x.name for x in layers if precision == "int8" and x.precision not in ("i8", "u8")
            ],
            "slowest": [asdict(x) | {"gmacs_per_s": x.gmacs_per_s} for x in layers[:SLOWEST]],
        }
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; prints JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.limit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=default_bundle_path(), metavar="DIR")
    parser.add_argument("--threads", type=int, default=2)
    add_cap(parser)
    given = parser.parse_args(argv)
    start_anew_under(given.cap, "bench.limit")
    sys.stdout.write(json.dumps(measure(given.bundle, given.threads)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
