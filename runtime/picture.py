"""Turns whatever the caller has (path, bytes, file, array, PIL image) into a BGR picture.

Sizes are bounded before anything is decoded. Alpha is dropped, not blended; a palette is looked up.
An orientation tag (EXIF) is applied to files and PIL images, as viewers, browsers and OpenCV do:
coordinates are those of the picture the right way up. An array is taken as it lies.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias, cast, get_args

import cv2
import numpy as np

from runtime.encoded import ACCEPTED_FORMATS, MalformedError, encoded_size
from runtime.errors import InputError
from runtime.geometry import Picture

MAX_FILE_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
MAX_SIDE = 16_384

# A PIL image is taken too; PIL is not a dependency, so the type cannot name it.
PictureSource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Picture | Any
)
ChannelOrder: TypeAlias = Literal["bgr", "rgb"]
_CHANNEL_ORDERS = get_args(ChannelOrder)

_TO_BGR = {
    (1, "bgr"): cv2.COLOR_GRAY2BGR,
    (1, "rgb"): cv2.COLOR_GRAY2BGR,
    (3, "rgb"): cv2.COLOR_RGB2BGR,
    (4, "bgr"): cv2.COLOR_BGRA2BGR,
    (4, "rgb"): cv2.COLOR_RGBA2BGR,
}


def load(source: PictureSource, channel_order: ChannelOrder = "bgr") -> Picture:
    """Return the picture as uint8 BGR [H, W, 3], C-contiguous.

    source: a path, the bytes of a PNG, JPEG, WebP or BMP file, a file object opened in binary mode
        (read from where it stands to its end), a uint8 array (grey [H, W] or [H, W, 1], colour
        [H, W, 3], colour and alpha [H, W, 4]; read-only and not contiguous ones, too) or a PIL
        image. A BGR array may be returned as it is, without a copy.
    channel_order: how an array's colours lie, `bgr` (as OpenCV has them) or `rgb`; files and PIL
        images know their own.
    Raises InputError, naming the source and the remedy, for anything else and for pictures of more
    than 64 MiB encoded, 64 megapixels or 16384 pixels a side.
    """
    if channel_order not in _CHANNEL_ORDERS:
        raise InputError(f"unknown channel_order {channel_order!r}: expected 'bgr' or 'rgb'")
    if isinstance(source, np.ndarray):
        return _from_array(source, channel_order)
    if isinstance(source, str | os.PathLike):
        return _from_path(Path(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), f"the picture given as {len(source)} bytes")
    if _is_pil_image(source):
        return _from_pil(source)
    if callable(getattr(source, "read", None)):
        return _from_file(source)
    raise InputError(
        f"cannot take a picture from {type(source).__name__}: give a path, the bytes of a picture "
        "file, a file object, a uint8 array or a PIL image"
    )


def _check_size(width: int, height: int, name: str) -> None:
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise InputError(
            f"{name} is too large: {width} x {height} pixels; at most {MAX_SIDE} a side and "
            f"{MAX_PIXELS // 1_000_000} megapixels are taken, so scale it down or crop it"
        )


def _from_path(path: Path) -> Picture:
    name = str(path)
    try:
        if path.is_dir():
            raise InputError(f"{name} is a folder: give a picture file")
        if not path.exists():
            raise InputError(f"{name} does not exist: check the path")
        if not path.is_file():
            raise InputError(f"{name} is not a regular file: give a picture file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} cannot be read ({error}): check the path and its rights") from (
            error
        )
    return _decode(data, name)


def _from_file(file: Any) -> Picture:
    name = f"the file object {getattr(file, 'name', type(file).__name__)!r}"
    data = bytearray()
    try:
        # Pipes and sockets may give less than was asked for.
        while len(data) <= MAX_FILE_BYTES and (part := file.read(MAX_FILE_BYTES + 1 - len(data))):
            data += part
    except (OSError, ValueError) as error:
        raise InputError(f"{name} cannot be read ({error}): open it anew") from error
    except TypeError as error:
        raise InputError(f'{name} gives no bytes ({error}): open it in binary mode, "rb"') from (
            error
        )
    return _decode(bytes(data), name)


def _decode(data: bytes, name: str) -> Picture:
    if len(data) > MAX_FILE_BYTES:
        limit = f"{MAX_FILE_BYTES // 2**20} MiB"
        raise InputError(f"{name} is larger than {limit}: scale the picture down or crop it")
    try:
        width, height = encoded_size(data)
    except MalformedError as error:
        formats = ", ".join(ACCEPTED_FORMATS)
        raise InputError(f"{name} {error}: give a complete {formats} file") from error
    _check_size(width, height, name)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(_undecodable(name)) from error
    # Turned by its orientation tag, its sides are exchanged.
    if picture is None or picture.shape not in ((height, width, 3), (width, height, 3)):
        raise InputError(_undecodable(name))
    return cast(Picture, picture)


def _undecodable(name: str) -> str:
    return f"{name} could not be decoded: it is damaged or of an unusual kind, so save it anew"


def _from_array(array: np.ndarray[Any, Any], channel_order: ChannelOrder) -> Picture:
    kind = f"the array ({array.dtype} {list(array.shape)})"
    if array.dtype != np.uint8:
        raise InputError(
            f"{kind} is not uint8: bring the values to 0..255 and convert with .astype(np.uint8)"
        )
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise InputError(
            f"{kind} is not a picture: expected grey [H, W] or [H, W, 1], colour [H, W, 3] "
            "or colour and alpha [H, W, 4]"
        )
    if array.size == 0:
        raise InputError(f"{kind} is empty: give a picture of at least 1 x 1 pixels")
    _check_size(array.shape[1], array.shape[0], kind)
    contiguous = np.ascontiguousarray(array)
    conversion = _TO_BGR.get((channels, channel_order))
    if conversion is None:
        return contiguous
    return cast(Picture, cv2.cvtColor(contiguous, conversion))


def _is_pil_image(source: object) -> bool:
    # By name, so that PIL need not be installed, let alone imported.
    bases = type(source).__mro__
    return any(base.__module__ == "PIL.Image" and base.__name__ == "Image" for base in bases)


def _from_pil(image: Any) -> Picture:
    name = f"the PIL image (mode {image.mode}, {image.width} x {image.height})"
    if image.mode in ("I", "F"):
        raise InputError(f'{name} has no 8-bit range: bring it to 0..255 and convert("L")')
    _check_size(image.width, image.height, name)
    from PIL import ImageOps  # it is there, as one of its images is

    try:
        image = ImageOps.exif_transpose(image)
        # PIL clips 16-bit grey at 255; the high byte is what file decoders take.
        sixteen_bits = image.mode.startswith("I;16")
        pixels = np.asarray(image) >> 8 if sixteen_bits else np.asarray(image.convert("RGB"))
    except Exception as error:  # PIL's readers raise whatever they stumble over
        raise InputError(f"{name} could not be decoded ({error}): save it anew") from error
    return _from_array(pixels.astype(np.uint8), "rgb")
