"""Name every bad sample of a COCO-keypoints data set with its reason.

    python -m train.validate_data data/photos [--json]

Looks at every entry and decodes every picture. Exit code 0 when all are good, 1 when any is bad,
2 when the annotations cannot be used at all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from runtime.cpus import default_threads
from runtime.errors import InputError
from train.annotations import LabelledPicture, missing, read
from train.entries import DataError, Problem


def validate(path: Path) -> tuple[int, list[Problem]]:
    """How many pictures a data set (JSON file or folder) lists, and all that is wrong with it.

    Raises:
        DataError: the annotations cannot be read or are no COCO-keypoints JSON.
    """
    pictures, problems = read(path)
    first_with: dict[str, str] = {}
    with ThreadPoolExecutor(default_threads()) as pool:
        looked_at = pool.map(_look_at, pictures)
        bar = tqdm(looked_at, total=len(pictures), unit="picture", disable=None)
        for picture, (problem, digest) in zip(pictures, bar, strict=True):
            if problem is None and digest in first_with:
                same = f"the same bytes as {first_with[digest]}"
                problem = Problem(picture.file_name, "duplicate picture", same)
            if problem is not None:
                problems.append(problem)
            first_with.setdefault(digest, picture.file_name)
    return len(pictures), problems


def _look_at(picture: LabelledPicture) -> tuple[Problem | None, str]:
    """What is wrong with a picture file, and the digest of its bytes."""
    problem = missing(picture)
    if problem is not None:
        return problem, picture.file_name
    try:
        picture.sample()
    except InputError as error:
        return Problem(picture.file_name, "unreadable", str(error)), picture.file_name
    except DataError as error:
        problem = Problem(picture.file_name, "size mismatch", str(error))
    return problem, hashlib.sha256(picture.path.read_bytes()).hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; the exit code as the module says."""
    parser = argparse.ArgumentParser(
        prog="python -m train.validate_data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", type=Path, help="folder with annotations.json, or a JSON file")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    arguments = parser.parse_args(argv)
    try:
        count, problems = validate(arguments.dataset)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        report = {"pictures": count, "problems": [asdict(problem) for problem in problems]}
        print(json.dumps(report, indent=1))
    else:
        for problem in problems:
            print(problem)
        bad = len({problem.sample for problem in problems})
        print(f"{count} pictures, {bad or 'no'} bad samples")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
