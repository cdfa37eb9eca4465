"""The native library from Python, with the standard library alone: what any FFI has to declare.

python examples/native/locate_ctypes.py build/release/lib/liblocator.so runtime/weights PICTURE
"""

from __future__ import annotations

import ctypes
import sys
from types import TracebackType

BGR, MAX_REASONS, REASON_BYTES = 0, 8, 96


class Options(ctypes.Structure):
    """locator_options."""

    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("precision", ctypes.c_char_p),
        ("device", ctypes.c_char_p),
        ("threads", ctypes.c_int32),
        ("cache_dir", ctypes.c_char_p),
    )


class Query(ctypes.Structure):
    """locator_query."""

    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("roi_x", ctypes.c_int32),
        ("roi_y", ctypes.c_int32),
        ("roi_width", ctypes.c_int32),
        ("roi_height", ctypes.c_int32),
        ("display_width", ctypes.c_double),
    )


class Pixels(ctypes.Structure):
    """locator_pixels."""

    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("stride_bytes", ctypes.c_size_t),
        ("format", ctypes.c_int32),
    )


class Keypoint(ctypes.Structure):
    """locator_keypoint."""

    _fields_ = tuple((name, ctypes.c_double) for name in ("x", "y", "score", "rival"))


class Location(ctypes.Structure):
    """locator_location."""

    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("ok", ctypes.c_int32),
        ("reason_count", ctypes.c_int32),
        ("gap", Keypoint),
        ("slider", Keypoint),
        ("angle_deg", ctypes.c_double),
        ("distance_px", ctypes.c_double),
        ("picture_width", ctypes.c_int32),
        ("picture_height", ctypes.c_int32),
        ("display_width", ctypes.c_double),
        ("oversized", ctypes.c_int32),
        ("reasons", ctypes.c_char * REASON_BYTES * MAX_REASONS),
    )


class NativeLocator:
    """A handle of the library. Raises RuntimeError with the library's own words."""

    def __init__(self, library: str, bundle: str, threads: int = 0, cache_dir: str | None = None):
        self._library = ctypes.CDLL(library)
        self._library.locator_last_error.restype = ctypes.c_char_p
        self._library.locator_close.argtypes = [ctypes.c_void_p]
        self._library.locator_close.restype = None
        self._handle = ctypes.c_void_p()
        options = Options(
            struct_size=ctypes.sizeof(Options),
            threads=threads,
            cache_dir=cache_dir.encode() if cache_dir else None,
        )
        self._check(
            self._library.locator_open(
                bundle.encode(), ctypes.byref(options), ctypes.byref(self._handle)
            )
        )

    def predict_file(self, path: str) -> Location:
        """Locate both points in a picture file."""
        found = Location(struct_size=ctypes.sizeof(Location))
        self._check(
            self._library.locator_predict_file(
                self._handle, path.encode(), None, ctypes.byref(found)
            )
        )
        return found

    def predict_pixels(self, data: int, width: int, height: int, layout: int) -> Location:
        """Locate both points in pixels at an address, rows without gaps between them."""
        pixels = Pixels(ctypes.sizeof(Pixels), data, width, height, 0, layout)
        found = Location(struct_size=ctypes.sizeof(Location))
        self._check(
            self._library.locator_predict_pixels(
                self._handle, ctypes.byref(pixels), None, ctypes.byref(found)
            )
        )
        return found

    def close(self) -> None:
        """Free the handle; twice is fine."""
        handle, self._handle = self._handle, ctypes.c_void_p()
        self._library.locator_close(handle)

    def __enter__(self) -> NativeLocator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self, status: int) -> None:
        if status:
            raise RuntimeError(self._library.locator_last_error().decode())


def main(library: str, bundle: str, picture: str) -> None:
    """Print what is found in one picture."""
    with NativeLocator(library, bundle) as locator:
        found = locator.predict_file(picture)
    points = ", ".join(
        f"{name} ({point.x:.1f}, {point.y:.1f})"
        for name, point in (("gap", found.gap), ("slider", found.slider))
    )
    sys.stdout.write(f"{points}, angle {found.angle_deg:.1f} deg\n")
    for n in range(found.reason_count):
        sys.stdout.write(f"not sure: {found.reasons[n].value.decode()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
