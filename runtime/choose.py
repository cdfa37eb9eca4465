"""Decides which engine, device and artefact serve a request, and keeps the reasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from runtime.backends import BACKENDS, engine
from runtime.bundle import Artefact, Bundle
from runtime.errors import BackendUnavailable, InputError
from runtime.tuned import recall

AUTO = "auto"


@dataclass(frozen=True)
class Candidate:
    """One engine on one device that was considered.

    rejected: why it cannot serve, None when it can.
    measured_ms: median of a whole prediction when `Locator.tune` ran here, None if it never did.
    """

    backend: str
    device: str
    rejected: str | None = None
    measured_ms: float | None = None


class Choice:
    """What was asked for and what was considered. str() of it is the explanation.

    precision: as asked for.
    """

    def __init__(
        self,
        precision: str,
        options: Sequence[Candidate],
        examine: Callable[[Candidate], Candidate],
    ) -> None:
        self.precision = precision
        self._options = options
        self._examine = examine

    @cached_property
    def chosen(self) -> Candidate | None:
        """The first candidate that can serve, or None."""
        # Those behind it are left alone: to examine an engine is to import it.
        examined = map(self._examine, self._options)
        return next((c for c in examined if c.rejected is None), None)

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """All candidates in order of preference: the fastest first where they were measured."""
        return tuple(map(self._examine, self._options))

    def verdict(self, candidate: Candidate) -> str:
        """`chosen`, `rejected: why`, or that it could serve too; and what was measured."""
        if candidate.rejected is not None:
            return f"rejected: {candidate.rejected}"
        verdict = "usable, but comes later in the order"
        if candidate == self.chosen:
            verdict = "chosen"
        if candidate.measured_ms is not None:
            verdict += f" ({candidate.measured_ms:.2f} ms when tuned)"
        return verdict

    def __str__(self) -> str:
        return "\n".join(
            f"{self.precision} with {c.backend} on {c.device}: {self.verdict(c)}"
            for c in self.candidates
        )


def consider(bundle: Bundle, precision: str, backend: str = AUTO, device: str = AUTO) -> Choice:
    """Look at every backend that the request allows.

    precision: one the bundle holds; backend: `auto` or one of BACKENDS; device: `auto` (the one
    that each backend is made for) or a device's name. Where the bundle was tuned on this machine,
    what was found to be faster comes first. Raises InputError for a precision or backend that does
    not exist.
    """
    _check_names(bundle, precision, backend)
    measured = recall(bundle, precision)
    names = BACKENDS if backend == AUTO else (backend,)
    asked = device.lower()
    options = [(name, engine(name).DEFAULT_DEVICE if asked == AUTO else asked) for name in names]
    if asked == AUTO:  # tuning also tried devices that are nobody's default
        options += [pair for pair in measured if pair[0] in names and pair not in options]
    options.sort(key=lambda pair: measured.get(pair, float("inf")))
    candidates = [
        Candidate(name, target, measured_ms=measured.get((name, target)))
        for name, target in options
    ]
    return Choice(precision, candidates, lambda candidate: _examined(bundle, precision, candidate))


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


def everywhere(bundle: Bundle, precision: str) -> tuple[Candidate, ...]:
    """Every engine on every device it has here; an engine that cannot serve once, with the reason.

    Raises InputError for a precision that the bundle does not hold.
    """
    _check_names(bundle, precision, AUTO)
    found = []
    for name in BACKENDS:
        try:
            bundle.artefact(precision, name)
            found += [Candidate(name, device) for device in engine(name).devices()]
        except (InputError, BackendUnavailable) as error:
            found.append(Candidate(name, engine(name).DEFAULT_DEVICE, rejected=str(error)))
    return tuple(found)


def _check_names(bundle: Bundle, precision: str, backend: str) -> None:
    if precision not in bundle.precisions:
        raise InputError(f"unknown precision {precision!r}: expected {_either(bundle.precisions)}")
    if backend != AUTO and backend not in BACKENDS:
        raise InputError(f"unknown backend {backend!r}: expected {_either((AUTO, *BACKENDS))}")


def _examined(bundle: Bundle, precision: str, candidate: Candidate) -> Candidate:
    try:
        bundle.artefact(precision, candidate.backend)
        module = engine(candidate.backend)
        if module.matches(candidate.device):
            return candidate
        reason = f"has no device {candidate.device!r} here, expected {_either(module.devices())}"
    except (InputError, BackendUnavailable) as error:
        reason = str(error)
    return replace(candidate, rejected=reason)


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(names)
