"""The named style families of the generator, and the draw that respects what is left out.

Every picture draws one family of each kind independently. A family can be left out of training
and used for validation alone: the honest stand-in for puzzles that nobody showed the network.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from train.synth.furniture import FURNITURE_FAMILIES

# Relative weights within a kind. Names are unique across kinds.
FAMILIES: Mapping[str, Mapping[str, float]] = {
    "shape": {
        "jigsaw-round": 6.0,
        "jigsaw-square": 2.0,
        "circle": 0.8,
        "polygon": 1.0,
        "star": 0.8,
        "heart": 0.8,
        "cross": 0.8,
        "rounded-square": 1.0,
        "triangle": 0.8,
        "blob": 1.0,
        "emblem": 0.8,
    },
    "gap_fill": {
        "darken": 5.0,
        "lighten": 2.0,
        "tint": 1.5,
        "blur-fill": 0.8,
        "noise-fill": 0.8,
        "gradient-fill": 1.0,
        "solid": 1.5,
        "faint": 1.0,
        "outline-only": 0.8,
        "spotlight": 1.0,
    },
    "gap_edge": {
        "gap-plain": 4.0,
        "gap-outline": 3.0,
        "gap-inner-shadow": 2.0,
        "gap-bevel": 1.0,
        "gap-glow": 0.8,
    },
    "piece_edge": {
        "piece-plain": 2.5,
        "piece-outline": 3.0,
        "piece-glow": 1.5,
        "piece-shadow": 2.0,
        "piece-bevel": 1.2,
    },
    "piece_tone": {
        "tone-none": 5.0,
        "tone-tint": 1.0,
        "tone-bright": 1.0,
        "tone-dark": 0.8,
        "tone-faded": 0.6,
    },
    "furniture": dict.fromkeys(FURNITURE_FAMILIES, 1.0),
}


def kind_of(family: str) -> str:
    """The kind a family belongs to.

    Raises:
        ValueError: the name is no family; the message lists those there are.
    """
    for kind, members in FAMILIES.items():
        if family in members:
            return kind
    known = ", ".join(name for members in FAMILIES.values() for name in members)
    raise ValueError(f"unknown style family {family!r}; known: {known}")


def allowed_families(kind: str, leave_out: frozenset[str], require: frozenset[str]) -> list[str]:
    """The families of a kind that a picture may show: the required ones if the kind has any,
    else all that are not left out."""
    required = [name for name in FAMILIES[kind] if name in require]
    return required or [name for name in FAMILIES[kind] if name not in leave_out]


def draw_family(
    rng: np.random.Generator, kind: str, leave_out: frozenset[str], require: frozenset[str]
) -> str:
    """One of the allowed families of a kind, by weight."""
    names = allowed_families(kind, leave_out, require)
    weights = np.cumsum([FAMILIES[kind][name] for name in names])
    return names[int(np.searchsorted(weights, rng.random() * weights[-1], "right"))]
