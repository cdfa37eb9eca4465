"""Decides which engine, device and artefact serve a request, and keeps the reasons."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.backends import BACKENDS, engine
from runtime.bundle import Artefact, Bundle
from runtime.errors import BackendUnavailable, InputError

AUTO = "auto"


@dataclass(frozen=True)
class Candidate:
    """One engine that was considered. rejected: why it cannot serve, None when it can."""

    backend: str
    device: str
    rejected: str | None


@dataclass(frozen=True)
class Choice:
    """What was asked for and what was considered, in order of preference.

    str() of it is the explanation, a line a candidate.
    """

    precision: str
    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> Candidate | None:
        """The first candidate that can serve, or None."""
        return next((c for c in self.candidates if c.rejected is None), None)

    def verdict(self, candidate: Candidate) -> str:
        """`chosen`, `rejected: why`, or that it could serve too."""
        if candidate.rejected is not None:
            return f"rejected: {candidate.rejected}"
        return "chosen" if candidate is self.chosen else "usable, but comes later in the order"

    def __str__(self) -> str:
        return "\n".join(
            f"{self.precision} with {c.backend} on {c.device}: {self.verdict(c)}"
            for c in self.candidates
        )


def consider(bundle: Bundle, precision: str, backend: str = AUTO, device: str = AUTO) -> Choice:
    """Look at every backend that the request allows.

    precision: one the bundle holds; backend: `auto` or one of BACKENDS; device: `auto` (the CPU) or
    a device's name. Raises InputError for a precision or backend that does not exist.
    """
    if precision not in bundle.precisions:
        raise InputError(f"unknown precision {precision!r}: expected {_either(bundle.precisions)}")
    if backend != AUTO and backend not in BACKENDS:
        raise InputError(f"unknown backend {backend!r}: expected {_either((AUTO, *BACKENDS))}")
    target = "cpu" if device.lower() == AUTO else device.lower()
    names = BACKENDS if backend == AUTO else (backend,)
    candidates = (
        Candidate(name, target, _objection(bundle, precision, name, target)) for name in names
    )
    return Choice(precision, tuple(candidates))


def choose(
    bundle: Bundle, precision: str, backend: str = AUTO, device: str = AUTO
) -> tuple[Choice, Candidate, Artefact]:
    """Consider and take the first that can serve.

    Nothing is replaced silently: a backend or device asked for by name is used or refused. Raises
    as `consider` does, and BackendUnavailable, with every reason, when no candidate can serve.
    """
    choice = consider(bundle, precision, backend, device)
    chosen = choice.chosen
    if chosen is None:
        reasons = "; ".join(f"{c.backend}: {c.rejected}" for c in choice.candidates)
        raise BackendUnavailable(
            f"{precision} with backend {backend!r} on device {device!r} cannot run here ({reasons})"
        )
    return choice, chosen, bundle.artefact(precision, chosen.backend)


def _objection(bundle: Bundle, precision: str, backend: str, device: str) -> str | None:
    try:
        bundle.artefact(precision, backend)
        module = engine(backend)
        if module.matches(device):
            return None
        present = _either(module.devices())
    except (InputError, BackendUnavailable) as error:
        return str(error)
    return f"has no device {device!r} here, expected {present}"


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(names)
