"""`locator bench`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator

from runtime.backends import BACKENDS
from runtime.bundle import Bundle
from runtime.choose import AUTO, Candidate, choose, everywhere
from runtime.commands.common import EXIT_FAILED, EXIT_OK, Subparsers, add_command
from runtime.commands.trials import as_dict
from runtime.machine import this_machine
from runtime.trial import (
    AGREEMENT_PX,
    PICTURE_HEIGHT,
    PICTURE_WIDTH,
    Trial,
    distance_px,
    expected_points,
    try_out,
)

_HELP = """\
examples:
  locator bench                                       all that can run here
  locator bench --precision int8 --threads 2 --seconds 10
  locator bench --backend onnxruntime --precision fp32 --json

Times whole predictions of a 340 x 190 picture, each after warming up and after checking the answer
to the bundle's golden picture. Figures of different machines, or of a busy one, do not compare.

exit code:
  0    everything timed gave the right answer
  2    a request could not be met, an engine failed, or its answer was wrong
"""


def register(subparsers: Subparsers) -> None:
    """Declare the subcommand."""
    bench = add_command(subparsers, "bench", "time predictions on this machine", _HELP)
    add = bench.add_argument
    add("--json", action="store_true", help="print JSON")
    add("--precision", help="one that the bundle holds (default: each)")
    add("--backend", default=AUTO, help=f"one of {', '.join(BACKENDS)} (default: each)")
    add("--device", default=AUTO, help="cpu, gpu, cuda, ... (default: each)")
    add("--threads", type=int, help="threads of one inference (default: this machine's best cores)")
    add("--seconds", type=float, default=3.0, metavar="S", help="time for each (default: 3)")
    bench.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    bundle = Bundle.open(options.bundle)
    trials = [
        try_out(bundle, precision, candidate, options.threads, options.seconds)
        for precision, candidate in _asked_for(bundle, options)
    ]
    wrongs = [_wrong(bundle, trial) for trial in trials]
    if options.json:
        rows = [{**as_dict(t), "wrong": w} for t, w in zip(trials, wrongs, strict=True)]
        machine = dataclasses.asdict(this_machine())
        print(json.dumps({"machine": machine, "trials": rows}, indent=2))
    else:
        print("\n".join(_table(trials, wrongs)))
    return EXIT_FAILED if any(wrongs) else EXIT_OK


def _asked_for(bundle: Bundle, options: argparse.Namespace) -> Iterator[tuple[str, Candidate]]:
    """Everything usable, or what was named: then it is there, or refused with the reason."""
    precisions = bundle.precisions if options.precision is None else (options.precision,)
    for precision in precisions:
        if options.backend == options.device == AUTO:
            usable = [c for c in everywhere(bundle, precision) if c.rejected is None]
            if not usable and options.precision is not None:
                choose(bundle, precision, AUTO, AUTO)  # which says why not
            yield from ((precision, candidate) for candidate in usable)
        else:
            _, candidate, _ = choose(bundle, precision, options.backend, options.device)
            yield precision, candidate


def _wrong(bundle: Bundle, trial: Trial) -> str | None:
    """Why the trial's time must not be believed, or None."""
    if trial.points_picture_xy is None:
        return trial.failed
    expected = expected_points(bundle, trial.precision)
    if expected is None:
        return None
    off_px = distance_px(trial.points_picture_xy, expected)
    return f"{off_px:.1f} px off the golden answer" if off_px > AGREEMENT_PX else None


def _table(trials: list[Trial], wrongs: list[str | None]) -> Iterator[str]:
    machine = this_machine()
    yield f"{machine.processor}, {machine.system}"
    yield f"whole predictions of a {PICTURE_WIDTH} x {PICTURE_HEIGHT} picture, milliseconds"
    columns = "".join(f"{name:>9}" for name in ("p50", "p95", "p99"))
    yield f"{'precision':<10}{'backend':<14}{'device':<10}{'threads':>7}{columns}"
    for trial, wrong in zip(trials, wrongs, strict=True):
        where = trial.candidate
        name = f"{trial.precision:<10}{where.backend:<14}{where.device:<10}"
        if wrong or not trial.latency or not trial.facts:
            yield f"{name} {wrong}"
            continue
        took = trial.latency
        threads = trial.facts.get("threads", "")
        yield f"{name}{threads:>7}{took.p50_ms:>9.2f}{took.p95_ms:>9.2f}{took.p99_ms:>9.2f}"
