"""Damaged and forged picture files: a picture or an InputError, in little time and memory."""

from __future__ import annotations

import io
import resource
import struct
import sys
import zlib
from datetime import timedelta

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from runtime import InputError
from runtime.picture import MAX_PIXELS, MAX_SIDE, load

BGR = cv2.GaussianBlur(np.random.default_rng(11).integers(0, 256, (37, 61, 3), np.uint8), (0, 0), 2)
BGRA = np.dstack([BGR, BGR[..., 0]])
HANG = timedelta(seconds=30)
TELLING_BYTES = st.sampled_from([0, 1, 0x7F, 0x80, 0xD9, 0xDA, 0xC0, 0xC4, 0xFF]) | st.integers(
    0, 255
)


def _encoded(suffix: str, pixels: np.ndarray = BGR, *options: int) -> bytes:
    return cv2.imencode(suffix, pixels, options)[1].tobytes()


def _saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(BGR[..., ::-1].copy()).convert(mode).save(file, kind, **options)
    return file.getvalue()


def _upside_down() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 3
    return exif


SEEDS = {
    "png": _encoded(".png"),
    "png with alpha": _encoded(".png", BGRA),
    "png, 16 bit": _encoded(".png", BGR.astype(np.uint16) * 257),
    "jpeg": _encoded(".jpg"),
    "jpeg, progressive": _encoded(".jpg", BGR, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "webp": _encoded(".webp", BGR, cv2.IMWRITE_WEBP_QUALITY, 80),
    "webp, lossless": _encoded(".webp", BGR, cv2.IMWRITE_WEBP_QUALITY, 101),
    "webp with alpha": _encoded(".webp", BGRA, cv2.IMWRITE_WEBP_QUALITY, 80),
    "bmp": _encoded(".bmp"),
    "png, palette": _saved("PNG", "P", transparency=3),
    "png, grey and alpha": _saved("PNG", "LA"),
    "jpeg, grey": _saved("JPEG", "L"),
    "jpeg, four inks": _saved("JPEG", "CMYK"),
    "bmp, palette": _saved("BMP", "P"),
    "webp, animated": _saved("WEBP", save_all=True, append_images=[Image.new("RGB", (61, 37))]),
    **{f"{kind} with EXIF": _saved(kind, exif=_upside_down()) for kind in ("PNG", "JPEG", "WEBP")},
    "tiff": _encoded(".tiff"),
}


def _repaired(data: bytes) -> bytes:
    """A PNG with the checksums its blocks should have: else no damage would reach the decoder."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    parts, position = [data[:8]], 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        block = data[position:end]
        parts.append(block + struct.pack(">I", zlib.crc32(block[4:])))
        position = end + 4
    return b"".join(parts) + data[position:]


def _check(data: bytes | Image.Image) -> None:
    try:
        loaded = load(data)
    except InputError:
        return
    height, width, channels = loaded.shape
    assert loaded.dtype == np.uint8
    assert channels == 3
    assert max(height, width) <= MAX_SIDE
    assert height * width <= MAX_PIXELS


@st.composite
def damaged(draw: st.DrawFn, names: list[str]) -> bytes:
    """A picture file with a few other bytes, most of them in its header, or cut off."""
    broken = bytearray(SEEDS[draw(st.sampled_from(names))])
    changes = draw(st.lists(st.tuples(st.integers(0, 79), TELLING_BYTES), max_size=6))
    elsewhere = draw(st.lists(st.tuples(st.integers(0, 10_000), TELLING_BYTES), max_size=3))
    for position, value in (*changes, *elsewhere):
        broken[position % len(broken)] = value
    cut_off = bytes(broken[: draw(st.none() | st.integers(0, 3000))])
    return _repaired(cut_off) if draw(st.booleans()) else cut_off


@settings(max_examples=600, deadline=HANG, suppress_health_check=[HealthCheck.too_slow])
@given(data=damaged(sorted(SEEDS)))
def test_damaged_headers(data):
    _check(data)


@settings(max_examples=300, deadline=HANG, suppress_health_check=[HealthCheck.too_slow])
@given(data=damaged([name for name in sorted(SEEDS) if "EXIF" in name]))
def test_damaged_headers_that_pil_opens(data):
    try:
        image = Image.open(io.BytesIO(data))
    except Exception:  # noqa: BLE001 - what PIL does not open never gets here
        return
    _check(image)


@settings(max_examples=200, deadline=HANG)
@given(
    start=st.sampled_from(
        [
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff",
            b"RIFF\x40\0\0\0WEBPVP8",
            b"BM",
            b"II*\0",
            b"GIF89a",
        ]
    ),
    rest=st.binary(max_size=120),
)
@example(b"\xff\xd8\xff", b"\xff" * 200_000)  # fill bytes, which may not cost their number squared
def test_the_beginning_of_a_format_and_then_anything(start, rest):
    _check(start + rest)


def _sized_png(width: int, height: int) -> bytes:
    data = bytearray(SEEDS["png"])
    struct.pack_into(">II", data, 16, width, height)
    return _repaired(bytes(data))


def _sized_bmp(width: int, height: int) -> bytes:
    data = bytearray(SEEDS["bmp"])
    struct.pack_into("<ii", data, 18, width, height)
    return bytes(data)


def _two_frames_jpeg(width: int, height: int) -> bytes:
    """A JPEG that states one size before its pixels, which a decoder goes by, and another after."""
    data = bytearray(SEEDS["jpeg"])
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 1, 1, 3) + b"\1\x22\0\2\x11\1\3\x11\1"
    return bytes(data[:-2]) + frame + bytes(data[-2:])


def _extended_webp(width: int, height: int) -> bytes:
    """A WebP whose container states a size and whose picture has another."""
    data = bytearray(SEEDS["webp with alpha"])
    data[24:27], data[27:30] = (width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little")
    return bytes(data)


@settings(max_examples=60, deadline=HANG)
@given(
    forge=st.sampled_from([_sized_png, _sized_bmp, _two_frames_jpeg, _extended_webp]),
    width=st.integers(1, 65_535),
    height=st.integers(1, 65_535),
)
@example(_sized_png, 8000, 8000)
@example(_sized_bmp, 65_535, 1)
@example(_two_frames_jpeg, 32_000, 32_000)
@example(_extended_webp, 16_000, 4000)
def test_forged_sizes_cost_no_more_memory_than_the_limits_allow(forge, width, height):
    before = _peak_bytes()
    _check(forge(width, height))
    # What is decoded, and a copy of it: three bytes a pixel each.
    assert _peak_bytes() - before <= 2 * 3 * MAX_PIXELS + 2**26


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@pytest.mark.parametrize("name", [name for name in SEEDS if name != "tiff"])
def test_the_pictures_that_are_damaged_were_whole(name):
    assert load(SEEDS[name]).shape == BGR.shape
