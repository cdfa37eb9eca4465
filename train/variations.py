"""What test sets and training's emphases do to finished pictures, and which ones test sets keep.

`finish` (in testsets.toml, in `data.emphases`) names a variation and its range; the picture and its
truth follow. `keep` names a property that a picture must have; others are drawn and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from train.synth import Sample
from train.synth.background import choose_background
from train.synth.furniture import FURNITURE_FAMILIES, add_furniture

Picture = NDArray[np.uint8]
_Rng = np.random.Generator
# A page around a puzzle is this many times as wide and as high.
_PAGE = (1.15, 1.5)


def finished(sample: Sample, finish: Mapping[str, Sequence[float]], rng: _Rng) -> Sample:
    """The sample with every variation named in `finish`, in that order.

    Raises:
        KeyError: there is no variation of that name.
    """
    for name, limits in finish.items():
        sample = FINISHES[name](sample, rng.uniform(*limits), rng)
    return sample


def _scale(sample: Sample, factor: float, _rng: _Rng) -> Sample:
    """`factor` times as large; errors are still counted in the former pixels."""
    height, width = sample.picture.shape[:2]
    size = max(1, round(width * factor)), max(1, round(height * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(sample.picture, size, interpolation=method), np.uint8)
    scale = np.array([size[0] / width, size[1] / height])
    # A pixel's centre at x lies at (x + 1/2) · scale - 1/2 afterwards.
    return _moved(sample, picture, scale, scale / 2 - 0.5, unit_px=sample.unit_px * factor)


def _page(sample: Sample, factor: float, rng: _Rng) -> Sample:
    """Somewhere on a page with its own background and furniture."""
    height, width = sample.picture.shape[:2]
    page_width, page_height = round(width * factor), round(height * factor)
    page, _ = choose_background(rng, page_width, page_height, None, 0.0)
    page = page.copy()
    left = int(rng.integers(page_width - width + 1))
    top = int(rng.integers(page_height - height + 1))
    free = [(left - 1.0, top - 1.0, left + width + 0.0, top + height + 0.0)]
    add_furniture(rng, page, FURNITURE_FAMILIES, free)
    page[top : top + height, left : left + width] = sample.picture
    return _moved(sample, page, np.ones(2), np.array([left, top]), unit_px=sample.unit_px)


def _moved(
    sample: Sample,
    picture: Picture,
    scale: NDArray[np.float64],
    shift: NDArray[np.float64],
    unit_px: float,
) -> Sample:
    """The truth with every point p at p · scale + shift, on another picture."""

    def point(xy: tuple[float, float] | None) -> tuple[float, float] | None:
        if xy is None:
            return None
        x, y = np.asarray(xy) * scale + shift
        return float(x), float(y)

    return replace(
        sample,
        picture=picture,
        gap_picture_xy=point(sample.gap_picture_xy),
        slider_picture_xy=point(sample.slider_picture_xy),
        piece_size_px=sample.piece_size_px * float(scale.max()),
        outlines_picture_xy={
            kind: tuple(outline * scale + shift for outline in outlines)
            for kind, outlines in sample.outlines_picture_xy.items()
        },
        unit_px=unit_px,
    )


def _jpeg(picture: Picture, quality: float) -> Picture:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _curve(values: NDArray[np.float64], picture: Picture) -> Picture:
    return np.asarray(cv2.LUT(picture, np.clip(np.rint(values), 0, 255).astype(np.uint8)))


def _greyscale(picture: Picture, keep: float) -> Picture:
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(grey, 1 - keep, picture, keep, 0), np.uint8)


_LEVELS = np.arange(256.0)


def _pixels(change: Callable[[Picture, float], Picture]) -> Callable[[Sample, float, _Rng], Sample]:
    return lambda sample, amount, _rng: replace(sample, picture=change(sample.picture, amount))


# Name -> what is done by an amount drawn from the range that a set gives.
FINISHES: Mapping[str, Callable[[Sample, float, _Rng], Sample]] = {
    "scale": _scale,
    "page": _page,
    "jpeg": _pixels(_jpeg),
    "brightness": _pixels(lambda picture, factor: _curve(_LEVELS * factor, picture)),
    "contrast": _pixels(
        lambda picture, factor: _curve((_LEVELS - 127.5) * factor + 127.5, picture)
    ),
    "gamma": _pixels(lambda picture, power: _curve(255 * (_LEVELS / 255) ** power, picture)),
    "greyscale": _pixels(_greyscale),
    "blur": _pixels(
        lambda picture, sigma: np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    ),
}

# The least amounts that can be; 0 of the others.
_LEAST: Mapping[str, float] = {"scale": 0.01, "page": 1.0, "blur": 0.1}


def check_finish(finish: Mapping[str, Sequence[float]]) -> None:
    """Whether `finished` can do that.

    Raises:
        ValueError: there is no such variation, or its range is empty or too low.
    """
    for name, (low, high) in finish.items():
        if name not in FINISHES:
            raise ValueError(f"unknown finish {name!r}; there are {', '.join(FINISHES)}")
        least = _LEAST.get(name, 0.0)
        if not least <= low <= high:
            raise ValueError(f"finish {name}: expected {least:g} <= low <= high, got {low}, {high}")


def _boxes(sample: Sample, kind: str) -> list[NDArray[np.float64]]:
    outlines = sample.outlines_picture_xy.get(kind, ())
    return [np.concatenate([o.min(axis=0), o.max(axis=0)]) for o in outlines]


def _overlapping(sample: Sample) -> bool:
    return any(
        bool(np.all(a[:2] < b[2:]) and np.all(b[:2] < a[2:]))
        for a in _boxes(sample, "gap")
        for b in _boxes(sample, "slider")
    )


def _two_decoys_on_other_rows(sample: Sample) -> bool:
    (gap, *_), decoys = _boxes(sample, "gap") or [np.zeros(4)], _boxes(sample, "decoy")
    rows = [abs((d[1] + d[3]) - (gap[1] + gap[3])) / 2 for d in decoys]
    return len(rows) >= 2 and min(rows) >= 0.3 * (gap[3] - gap[1])


def _same_decoy_on_the_row(sample: Sample) -> bool:
    """A decoy of the gap's outline on its row: the generator draws those weaker than the gap."""
    outlines = sample.outlines_picture_xy
    apart = [
        decoy - gap
        for gap in outlines.get("gap", ())
        for decoy in outlines.get("decoy", ())
        if gap.shape == decoy.shape
    ]
    alike = any(np.ptp(each, axis=0).max() < 1e-6 and abs(each[0, 1]) < 1e-6 for each in apart)
    return alike and sample.difficulty != "ambiguous"


# Name -> whether a picture has that property; the difficulty classes are properties as well.
KEEPS: Mapping[str, Callable[[Sample], bool]] = {
    "overlapping": _overlapping,
    "two-decoys-on-other-rows": _two_decoys_on_other_rows,
    "same-decoy-on-the-row": _same_decoy_on_the_row,
}


def kept(sample: Sample, keep: str | None) -> bool:
    """Whether a set that keeps that property, or difficulty class, keeps the sample."""
    if keep is None:
        return True
    return KEEPS[keep](sample) if keep in KEEPS else sample.difficulty == keep
