"""Write generated puzzle pictures and their labels to a folder.

    python -m train.generate --num-images 6 --output-dir data/look
    python -m train.generate --num-images 2000 --output-dir data/photos --backgrounds my/photos

Pictures are PNG; `annotations.json` is COCO-keypoints JSON: one annotation a picture, keypoints
gap and slider as (x, y, v), v = 0 where the picture has none. COCO puts (0, 0) at the corner of
the top-left pixel, so x and y are half a pixel more than this project's coordinates.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
from tqdm import tqdm

from runtime.errors import LocatorError
from train.synth import DIFFICULTIES, FAMILIES, Backgrounds, Sample, SynthOptions, render

_CATEGORY = {"id": 1, "name": "puzzle", "keypoints": ["gap", "slider"], "skeleton": [[1, 2]]}


def annotation(sample: Sample, index: int) -> dict[str, object]:
    """A sample's COCO annotation; angle, difficulty and families are extra keys."""
    points = [sample.gap_picture_xy, sample.slider_picture_xy]
    keypoints: list[float] = []
    for point in points:
        keypoints += [0.0, 0.0, 0] if point is None else [point[0] + 0.5, point[1] + 0.5, 2]
    return {
        "id": index,
        "image_id": index,
        "category_id": 1,
        "keypoints": keypoints,
        "num_keypoints": sum(point is not None for point in points),
        "angle_deg": sample.angle_deg,
        "difficulty": sample.difficulty,
        "families": dict(sample.families),
        "piece_size_px": sample.piece_size_px,
    }


def generate(
    directory: Path, count: int, seed: int, options: SynthOptions, backgrounds: Backgrounds | None
) -> None:
    """Write pictures 0..count-1 of the stream `seed` and `annotations.json` into `directory`.

    Raises:
        OSError: the folder or a file cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for index in tqdm(range(count), unit="picture", disable=None):
        sample = render(seed, index, options, backgrounds)
        name = f"{index:06d}.png"
        encoded = cv2.imencode(".png", sample.picture)[1]
        (directory / name).write_bytes(encoded.tobytes())
        height, width = sample.picture.shape[:2]
        images.append({"id": index, "file_name": name, "width": width, "height": height})
        annotations.append(annotation(sample, index))
    labels = {"images": images, "annotations": annotations, "categories": [_CATEGORY]}
    (directory / "annotations.json").write_text(json.dumps(labels, indent=1) + "\n", "utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.generate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"difficulty classes: {', '.join(DIFFICULTIES)}; style families: "
        + "; ".join(f"{kind}: {', '.join(names)}" for kind, names in FAMILIES.items()),
    )
    parser.add_argument("--num-images", type=int, default=100)
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backgrounds", type=Path, help="folder of photographs to paint on")
    parser.add_argument("--leave-out", nargs="*", default=[], help="style families never drawn")
    parser.add_argument("--require", nargs="*", default=[], help="style families always drawn")
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--enable-confusing-gaps", action=switch, default=True)
    parser.add_argument("--enable-rotation", action=switch, default=True)
    parser.add_argument("--enable-perlin-noise", action=switch, default=True)
    return parser


def _options(arguments: argparse.Namespace) -> SynthOptions:
    """All effects are on as in training unless switched off (--no-enable-...)."""
    options = SynthOptions(
        leave_out=frozenset(arguments.leave_out), require=frozenset(arguments.require)
    )
    if not arguments.enable_confusing_gaps:
        options = replace(options, decoy_probability=0.0, ambiguous_probability=0.0)
    if not arguments.enable_rotation:
        options = replace(options, rotation_probability=0.0)
    if not arguments.enable_perlin_noise:
        kept = tuple(name for name in options.degradations if name != "perlin-noise")
        options = replace(options, degradations=kept)
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 2 with one line on stderr when something was wrong."""
    arguments = _parser().parse_args(argv)
    try:
        photographs = Backgrounds(arguments.backgrounds) if arguments.backgrounds else None
        generate(
            arguments.output_dir,
            arguments.num_images,
            arguments.seed,
            _options(arguments),
            photographs,
        )
    except (LocatorError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
