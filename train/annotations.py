"""COCO-keypoints annotations: those that train.generate writes, or anyone's own.

A data set is a JSON file with the pictures beside it. One category names the keypoints "gap" and
"slider", in any order and among others; a picture has at most one annotation of it, and shows
neither point when it has none. COCO puts (0, 0) at the corner of the top-left pixel, this project
at its centre: x and y are half a pixel less here.

Keys beyond COCO's, all optional: an annotation's `angle_deg` (see `Sample`; without it the angle is
not learned), `piece_size_px` (without it a quarter of the height) and `decoys`, outlines of what
only looks like the gap, as polygons; a picture's `difficulty` (one of `DIFFICULTIES`; others are
ignored). With `decoys`, be it empty, the polygons of `segmentation` are the outlines of the gap and
the slider, in this order, and shapes are learned; without, `segmentation` is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.files import write_atomically
from runtime.picture import load
from train.entries import (
    POINTS,
    Annotation,
    Columns,
    DataError,
    Image,
    Point,
    Problem,
    annotations_of,
    images_of,
    keypoint_columns,
)
from train.synth import DIFFICULTIES, Sample
from train.synth.shapes import Outline

FILE_NAME = "annotations.json"
MAX_JSON_BYTES = 2**30
_PIECE_SHARE = 0.25  # of the picture's height, where nobody says how large the piece is


@dataclass(frozen=True)
class LabelledPicture:
    """A picture file and what is known about it; the fields it shares with `Sample` are the same.

    folder: the data set's; file_name: within it; width, height: pixels, as the annotations say.
    """

    folder: Path
    file_name: str
    width: int
    height: int
    gap_picture_xy: Point | None
    slider_picture_xy: Point | None
    angle_deg: float | None
    difficulty: str
    piece_size_px: float
    outlines_picture_xy: Mapping[str, tuple[Outline, ...]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The picture file."""
        return self.folder / self.file_name

    def sample(self) -> Sample:
        """The picture, read and decoded, with its truth.

        Raises:
            InputError: the file cannot be read, is too large or is no picture.
            DataError: its size is not the one that the annotations state.
        """
        picture = load(self.path)
        height, width = picture.shape[:2]
        if (width, height) != (self.width, self.height):
            stated = f"{self.width} x {self.height}"
            raise DataError(f"{self.path} has {width} x {height} pixels, its entry says {stated}")
        return Sample(
            picture=picture,
            gap_picture_xy=self.gap_picture_xy,
            slider_picture_xy=self.slider_picture_xy,
            angle_deg=self.angle_deg,
            difficulty=self.difficulty,
            families={},
            piece_size_px=self.piece_size_px,
            outlines_picture_xy=self.outlines_picture_xy,
        )


def annotation_file(path: Path) -> Path:
    """The JSON file of a data set given as that file or as its folder."""
    return path / FILE_NAME if path.is_dir() else path


def load_pictures(path: Path) -> list[LabelledPicture]:
    """All pictures of a data set, in order; none of them is opened yet.

    Raises:
        DataError: the file cannot be used, an entry is wrong or a picture is not there.
    """
    pictures, problems = read(path)
    problems += [found for one in pictures if (found := missing(one)) is not None]
    if problems:
        others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        hint = f"python -m train.validate_data {path} names all"
        raise DataError(f"{path}: {problems[0]}{others}; {hint}")
    if not pictures:
        raise DataError(f"{path}: holds no pictures")
    return pictures


def read(path: Path) -> tuple[list[LabelledPicture], list[Problem]]:
    """The pictures that a data set (JSON file or folder) lists, and what is wrong with its entries.

    Raises:
        DataError: the file cannot be read, is no COCO JSON, or has no such keypoints.
    """
    file = annotation_file(path)
    labels = read_json(file)
    columns = keypoint_columns(file, labels["categories"])
    problems: list[Problem] = []
    images = images_of(labels["images"], problems)
    annotations = annotations_of(labels["annotations"], images, columns, problems)
    pictures = [
        _labelled(file.parent, image, annotations.get(number), columns)
        for number, image in images.items()
    ]
    for picture in pictures:
        problems += _outside(picture)
    return pictures, problems


def missing(picture: LabelledPicture) -> Problem | None:
    """The problem of a picture that is not there."""
    if picture.path.is_file():
        return None
    return Problem(picture.file_name, "missing file", f"{picture.path} does not exist")


def read_json(file: Path) -> dict[str, Any]:
    """A COCO JSON file with its three lists, whose entries are not looked at.

    Raises:
        DataError: it cannot be read, is no JSON, or a list is missing.
    """
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            raise DataError(f"{file}: larger than {MAX_JSON_BYTES // 2**20} MiB")
        labels = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
    except DataError:
        raise
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not JSON: {error}") from error
    for name in ("images", "annotations", "categories"):
        if not isinstance(labels, dict) or not isinstance(labels.get(name), list):
            raise DataError(f"{file}: not a COCO data set: it has no list {name!r}")
    return dict(labels)


def write_json(file: Path, labels: dict[str, Any]) -> None:
    """Writes a COCO JSON file, whole or not at all. Raises OSError when it cannot be written."""
    write_atomically(file, (json.dumps(labels, allow_nan=False) + "\n").encode())


def _labelled(
    folder: Path, image: Image, annotation: Annotation | None, columns: Columns
) -> LabelledPicture:
    gap = slider = angle_deg = size_px = None
    outlines: Mapping[str, tuple[Outline, ...]] = {}
    if annotation is not None:
        gap_and_slider = columns[annotation.category_id]
        gap, slider = map(annotation.point, gap_and_slider)
        outlines = annotation.outlines(gap_and_slider)
        angle_deg, size_px = annotation.angle_deg, annotation.piece_size_px
    difficulty = "negative" if gap is None else "normal"
    if image.difficulty in DIFFICULTIES:
        difficulty = str(image.difficulty)
    return LabelledPicture(
        folder=folder,
        file_name=image.file_name,
        width=image.width,
        height=image.height,
        gap_picture_xy=gap,
        slider_picture_xy=slider,
        angle_deg=angle_deg,
        difficulty=difficulty,
        piece_size_px=size_px or _PIECE_SHARE * image.height,
        outlines_picture_xy=outlines,
    )


def _outside(picture: LabelledPicture) -> Iterator[Problem]:
    for name, point in zip(
        POINTS, (picture.gap_picture_xy, picture.slider_picture_xy), strict=True
    ):
        if point is None:
            continue
        if not all(
            -0.5 <= at < size - 0.5
            for at, size in zip(point, (picture.width, picture.height), strict=True)
        ):
            where = f"{name} at ({point[0]:g}, {point[1]:g}) of {picture.width} x {picture.height}"
            yield Problem(picture.file_name, "point outside", f"{where} pixels")
