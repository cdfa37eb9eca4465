"""A small COCO data set of somebody's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Labels = dict[str, Any]


def labels_of(count: int = 3) -> Labels:
    """Pictures of 60 x 40 pixels in a subfolder, keypoints in another order and among others."""
    return {
        "info": {"year": 2020},
        "images": [
            {"id": 10 + i, "file_name": f"pictures/{i}.png", "width": 60, "height": 40}
            for i in range(count)
        ],
        "annotations": [
            {
                "id": 100 + i,
                "image_id": 10 + i,
                "category_id": 7,
                "keypoints": [10.5 + i, 20.5, 2, 1, 1, 1, 40.5 - i, 20.5, 1],
                "bbox": [0, 0, 5, 5],
            }
            for i in range(count)
        ],
        "categories": [
            {"id": 3, "name": "person", "keypoints": ["nose"]},
            {"id": 7, "name": "toy", "keypoints": ["slider", "knob", "gap"]},
        ],
    }


def write_dataset(
    folder: Path, labels: Labels | None = None, name: str = "annotations.json"
) -> Path:
    """The pictures that good labels name, all different, and the labels given; their file."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for i in range(3):
        rng = np.random.default_rng(i)
        picture = cv2.resize(rng.integers(0, 256, (4, 6, 3), np.uint8), (60, 40))
        cv2.imwrite(str(folder / "pictures" / f"{i}.png"), picture)
    (folder / name).write_text(json.dumps(labels_of() if labels is None else labels))
    return folder / name
