from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from runtime import InputError, LocatorError
from runtime import picture as picture_module
from runtime.encoded import MalformedError, encoded_size
from runtime.picture import load

RNG = np.random.default_rng(11)
BGR = cv2.GaussianBlur(RNG.integers(0, 256, (37, 61, 3), np.uint8), (0, 0), 2)
SUFFIXES = (".png", ".jpg", ".webp", ".bmp")


def encode(suffix: str, pixels: np.ndarray = BGR, *options: int) -> bytes:
    return cv2.imencode(suffix, pixels, options)[1].tobytes()


def png_block(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    blocks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_block(*block) for block in blocks)


def bmp_of(width: int, height: int, bits: int, compression: int, pixels: bytes) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + info + pixels


class TestSources:
    def test_path_bytes_and_array_agree(self, tmp_path):
        data = encode(".png")
        path = tmp_path / "p.png"
        path.write_bytes(data)
        for source in (path, str(path), data, bytearray(data), memoryview(data), BGR):
            assert np.array_equal(load(source), BGR)

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_every_format_is_decoded(self, suffix):
        loaded = load(encode(suffix))
        assert loaded.shape == BGR.shape
        assert np.abs(loaded.astype(int) - BGR).mean() < 12

    @pytest.mark.parametrize("shape", [(37, 61), (37, 61, 1)])
    def test_grey(self, shape):
        grey = BGR[..., 0].reshape(shape)
        assert np.array_equal(load(grey), np.repeat(BGR[..., :1], 3, axis=2))

    def test_alpha_is_dropped_not_blended(self):
        bgra = np.dstack([BGR, np.zeros((37, 61), np.uint8)])
        assert np.array_equal(load(bgra), BGR)
        assert np.array_equal(load(encode(".png", bgra)), BGR)
        rgba = Image.fromarray(np.ascontiguousarray(bgra[..., [2, 1, 0, 3]]))
        assert np.array_equal(load(rgba), BGR)

    def test_views_are_made_contiguous(self):
        for view in (BGR[::2, ::-1], BGR[..., ::-1], np.asfortranarray(BGR)):
            loaded = load(view)
            assert np.array_equal(loaded, view)
            assert loaded.flags.c_contiguous

    def test_read_only_arrays_are_taken_as_they_are(self):
        locked = BGR.copy()
        locked.flags.writeable = False
        assert load(locked) is locked
        grey = np.broadcast_to(np.uint8(7), (5, 9))
        assert np.array_equal(load(grey), np.full((5, 9, 3), 7, np.uint8))

    def test_channel_order_is_that_of_arrays(self):
        rgb = BGR[..., ::-1]
        alpha = np.full((37, 61), 9, np.uint8)
        for array in (rgb, np.dstack([rgb, alpha]), np.asfortranarray(rgb)):
            assert np.array_equal(load(array, "rgb"), BGR)
        assert np.array_equal(load(BGR[..., 0], "rgb"), load(BGR[..., 0]))
        for known in (encode(".png"), Image.fromarray(rgb.copy())):
            assert np.array_equal(load(known, "rgb"), BGR)
        with pytest.raises(
            InputError, match="unknown channel_order 'RGB': expected 'bgr' or 'rgb'"
        ):
            load(BGR, "RGB")

    def test_file_objects_are_read_from_where_they_stand(self, tmp_path):
        path = tmp_path / "p.bin"
        path.write_bytes(b"header" + encode(".png"))
        with path.open("rb") as buffered, path.open("rb", buffering=0) as raw:
            for file in (buffered, raw, io.BytesIO(path.read_bytes())):
                file.seek(6)
                assert np.array_equal(load(file), BGR)

    def test_pipes_give_their_bytes_in_pieces(self):
        class Pipe:
            rest = encode(".png")

            def read(self, size: int) -> bytes:
                piece, self.rest = self.rest[:100], self.rest[100:]
                return piece

        assert np.array_equal(load(Pipe()), BGR)

    def test_sixteen_bit_files_keep_their_high_byte(self):
        wide = BGR.astype(np.uint16) * 256 + 17
        assert np.abs(load(encode(".png", wide)).astype(int) - BGR).max() <= 1

    # What EXIF's values say of the stored picture: how to bring it the right way up.
    @pytest.mark.parametrize(
        ("orientation", "upright"),
        [
            (1, BGR),
            (2, BGR[:, ::-1]),
            (3, BGR[::-1, ::-1]),
            (4, BGR[::-1]),
            (5, BGR.swapaxes(0, 1)),
            (6, BGR[::-1].swapaxes(0, 1)),
            (7, BGR[::-1, ::-1].swapaxes(0, 1)),
            (8, BGR[:, ::-1].swapaxes(0, 1)),
        ],
    )
    def test_orientation_tag_is_applied_however_the_picture_comes(
        self, tmp_path, orientation, upright
    ):
        path = tmp_path / "turned.png"
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(BGR[..., ::-1].copy()).save(path, exif=exif)
        with Image.open(path) as image:
            for source in (path, path.read_bytes(), image):
                assert np.array_equal(load(source), upright)

    @pytest.mark.parametrize("suffix", [".jpg", ".webp"])
    def test_orientation_tag_of_other_formats(self, tmp_path, suffix):
        path = tmp_path / f"turned{suffix}"
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(BGR[..., ::-1].copy()).save(path, exif=exif, quality=95)
        upright = BGR[::-1].swapaxes(0, 1)
        with Image.open(path) as image:
            for source in (path, image):
                loaded = load(source)
                assert loaded.shape == upright.shape
                assert np.abs(loaded.astype(int) - upright).mean() < 12

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr"])
    def test_pil_modes(self, mode):
        image = Image.fromarray(BGR[..., ::-1].copy()).convert(mode)
        expected = np.asarray(image.convert("RGB"))[..., ::-1]
        assert np.array_equal(load(image), expected)

    def test_pil_sixteen_bit_grey(self):
        grey = BGR[..., 0].astype(np.uint16) * 256 + 5
        assert np.array_equal(load(Image.fromarray(grey)), np.repeat(BGR[..., :1], 3, axis=2))


def _bad(tmp_path: Path) -> dict[str, object]:
    text_file, closed_file = io.StringIO("text"), io.BytesIO(encode(".png"))
    closed_file.close()
    files = {
        "scan.tiff": encode(".tiff"),
        "phone.heic": b"\0\0\0\x18ftypheic" + bytes(40),
        "empty.png": b"",
        "text.png": b"this is not a picture\n" * 9,
        "gif.gif": b"GIF89a" + bytes(40),
        "huge.png": png_of(20000, 20000),
        "many.png": png_of(9000, 9000),
        "zero.png": png_of(0, 5),
        "nonsense.png": png_of(5, 5, b"nonsense"),
        "lone_header.png": encode(".png")[:20],
        "no_header.png": b"\x89PNG\r\n\x1a\n" + png_block(b"IDAT", b"123456789"),
        "no_scan.jpg": b"\xff\xd8\xff\xe0\x00\x04ab\xff\xd9",
        "kind.webp": b"RIFF\x20\x00\x00\x00WEBPVP9 " + bytes(24),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return {
        **{name: tmp_path / name for name in files},
        "missing": tmp_path / "missing.png",
        "folder": tmp_path,
        "device": "/dev/null",
        "nul": "a\0b.png",
        "too long a name": "x" * 5000,
        "float array": BGR / 255,
        "uint16 array": BGR.astype(np.uint16),
        "bool array": BGR > 3,
        "two channels": BGR[..., :2],
        "four dimensions": BGR[None],
        "one dimension": BGR[0, :, 0],
        "empty array": BGR[:0],
        "long array": np.zeros((1, 20000), np.uint8),
        "float PIL": Image.new("F", (4, 4)),
        "long PIL": Image.new("L", (20000, 1)),
        "text file": text_file,
        "closed file": closed_file,
        "empty file": io.BytesIO(),
        "number": 7,
        "none": None,
        "no bytes": b"",
    }


BAD = {
    "empty.png": r"empty.png is empty \(0 bytes\): give a complete PNG, JPEG, WebP, BMP file",
    "text.png": r"text.png is not a picture of an accepted format \(PNG, JPEG, WebP, BMP\)",
    "gif.gif": r"gif.gif is a GIF file, not of an accepted format \(PNG, .*give a complete PNG",
    "scan.tiff": "scan.tiff is a TIFF file, not of an accepted format",
    "phone.heic": "phone.heic is a HEIC or AVIF file, not of an accepted format",
    "huge.png": "huge.png is too large: 20000 x 20000 pixels; at most 16384 a side and 64 mega",
    "many.png": "many.png is too large: 9000 x 9000 pixels",
    "zero.png": "zero.png states an impossible size of 0 x 5",
    "nonsense.png": "nonsense.png could not be decoded",
    "lone_header.png": "lone_header.png is truncated",
    "no_header.png": "no_header.png is damaged",
    "no_scan.jpg": "no_scan.jpg is damaged: a JPEG without picture data",
    "kind.webp": "kind.webp is damaged: a WebP of an unknown kind",
    "missing": "missing.png does not exist: check the path",
    "folder": "is a folder: give a picture file",
    "device": "/dev/null is not a regular file",
    "nul": "does not exist",
    "too long a name": "cannot be read .*check the path",
    "float array": r"array \(float64 \[37, 61, 3\]\) is not uint8: .*astype\(np.uint8\)",
    "uint16 array": r"array \(uint16 .* is not uint8",
    "bool array": r"array \(bool .* is not uint8",
    "two channels": r"\[37, 61, 2\]\) is not a picture: expected grey \[H, W\]",
    "four dimensions": r"\[1, 37, 61, 3\]\) is not a picture",
    "one dimension": r"\[61\]\) is not a picture",
    "empty array": r"\[0, 61, 3\]\) is empty",
    "long array": "is too large: 20000 x 1 pixels",
    "float PIL": r'mode F, 4 x 4\) has no 8-bit range: .*convert\("L"\)',
    "long PIL": "is too large: 20000 x 1 pixels",
    "text file": 'the file object .StringIO. gives no bytes .*open it in binary mode, "rb"',
    "closed file": "the file object .BytesIO. cannot be read .*closed file.*: open it anew",
    "empty file": r"the file object .BytesIO. is empty \(0 bytes\)",
    "number": "cannot take a picture from int: give a path",
    "none": "cannot take a picture from NoneType",
    "no bytes": "given as 0 bytes is empty",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line(name, tmp_path):
    with pytest.raises(InputError, match=BAD[name]) as caught:
        load(_bad(tmp_path)[name])
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, LocatorError)


def test_every_bad_input_is_in_the_table(tmp_path):
    assert set(_bad(tmp_path)) == set(BAD)


def test_too_many_bytes(monkeypatch, tmp_path):
    monkeypatch.setattr(picture_module, "MAX_FILE_BYTES", 1000)
    path = tmp_path / "big.bmp"
    path.write_bytes(encode(".bmp"))
    with pytest.raises(InputError, match=r"big\.bmp is larger than"):
        load(path)


def test_a_file_object_without_end_is_read_no_further_than_the_limit(monkeypatch):
    monkeypatch.setattr(picture_module, "MAX_FILE_BYTES", 1000)
    given = 0

    class Endless:
        name = "webcam"

        def read(self, size: int) -> bytes:
            nonlocal given
            given += min(size, 64)
            return bytes(min(size, 64))

    with pytest.raises(InputError, match="the file object 'webcam' is larger than"):
        load(Endless())
    assert given == 1001


def test_an_unreadable_file(monkeypatch, tmp_path):
    path = tmp_path / "locked.png"
    path.write_bytes(encode(".png"))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"locked\.png cannot be read .*Permission denied"):
        load(path)


def test_a_decoder_that_raises(monkeypatch):
    def fail(*_: object) -> None:
        raise cv2.error("out of memory")

    monkeypatch.setattr(cv2, "imdecode", fail)
    with pytest.raises(InputError, match="could not be decoded") as caught:
        load(encode(".png"))
    assert isinstance(caught.value.__cause__, cv2.error)


def test_a_truncated_pil_image(tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(encode(".jpg")[:-200])
    with (
        Image.open(path) as image,
        pytest.raises(InputError, match=r"PIL image \(mode RGB, 61 x 37\) could not be decoded"),
    ):
        load(image)


def test_a_pil_image_whose_exif_is_damaged(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    path = tmp_path / "odd.png"
    # The maker's entry becomes a height that is text, which PIL reads but cannot write.
    Image.new("RGB", (4, 3)).save(path, exif=exif.tobytes().replace(b"\x01\x0f", b"\x01\x01"))
    with Image.open(path) as image, pytest.raises(InputError, match="could not be decoded"):
        load(image)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_prefix_of_a_picture_is_taken_for_a_picture(suffix):
    data = encode(suffix)
    for length in range(len(data)):
        with pytest.raises(MalformedError):
            encoded_size(data[:length])
    assert encoded_size(data) == (61, 37)
    assert encoded_size(data + b"trailing bytes") == (61, 37)
    assert load(data + b"trailing bytes").shape == BGR.shape


def test_progressive_jpeg_with_restarts_is_followed_to_its_end():
    options = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 1)
    data = encode(".jpg", BGR, *options)
    assert encoded_size(data) == (61, 37)
    with pytest.raises(MalformedError, match="without its end"):
        encoded_size(data[:-2])


def test_an_end_marker_inside_a_thumbnail_does_not_count():
    data = encode(".jpg")
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    assert encoded_size(data[:2] + thumbnail + data[2:]) == (61, 37)
    with pytest.raises(MalformedError, match="without its end"):
        encoded_size(data[:2] + thumbnail + data[2:-2])


def test_damage_inside_a_png_is_noticed_but_not_in_its_comments():
    data = bytearray(encode(".png"))
    data[len(data) // 2] ^= 1
    with pytest.raises(MalformedError, match="does not match its checksum"):
        encoded_size(bytes(data))
    good = encode(".png")
    comment = bytearray(png_block(b"tEXt", b"Comment\0hello"))
    comment[-1] ^= 1
    assert encoded_size(good[:33] + bytes(comment) + good[33:]) == (61, 37)


@pytest.mark.parametrize("quality", [101, 80])  # above 100: the lossless kind
def test_webp_kinds(quality):
    data = encode(".webp", BGR, cv2.IMWRITE_WEBP_QUALITY, quality)
    assert encoded_size(data) == (61, 37)
    assert load(data).shape == BGR.shape


def test_webp_with_alpha_has_an_extended_header():
    bgra = np.dstack([BGR, np.full((37, 61), 128, np.uint8)])
    data = encode(".webp", bgra, cv2.IMWRITE_WEBP_QUALITY, 80)
    assert data[12:16] == b"VP8X"
    assert encoded_size(data) == (61, 37)


def test_bmp_kinds():
    rows = bytes(range(12)) * 3
    assert np.array_equal(load(bmp_of(4, -3, 24, 0, rows)), load(bmp_of(4, 3, 24, 0, rows))[::-1])
    core = b"BM" + struct.pack("<IHHI", 62, 0, 0, 26) + struct.pack("<IHHHH", 12, 4, 3, 1, 24)
    assert encoded_size(core + rows) == (4, 3)
    packed = bmp_of(4, 3, 8, 1, b"\x04\x01\x00\x00" * 3 + b"\x00\x01")
    assert encoded_size(packed) == (4, 3)
    with pytest.raises(MalformedError, match="is truncated: 67 of 68 bytes of a BMP"):
        encoded_size(packed[:-1])


def test_pil_is_not_needed():
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "import numpy as np; from runtime.picture import load\n"
        "print(load(np.zeros((2, 3), np.uint8)).shape)"
    )
    root = Path(picture_module.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.stdout == "(2, 3, 3)\n"
