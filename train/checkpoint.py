"""Checkpoints: one dict, written atomically, read without unpickling code."""

from __future__ import annotations

import io
import os
import pickle
import random
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from train.config import Config, ConfigError, parse_config
from train.model import KeypointNet, build_model

REQUIRED_KEYS = frozenset(
    {
        "epoch",
        "global_step",
        "model_state_dict",
        "optimizer_state_dict",
        "scheduler_state_dict",
        "ema_state_dict",
        "metrics",
        "config",
        "random_state",
    }
)
# AveragedModel wraps the network, whose names it prefixes.
_EMA_PREFIX = "module."


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the message is one line."""


def random_state() -> dict[str, Any]:
    """The state of torch's, numpy's and Python's global generators, free of foreign classes."""
    _, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
        "numpy": [[int(key) for key in keys], int(position), int(has_gauss), float(gauss)],
        "random": random.getstate(),
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Puts back what `random_state` took."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state(  # noqa: NPY002
        ("MT19937", np.array(keys, np.uint32), position, has_gauss, gauss)
    )
    random.setstate(state["random"])


def save(path: Path, checkpoint: dict[str, Any]) -> None:
    """Writes a checkpoint; see `write`."""
    write(path, serialised(checkpoint))


def serialised(checkpoint: dict[str, Any]) -> bytes:
    """A checkpoint as the bytes of its file."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    return buffer.getvalue()


def write(path: Path, content: bytes) -> None:
    """Writes so that a reader, or a power cut, meets the old file or the new one, never a part.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written to; the old file is whole.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        kept = "; the one written before is whole" if path.exists() else ""
        raise CheckpointError(
            f"{path}: cannot be written: {error.strerror or error}{kept}"
        ) from error


def _sync_folder(folder: Path) -> None:
    # Only then is the new name on the disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(path: str | Path, map_location: str | torch.device = "cpu") -> dict[str, Any]:
    """Reads a checkpoint of this project.

    Raises:
        CheckpointError: the file is missing, truncated or something else.
    """
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, BadZipFile, ValueError) as error:
        raise CheckpointError(f"{path}: not a whole checkpoint file of torch") from error
    if not isinstance(checkpoint, dict) or not checkpoint.keys() >= REQUIRED_KEYS:
        found = set(checkpoint) if isinstance(checkpoint, dict) else set()
        missing = ", ".join(sorted(REQUIRED_KEYS - found))
        raise CheckpointError(f"{path}: not a training checkpoint of this project: no {missing}")
    return checkpoint


def load_model(
    path: str | Path, map_location: str | torch.device = "cpu"
) -> tuple[KeypointNet, Config]:
    """The network in eval mode with a checkpoint's EMA weights (the plain ones if it has none).

    Raises:
        CheckpointError: the file is missing, truncated, foreign, or of another network.
    """
    checkpoint = load(path, map_location)
    try:
        config = parse_config(checkpoint["config"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: its config is not usable: {error}") from error
    model = build_model(config.model).to(map_location)
    restore_weights(model, _weights(checkpoint), path)
    return model.eval(), config


def restore_weights(model: nn.Module, weights: dict[str, Tensor], path: str | Path) -> None:
    """Loads a state dict, every name of which must fit; a missing `ShapeHead` stays as it is.

    Raises:
        CheckpointError: names or shapes differ.
    """
    shape_head = {n: value for n, value in model.state_dict().items() if "shapes" in n.split(".")}
    try:
        model.load_state_dict(shape_head | weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: its weights belong to another network") from error


def _weights(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    ema = checkpoint["ema_state_dict"]
    if ema is None:
        weights: dict[str, Tensor] = checkpoint["model_state_dict"]
        return weights
    return {
        name.removeprefix(_EMA_PREFIX): value
        for name, value in ema.items()
        if name.startswith(_EMA_PREFIX)
    }
