"""Every error this package raises on purpose, under one base."""

from __future__ import annotations


class LocatorError(Exception):
    """Base of all errors of the package: one clear line saying what is wrong and what to do."""


class InputError(LocatorError, ValueError):
    """A picture or an argument that the caller gave cannot be used."""


class BundleError(LocatorError):
    """The folder with the weights is missing, damaged or of a version this package cannot read."""


class BackendError(LocatorError):
    """An inference engine failed while loading or running a network."""


class BackendUnavailable(BackendError):  # noqa: N818 - the name says it, and callers know it
    """The inference engine or device that was asked for cannot be used on this machine."""
