"""Draws generated pictures into a folder, by several processes, and goes on where it was stopped.

Every picture is written whole or not at all, then noted in a journal; the annotations are written
once all pictures are there. What belongs to another job is never mixed in.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from runtime.encoded import MalformedError, encoded_size
from runtime.files import write_atomically
from train.annotations import FILE_NAME, read_json, write_json
from train.entries import POINTS, DataError
from train.synth import GENERATOR_VERSION, Backgrounds, Sample, SynthOptions, render

JOURNAL = "annotations.partial.jsonl"
_CATEGORY = {"id": 1, "name": "puzzle", "keypoints": list(POINTS), "skeleton": [[1, 2]]}
_CHUNK = 8  # pictures a process draws before it reports them

Entry = dict[str, Any]  # {"image": …, "annotation": …}, the latter None without gap and piece


@dataclass(frozen=True)
class Job:
    """What is drawn: pictures of the stream `seed`, into `directory`."""

    directory: Path
    seed: int
    options: SynthOptions
    backgrounds: Backgrounds | None

    def recipe(self) -> dict[str, Any]:
        """All that decides the pictures, as plain JSON values."""
        values = {
            "generator": GENERATOR_VERSION,
            "seed": self.seed,
            "backgrounds": self.backgrounds and self.backgrounds.fingerprint,
            **asdict(self.options),
        }
        return dict(json.loads(json.dumps(values, default=sorted)))

    def draw(self, index: int) -> Entry:
        """Writes picture number `index`, whole or not at all, and returns its entry."""
        sample = render(self.seed, index, self.options, self.backgrounds)
        entry = entry_of(sample, index)
        encoded = cv2.imencode(".png", sample.picture)[1].tobytes()
        write_atomically(self.directory / entry["image"]["file_name"], encoded)
        return entry


def entry_of(sample: Sample, index: int) -> Entry:
    """A sample's COCO entries; difficulty, families, angle, piece size and decoys are keys of our
    own (see `train.annotations`)."""
    height, width = sample.picture.shape[:2]
    image = {
        "id": index,
        "file_name": f"{index:06d}.png",
        "width": width,
        "height": height,
        "difficulty": sample.difficulty,
        "families": dict(sample.families),
    }
    points = [sample.gap_picture_xy, sample.slider_picture_xy]
    if not any(points):
        return {"image": image, "annotation": None}
    # COCO counts from the top-left pixel's corner, we from its centre.
    keypoints = [(0.0, 0.0, 0) if p is None else (p[0] + 0.5, p[1] + 0.5, 2) for p in points]
    outlines = [o + 0.5 for name in POINTS for o in sample.outlines_picture_xy[name]]
    decoys = [o + 0.5 for o in sample.outlines_picture_xy["decoy"]]
    x, y = np.concatenate(outlines).min(axis=0)
    right, bottom = np.concatenate(outlines).max(axis=0)
    annotation = {
        "id": index + 1,  # pycocotools takes an annotation 0 for none
        "image_id": index,
        "category_id": _CATEGORY["id"],
        "keypoints": [value for keypoint in keypoints for value in keypoint],
        "num_keypoints": sum(point is not None for point in points),
        "bbox": np.round([x, y, right - x, bottom - y], 2).tolist(),
        "area": round(sum(map(_area, outlines)), 2),
        "iscrowd": 0,
        "segmentation": _polygons(outlines),
        "decoys": _polygons(decoys),
        "angle_deg": sample.angle_deg,
        "piece_size_px": sample.piece_size_px,
    }
    return {"image": image, "annotation": annotation}


def _polygons(outlines: Sequence[np.ndarray]) -> list[list[float]]:
    return [np.round(outline, 2).ravel().tolist() for outline in outlines]


def _area(outline: np.ndarray) -> float:
    return float(cv2.contourArea(outline.astype(np.float32)))


def generate(job: Job, count: int, workers: int = 1) -> None:
    """Write pictures 0 … count − 1 and `annotations.json`; those already there stay.

    Raises:
        DataError: the folder holds pictures of another job.
        OSError: the folder or a file cannot be written.
    """
    job.directory.mkdir(parents=True, exist_ok=True)
    entries = _kept(job)
    missing = [index for index in range(count) if index not in entries]
    journal = job.directory / JOURNAL
    with journal.open("a", encoding="utf-8") as file:
        # A line that an interruption tore ends here; those that make no sense are left out later.
        file.write("\n" + json.dumps(job.recipe()) + "\n")
        with tqdm(total=count, initial=count - len(missing), unit="picture", disable=None) as bar:
            for entry in _draw_all(job, missing, workers):
                entries[entry["image"]["id"]] = entry
                file.write(json.dumps(entry) + "\n")
                file.flush()
                bar.update()
    chosen = [entries[index] for index in range(count)]
    labels = {
        "info": {"description": "edge-locator: generated puzzles", "recipe": job.recipe()},
        "images": [entry["image"] for entry in chosen],
        "annotations": [entry["annotation"] for entry in chosen if entry["annotation"]],
        "categories": [_CATEGORY],
    }
    write_json(job.directory / FILE_NAME, labels)
    journal.unlink()


def _kept(job: Job) -> dict[int, Entry]:
    """Entries by number of the pictures that earlier runs of the job wrote and that are whole."""
    recipe, entries = job.recipe(), []
    if (job.directory / FILE_NAME).exists():
        labels = read_json(job.directory / FILE_NAME)
        info = labels.get("info")
        _check_recipe(job, info.get("recipe") if isinstance(info, dict) else None, recipe)
        annotations = {one["image_id"]: one for one in labels["annotations"]}
        entries = [{"image": i, "annotation": annotations.get(i["id"])} for i in labels["images"]]
    if (job.directory / JOURNAL).exists():
        for line in (job.directory / JOURNAL).read_text("utf-8").splitlines():
            record = _parsed(line)
            if "image" in record:
                entries.append(record)
            elif record:
                _check_recipe(job, record, recipe)
    return {entry["image"]["id"]: entry for entry in entries if _is_whole(job, entry["image"])}


def _parsed(line: str) -> Entry:
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


def _check_recipe(job: Job, theirs: object, ours: dict[str, Any]) -> None:
    if theirs == ours:
        return
    if not isinstance(theirs, dict):
        raise DataError(f"{job.directory} holds a data set that train.generate did not write")
    key = next(key for key in [*ours, *theirs] if ours.get(key) != theirs.get(key))
    raise DataError(
        f"{job.directory} holds pictures made with {key} = {theirs.get(key)}, not "
        f"{ours.get(key)}: give another folder"
    )


def _is_whole(job: Job, image: dict[str, Any]) -> bool:
    try:
        data = (job.directory / image["file_name"]).read_bytes()
        return encoded_size(data) == (image["width"], image["height"])
    except (OSError, MalformedError):
        return False


def _draw_all(job: Job, indices: Sequence[int], workers: int) -> Iterator[Entry]:
    """The entries of these pictures, in order, drawn by as many processes."""
    if workers == 1:
        yield from map(job.draw, indices)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _start_worker, (job,))
    try:
        yield from pool.map(_draw, indices, chunksize=_CHUNK)
    finally:
        pool.shutdown(cancel_futures=True)


_job: Job  # a worker process's own, handed over once: its photographs stay decoded


def _start_worker(job: Job) -> None:
    global _job
    _job = job
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the run in order
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _draw(index: int) -> Entry:
    return _job.draw(index)
