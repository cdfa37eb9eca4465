"""Makes the six example pictures and truth.json from the generator: `python examples/make.py`."""

import json
from pathlib import Path

import cv2

from train.synth import render

SEED = 30001
# One picture for each class that has an answer, picked by eye among those that are found.
INDICES = {
    "normal": 53,
    "confusing": 35,
    "rotated": 16,
    "noise": 13,
    "low-contrast": 382,
    "edge": 21,
}


def main() -> None:
    folder = Path(__file__).parent
    truth = {}
    for name, index in INDICES.items():
        sample = render(SEED, index)
        assert sample.difficulty == name, f"picture {index} is now of class {sample.difficulty}"
        cv2.imwrite(str(folder / f"{name}.png"), sample.picture)
        truth[name] = {
            "gap_picture_xy": sample.gap_picture_xy,
            "slider_picture_xy": sample.slider_picture_xy,
            "angle_deg": sample.angle_deg,
        }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
