"""Reads the size of an encoded picture from its bytes, and whether they are complete.

Decoders differ in what they do with a broken file: some return half a picture and a warning. So
the structure of the accepted formats is checked here, before any decoder allocates memory.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable

ACCEPTED_FORMATS = ("PNG", "JPEG", "WebP", "BMP")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

Size = tuple[int, int]

# Known well enough to be called by their names when they are refused.
_FOREIGN = {
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "HEIC or AVIF": rb"(?s:.{4})ftyp(hei|hev|mif1|msf1|avi)",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "PDF": rb"%PDF-",
}


class MalformedError(Exception):
    """The bytes are not a complete picture of an accepted format; the text says what is wrong."""


def encoded_size(data: bytes) -> Size:
    """Return (width, height) in pixels as the header states them.

    Raises MalformedError for an empty, foreign, truncated or inconsistent file.
    """
    if not data:
        raise MalformedError("is empty (0 bytes)")
    for matches, read in _READERS:
        if matches(data):
            try:
                width, height = read(data)
            except (struct.error, IndexError) as error:
                raise MalformedError("is truncated: it ends inside its header") from error
            if width < 1 or height < 1:
                raise MalformedError(f"states an impossible size of {width} x {height} pixels")
            return width, height
    formats = ", ".join(ACCEPTED_FORMATS)
    if foreign := next((name for name, begins in _FOREIGN.items() if re.match(begins, data)), None):
        raise MalformedError(f"is a {foreign} file, not of an accepted format ({formats})")
    raise MalformedError(f"is not a picture of an accepted format ({formats})")


def _png(data: bytes) -> Size:
    if data[12:16] != b"IHDR":
        raise MalformedError("is damaged: a PNG that does not start with its header")
    width, height = struct.unpack_from(">II", data, 16)
    position, kind = 8, b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise MalformedError("is truncated: a PNG without its end")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise MalformedError("is truncated: a PNG that ends inside a block")
        (checksum,) = struct.unpack_from(">I", data, end - 4)
        # Only blocks with an upper-case name carry pixels; damage elsewhere (say, a comment) is
        # nobody's concern.
        critical = kind[:1].isupper()
        if critical and zlib.crc32(memoryview(data)[position + 4 : end - 4]) != checksum:
            raise MalformedError("is damaged: a PNG block does not match its checksum")
        position = end
    return width, height


_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")
_JPEG_STANDALONE = {0x01, *range(0xD0, 0xD9)}
# SOF markers: 0xC0..0xCF without DHT (C4), JPG (C8) and DAC (CC).
_JPEG_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9


def _jpeg(data: bytes) -> Size:
    size: Size | None = None
    scans = 0
    position = 2
    # Entropy-coded data follows a scan's header; the search steps over it to the next marker.
    while found := _JPEG_MARKER.search(data, position):
        marker = found[1][0]
        position = found.end()
        if marker == _JPEG_END:
            if size is None or not scans:
                raise MalformedError("is damaged: a JPEG without picture data")
            return size
        if marker in _JPEG_STANDALONE:
            continue
        if marker in _JPEG_FRAME:
            if size is not None:  # decoders take the first before a scan, and not all of them
                raise MalformedError("is damaged: a JPEG that states its size twice")
            height, width = struct.unpack_from(">HH", data, position + 3)
            size = (width, height)
        scans += marker == _JPEG_SCAN
        position += struct.unpack_from(">H", data, position)[0]
    raise MalformedError("is truncated: a JPEG without its end")


def _webp(data: bytes) -> Size:
    (length,) = struct.unpack_from("<I", data, 4)
    if len(data) < length + 8:
        raise MalformedError(f"is truncated: {len(data)} of {length + 8} bytes of a WebP")
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        return width, height
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise MalformedError("is damaged: a WebP of an unknown kind")


def _bmp(data: bytes) -> Size:
    file_size, _, pixels_at, header_size = struct.unpack_from("<IIII", data, 2)
    if header_size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        height = abs(height)  # negative: the rows run from the top
    row_bytes = (width * bits + 31) // 32 * 4
    compressed = compression in (1, 2)
    needed = file_size if compressed else pixels_at + row_bytes * height
    if len(data) < needed:
        raise MalformedError(f"is truncated: {len(data)} of {needed} bytes of a BMP")
    return width, height


_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Size]], ...] = (
    (lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda data: data.startswith(b"RIFF") and data[8:12] == b"WEBP", _webp),
    (lambda data: data.startswith(b"BM"), _bmp),
)
