"""Split a COCO-keypoints data set into a training and a validation part.

    python -m train.split --input-dir data/photos --train-ratio 0.9 --seed 42

Writes train.json and val.json beside the annotations; both name the pictures where they are, and
nothing is copied. The same seed gives the same split.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from train.annotations import annotation_file, load_pictures, read_json, write_json
from train.entries import DataError

NAMES = ("train.json", "val.json")


def split(labels: dict[str, Any], train_ratio: float, seed: int) -> list[dict[str, Any]]:
    """The two parts of a COCO JSON, each with the annotations of its pictures and all else.

    train_ratio: share of the pictures that go to the first, rounded.

    Raises:
        DataError: one of the parts would have no picture.
    """
    images = labels["images"]
    count = round(train_ratio * len(images))
    if not 0 < count < len(images):
        raise DataError(f"of {len(images)} pictures {count} would be for training: give more")
    ids = np.array([image["id"] for image in images], dtype=object)
    chosen = set(ids[np.random.default_rng(seed).permutation(len(ids))[:count]].tolist())
    return [_part(labels, chosen), _part(labels, set(ids.tolist()) - chosen)]


def _part(labels: dict[str, Any], ids: set[int]) -> dict[str, Any]:
    return labels | {
        "images": [image for image in labels["images"] if image["id"] in ids],
        "annotations": [one for one in labels["annotations"] if one["image_id"] in ids],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 with one line on stderr when something was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m train.split",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--input-dir", type=Path, required=True, help="folder, or its JSON file")
    parser.add_argument("--train-ratio", type=float, default=0.9, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=42, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    try:
        load_pictures(arguments.input_dir)  # a split of bad labels would only hide them
        file = annotation_file(arguments.input_dir)
        parts = split(read_json(file), arguments.train_ratio, arguments.seed)
        for name, part in zip(NAMES, parts, strict=True):
            write_json(file.with_name(name), part)
            print(f"{file.with_name(name)}: {len(part['images'])} pictures")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
