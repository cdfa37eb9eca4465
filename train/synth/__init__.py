"""The picture generator: slider puzzles with exact truth, one seed one picture, bit for bit."""

from train.synth.families import FAMILIES
from train.synth.mixtures import Mixtures
from train.synth.photos import Backgrounds, held_out
from train.synth.sample import DIFFICULTIES, Sample, SynthOptions
from train.synth.scene import GENERATOR_VERSION, render

__all__ = [
    "DIFFICULTIES",
    "FAMILIES",
    "GENERATOR_VERSION",
    "Backgrounds",
    "Mixtures",
    "Sample",
    "SynthOptions",
    "held_out",
    "render",
]
