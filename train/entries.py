"""The entries of a COCO-keypoints JSON, each checked on its own: the good ones, and what is wrong.

The format is described in `train.annotations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from runtime.picture import MAX_SIDE
from train.synth.shapes import Outline

POINTS = ("gap", "slider")

Point = tuple[float, float]
Columns = dict[int, tuple[int, int]]  # category id -> which of its keypoints are gap and slider


class DataError(ValueError):
    """A data set, or a picture of one, that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Problem:
    """A bad sample: its file name (or which annotation it is), the kind of fault, what is wrong.

    reason: "bad entry", "duplicate id", "duplicate file name" or "point outside"; of the picture
        files (`train.validate_data`) also "missing file", "unreadable", "size mismatch" and
        "duplicate picture".
    """

    sample: str
    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.sample}: {self.reason}: {self.detail}"


def _inside(file_name: str) -> str:
    path = PurePosixPath(file_name)
    odd = {"\\", "\0", ":"} & set(file_name)
    if not path.parts or path.is_absolute() or ".." in path.parts or odd:
        raise ValueError("must be a relative path inside the data set's folder")
    return str(path)


def _triplets(keypoints: list[float]) -> list[float]:
    if len(keypoints) % 3 or not {*keypoints[2::3]} <= {0, 1, 2}:
        raise ValueError("must be x, y, v for every keypoint, v being 0, 1 or 2")
    return keypoints


def _pairs(polygon: list[float]) -> list[float]:
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("must be x, y for three points or more")
    return polygon


Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Near = Annotated[float, Field(ge=-MAX_SIDE, le=2 * MAX_SIDE, allow_inf_nan=False)]
Polygon = Annotated[list[Near], AfterValidator(_pairs)]
_POLYGONS = TypeAdapter(list[Polygon], config=ConfigDict(strict=True))


def _polygons(segmentation: object) -> list[Polygon] | None:
    """A segmentation's polygons; None for one of another kind."""
    try:
        return _POLYGONS.validate_python(segmentation)
    except ValidationError:
        return None


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    id: int


class Image(_Entry):
    """An entry of "images"; width and height in pixels."""

    file_name: Annotated[str, AfterValidator(_inside)]
    width: Side
    height: Side
    difficulty: object = None


class Annotation(_Entry):
    """An entry of "annotations"; keypoints are x, y, v each, in COCO's coordinates."""

    image_id: int
    category_id: int
    keypoints: Annotated[list[Finite], AfterValidator(_triplets)] = []
    angle_deg: Annotated[float, Field(gt=-180, le=180)] | None = None
    piece_size_px: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    segmentation: Annotated[list[Polygon] | None, BeforeValidator(_polygons)] = None
    decoys: list[Polygon] | None = None

    def has_all_polygons(self, columns: tuple[int, int]) -> bool:
        """Whether, where `decoys` are known, `segmentation` has a polygon for each point shown."""
        shown = sum(self.point(column) is not None for column in columns)
        return self.decoys is None or len(self.segmentation or ()) == shown

    def outlines(self, columns: tuple[int, int]) -> dict[str, tuple[Outline, ...]]:
        """Those of gap, slider and decoys as in `Sample.outlines_picture_xy`; none where `decoys`
        is missing.

        columns: which keypoints are gap and slider; `has_all_polygons` of them.
        """
        if self.decoys is None:
            return {}
        shown = [name for name, c in zip(POINTS, columns, strict=True) if self.point(c)]
        outlines = map(_outline, self.segmentation or ())
        found = {name: (outline,) for name, outline in zip(shown, outlines, strict=True)}
        return {"gap": (), "slider": (), **found, "decoy": tuple(map(_outline, self.decoys))}

    def point(self, column: int) -> Point | None:
        """Keypoint number `column` in this project's picture coordinates, None where v is 0."""
        x, y, v = self.keypoints[3 * column : 3 * column + 3]
        return (x - 0.5, y - 0.5) if v else None


def _outline(polygon: list[float]) -> Outline:
    return np.reshape(polygon, (-1, 2)) - 0.5


_AnyKind = TypeVar("_AnyKind", bound=_Entry)


def keypoint_columns(file: Path, categories: list[Any]) -> Columns:
    """The categories that have both keypoints, and where.

    Raises:
        DataError: there is none; the message names `file`.
    """
    columns: Columns = {}
    for category in categories:
        if not isinstance(category, dict):
            continue
        number, names = category.get("id"), category.get("keypoints")
        if isinstance(number, int) and isinstance(names, list) and all(p in names for p in POINTS):
            columns[number] = (names.index("gap"), names.index("slider"))
    if not columns:
        raise DataError(f"{file}: no category has the keypoints 'gap' and 'slider'")
    return columns


def images_of(entries: list[Any], problems: list[Problem]) -> dict[int, Image]:
    """The good entries by id; each name and id once."""
    images: dict[int, Image] = {}
    names: set[str] = set()
    for position, entry in enumerate(entries):
        image = _parsed(Image, entry, f"image entry {position}", problems)
        if image is None:
            continue
        if image.id in images:
            same = f"id {image.id} is also that of {images[image.id].file_name}"
            problems.append(Problem(image.file_name, "duplicate id", same))
        elif image.file_name in names:
            again = f"image entry {position} names it again"
            problems.append(Problem(image.file_name, "duplicate file name", again))
        else:
            images[image.id] = image
            names.add(image.file_name)
    return images


def annotations_of(
    entries: list[Any], images: dict[int, Image], columns: Columns, problems: list[Problem]
) -> dict[int, Annotation]:
    """The good annotations by the id of their picture; those of other categories are left out."""
    found: dict[int, Annotation] = {}
    ids: set[int] = set()
    for position, entry in enumerate(entries):
        name = f"annotation entry {position}"
        annotation = _parsed(Annotation, entry, name, problems)
        if annotation is None or annotation.category_id not in columns:
            continue
        image = images.get(annotation.image_id)
        if image is None:
            reason, detail = "bad entry", f"no good picture entry has the id {annotation.image_id}"
        elif annotation.id in ids:
            reason, detail = "duplicate id", f"{name} has the id {annotation.id} of another"
        elif annotation.image_id in found:
            reason, detail = "bad entry", f"{name} is a second one for this picture"
        elif len(annotation.keypoints) <= 3 * max(columns[annotation.category_id]):
            reason, detail = "bad entry", f"{name} has too few keypoints"
        elif not annotation.has_all_polygons(columns[annotation.category_id]):
            polygons = "one polygon for each of gap and slider"
            reason, detail = "bad entry", f"{name} has decoys, but not {polygons} that it shows"
        else:
            found[annotation.image_id] = annotation
            ids.add(annotation.id)
            continue
        problems.append(Problem(image.file_name if image else name, reason, detail))
    return found


def _parsed(
    kind: type[_AnyKind], entry: Any, name: str, problems: list[Problem]
) -> _AnyKind | None:
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        detail = f"{key} = {first['input']!r:.80}: {first['msg']}"
        problems.append(Problem(name, "bad entry", detail))
        return None
