"""Finds the gap and the piece in slider-puzzle pictures.

    from runtime import Locator
    location = Locator("int8").predict("puzzle.png")
    print(location.gap.x, location.slider.x, location.distance_px, location.ok)

Importing this loads no inference engine; creating a Locator does.
"""

from runtime.bundle import Bundle
from runtime.choose import Candidate, Choice
from runtime.errors import (
    BackendError,
    BackendUnavailable,
    BundleError,
    InputError,
    LocatorError,
)
from runtime.locator import Locator
from runtime.result import Keypoint, Location
from runtime.view import PictureSizeWarning

__all__ = [
    "BackendError",
    "BackendUnavailable",
    "Bundle",
    "BundleError",
    "Candidate",
    "Choice",
    "InputError",
    "Keypoint",
    "Location",
    "Locator",
    "LocatorError",
    "PictureSizeWarning",
]
