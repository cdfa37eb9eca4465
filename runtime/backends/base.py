"""What a backend is: one loaded network on one engine and device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from runtime.errors import BundleError
from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH, Picture, RawResult

INPUT_NAME = "canvas"
INPUT_SHAPE = (1, CANVAS_HEIGHT, CANVAS_WIDTH, 4)
OUTPUT_SHAPES = {"keypoints": (1, 2, 4), "angle": (1, 2)}


class Backend(Protocol):
    """One loaded network. Several threads may call `infer` at once."""

    def infer(self, canvas: Picture) -> RawResult:
        """Run the network on a canvas, uint8 [256, 512, 4] (R, G, B, mask), C-contiguous, writable.

        The result owns its arrays. Raises BackendError when the engine fails.
        """
        ...

    def describe(self) -> dict[str, str | int]:
        """Plain facts: engine, version, device, device_name (the hardware's), threads, ..."""
        ...

    def close(self) -> None:
        """Free the network; `infer` must not be called afterwards."""
        ...


class Engine(Protocol):
    """What each engine here provides before a network is loaded; most are plain modules."""

    DEFAULT_DEVICE: str  # what a caller who names no device gets

    def devices(self) -> tuple[str, ...]:
        """Devices usable here, lower case. Raises BackendUnavailable when the engine is not."""
        ...

    def matches(self, device: str) -> bool:
        """Whether the device, as a caller may write it, can be used here. Raises like `devices`."""
        ...

    def load(
        self, files: Mapping[str, bytes], model_format: str, device: str, threads: int
    ) -> Backend:
        """Load a network from the content of its files (role -> bytes), already verified.

        Raises BackendError when the engine refuses it, BundleError when the network is not one of
        this package's.
        """
        ...


def check_interface(
    inputs: Mapping[str, tuple[int, ...]], outputs: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise BundleError unless a network has the inputs and outputs (name -> shape) expected."""
    for kind, expected, got in (
        ("inputs", {INPUT_NAME: INPUT_SHAPE}, inputs),
        ("outputs", OUTPUT_SHAPES, outputs),
    ):
        if dict(got) != expected:
            raise BundleError(
                f"the bundle's network has the {kind} {dict(got)}, expected {expected}: "
                "export the bundle anew"
            )
