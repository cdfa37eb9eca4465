"""The geometry contract: how a picture is laid on the canvas and how heatmaps become points.

Every other part (the deployed graph, the C++ library, training) follows this module. Coordinates
are pixel-index: the centre of the top-left pixel is (0, 0), x grows to the right, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray  # which cost time to import

CONTRACT_VERSION = 1
CANVAS_WIDTH = 512
CANVAS_HEIGHT = 256
STRIDE = 4
HEATMAP_WIDTH = CANVAS_WIDTH // STRIDE
HEATMAP_HEIGHT = CANVAS_HEIGHT // STRIDE

# A second peak closer to the chosen cell than this is the same peak's shoulder, not a rival.
RIVAL_DISTANCE_CELLS = 3
_TINY = np.float32(1e-12)

FloatArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]
Heatmap: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]
Picture: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, eq=False)
class RawResult:
    """What the network says about one canvas.

    keypoints: float32 [2, 4]; row 0 the gap, row 1 the slider; columns canvas x, canvas y (pixels),
        score (0..1), rival (strength of the second-best peak relative to the chosen one, >= 0).
    angle: float32 [2], the sine and cosine of the gap's rotation.
    """

    keypoints: NDArray[np.float32]
    angle: NDArray[np.float32]


def _round_half_up(numerator: int, denominator: int) -> int:
    """floor(numerator / denominator + 1/2), exact: floats would move some .5 ties."""
    return (2 * numerator + denominator) // (2 * denominator)


@dataclass(frozen=True)
class Letterbox:
    """A picture of the given size (pixels), scaled to fit the canvas and centred on it.

    Raises ValueError for a size below 1 x 1.
    """

    picture_width: int
    picture_height: int

    def __post_init__(self) -> None:
        if self.picture_width < 1 or self.picture_height < 1:
            size = f"{self.picture_width} x {self.picture_height}"
            raise ValueError(f"expected a picture of at least 1 x 1 pixels, got {size}")

    @cached_property
    def _width_limited(self) -> bool:
        return CANVAS_WIDTH * self.picture_height <= CANVAS_HEIGHT * self.picture_width

    @cached_property
    def shrinks(self) -> bool:
        """True when the picture is larger than the canvas allows (scale below 1)."""
        return self.picture_width > CANVAS_WIDTH or self.picture_height > CANVAS_HEIGHT

    @cached_property
    def width(self) -> int:
        """Width of the scaled picture on the canvas, pixels."""
        if self._width_limited:
            return CANVAS_WIDTH
        return max(1, _round_half_up(self.picture_width * CANVAS_HEIGHT, self.picture_height))

    @cached_property
    def height(self) -> int:
        """Height of the scaled picture on the canvas, pixels."""
        if not self._width_limited:
            return CANVAS_HEIGHT
        return max(1, _round_half_up(self.picture_height * CANVAS_WIDTH, self.picture_width))

    @cached_property
    def left(self) -> int:
        """Columns of padding on the left."""
        return (CANVAS_WIDTH - self.width) // 2

    @cached_property
    def top(self) -> int:
        """Rows of padding above."""
        return (CANVAS_HEIGHT - self.height) // 2

    @cached_property
    def scale_x(self) -> float:
        """Canvas pixels per picture pixel along x, after rounding."""
        return self.width / self.picture_width

    @cached_property
    def scale_y(self) -> float:
        """Canvas pixels per picture pixel along y, after rounding."""
        return self.height / self.picture_height

    def to_canvas(self, points_picture_xy: ArrayLike) -> FloatArray:
        """Map picture points [..., 2] (x, y in pixels) to canvas points, float64 [..., 2]."""
        points = np.asarray(points_picture_xy, dtype=np.float64)
        return (points + 0.5) * (self.scale_x, self.scale_y) - 0.5 + (self.left, self.top)

    def to_picture(self, points_canvas_xy: ArrayLike) -> FloatArray:
        """Map canvas points [..., 2] (x, y in pixels) to picture points: `to_canvas` inverted."""
        points = np.asarray(points_canvas_xy, dtype=np.float64)
        return (points - (self.left, self.top) + 0.5) / (self.scale_x, self.scale_y) - 0.5

    def render(self, picture_bgr: Picture, out: Picture | None = None) -> Picture:
        """Draw the picture on a canvas.

        picture_bgr: uint8 [picture_height, picture_width, 3].
        out: uint8 [256, 512, 4], C-contiguous, to write into (all of it is overwritten); a new
            array when None.
        Returns the canvas: channels R, G, B, mask; the mask is 255 over the picture, and padding
        is 0 in all four. Raises ValueError when an array has another shape, type or layout.
        """
        expected = (self.picture_height, self.picture_width, 3)
        if picture_bgr.shape != expected or picture_bgr.dtype != np.uint8:
            got = f"{picture_bgr.dtype} {list(picture_bgr.shape)}"
            raise ValueError(f"expected a uint8 {list(expected)} picture, got {got}")
        canvas = _checked_canvas(out)
        top, bottom = self.top, self.top + self.height
        left, right = self.left, self.left + self.width
        canvas[:top] = 0
        canvas[bottom:] = 0
        canvas[top:bottom, :left] = 0
        canvas[top:bottom, right:] = 0
        size, window = (self.width, self.height), canvas[top:bottom, left:right]
        # The added fourth channel is 255 throughout: the mask. The smaller of the two gets it.
        if self.shrinks:
            scaled = cv2.resize(picture_bgr, size, interpolation=cv2.INTER_AREA)
            cv2.cvtColor(scaled, cv2.COLOR_BGR2RGBA, dst=window)
        else:
            picture_rgba = cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2RGBA)
            cv2.resize(picture_rgba, size, dst=window, interpolation=cv2.INTER_LINEAR)
        return canvas


def new_canvas() -> Picture:
    """An uninitialised canvas to render on: uint8 [256, 512, 4], C-contiguous."""
    return np.empty((CANVAS_HEIGHT, CANVAS_WIDTH, 4), np.uint8)


def _checked_canvas(out: Picture | None) -> Picture:
    shape = (CANVAS_HEIGHT, CANVAS_WIDTH, 4)
    if out is None:
        return new_canvas()
    if out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        got = f"{out.dtype} {list(out.shape)}"
        raise ValueError(f"expected a C-contiguous uint8 {list(shape)} canvas, got {got}")
    return out


def _dilated(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Maximum of each value and its two neighbours along an axis; outside counts as -inf."""
    pad = [(0, 0)] * values.ndim
    pad[axis] = (1, 1)
    padded = np.pad(values, pad, constant_values=-np.inf)
    size = values.shape[axis]
    before, after = (np.take(padded, range(start, start + size), axis) for start in (0, 2))
    return np.maximum(values, np.maximum(before, after))


def _row_support(other: Heatmap, row_agreement: float) -> NDArray[np.float32]:
    """R(i) ** lambda as a column [64, 1]: how strongly the other map speaks for rows i-1..i+1."""
    row_max: NDArray[np.float32] = _dilated(other.max(axis=1), axis=0)
    return np.power(row_max, np.float32(row_agreement))[:, None]


def _decode_one(heatmap: Heatmap, fused: Heatmap, offset: Heatmap) -> tuple[list[float], int, int]:
    # The global maximum always survives the suppression, so its first occurrence is the choice.
    i, j = divmod(int(fused.argmax()), HEATMAP_WIDTH)
    survives = fused == _dilated(_dilated(fused, axis=0), axis=1)
    rows, columns = np.ogrid[:HEATMAP_HEIGHT, :HEATMAP_WIDTH]
    far = np.maximum(np.abs(rows - i), np.abs(columns - j)) >= RIVAL_DISTANCE_CELLS
    best_rival = np.where(survives & far, fused, np.float32(0)).max()
    x = (j + 0.5 + float(offset[0, i, j])) * STRIDE - 0.5
    y = (i + 0.5 + float(offset[1, i, j])) * STRIDE - 0.5
    rival = best_rival / np.maximum(fused[i, j], _TINY)
    return [x, y, float(heatmap[i, j]), float(rival)], i, j


def decode(
    heatmap_gap: ArrayLike,
    heatmap_slider: ArrayLike,
    offset_gap: ArrayLike,
    offset_slider: ArrayLike,
    angle: ArrayLike,
    row_agreement: float = 1.0,
) -> RawResult:
    """Turn the network's maps into two points: the reference for every decode in the project.

    heatmap_gap, heatmap_slider: float32 [64, 128], values 0..1.
    offset_gap, offset_slider: float32 [2, 64, 128]: x then y, in cells, |offset| <= 0.5.
    angle: float32 [2, 64, 128]: sine then cosine, read at the gap's cell.
    row_agreement: the exponent of the row prior (>= 0); 0 switches it off.
    Returns points in canvas pixels. Raises ValueError for maps of another shape.

    The gap is the argmax (first in row-major order) of heatmap_gap times R_slider ** row_agreement,
    where R_slider(i) is the largest value of heatmap_slider in rows i-1..i+1; the slider likewise
    with R_gap. The rival is the best other 3 x 3 local maximum at a Chebyshev distance of at least
    three cells, relative to the chosen one.
    """
    gap, slider = _map(heatmap_gap), _map(heatmap_slider)
    gap_point, i, j = _decode_one(
        gap, gap * _row_support(slider, row_agreement), _map(offset_gap, channels=2)
    )
    slider_point, _, _ = _decode_one(
        slider, slider * _row_support(gap, row_agreement), _map(offset_slider, channels=2)
    )
    return RawResult(
        keypoints=np.array([gap_point, slider_point], dtype=np.float32),
        angle=_map(angle, channels=2)[:, i, j].copy(),
    )


def _map(values: ArrayLike, channels: int | None = None) -> Heatmap:
    array = np.asarray(values, dtype=np.float32)
    shape = (HEATMAP_HEIGHT, HEATMAP_WIDTH)
    expected = shape if channels is None else (channels, *shape)
    if array.shape != expected:
        raise ValueError(f"expected a map of shape {list(expected)}, got {list(array.shape)}")
    return array
