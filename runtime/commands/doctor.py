"""`locator doctor`."""

from __future__ import annotations

import argparse
import dataclasses
import json

from runtime.commands.common import EXIT_OK, Subparsers, add_command
from runtime.commands.trials import as_dict
from runtime.doctor import Report, examine
from runtime.machine import Machine, this_machine

EXIT_UNHEALTHY = 1
_HELP = """\
examples:
  locator doctor                       the installed package, on this machine
  locator doctor --bundle my_bundle/   with your own bundle
  locator doctor --json > doctor.json  for a bug report

Checks the bundle's files, every engine and precision against the golden picture and each other,
the time of a whole prediction (340 x 190 pixels), and clashing packages. What is absent or unknown
is no failure.

exit code:
  0    nothing failed
  1    a check failed; its line says which and what to do
"""


def register(subparsers: Subparsers) -> None:
    """Declare the subcommand."""
    doctor = add_command(subparsers, "doctor", "check that everything works here", _HELP)
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.add_argument(
        "--seconds", type=float, default=1.0, metavar="S", help="time for each engine (default: 1)"
    )
    doctor.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    report, machine = examine(options.bundle, options.seconds), this_machine()
    print(_as_json(report, machine) if options.json else _as_text(report, machine))
    return EXIT_OK if report.healthy else EXIT_UNHEALTHY


def _as_json(report: Report, machine: Machine) -> str:
    document = {
        "healthy": report.healthy,
        "machine": {**dataclasses.asdict(machine), "fingerprint": machine.fingerprint},
        "checks": [dataclasses.asdict(check) for check in report.checks],
        "trials": [as_dict(trial) for trial in report.trials],
    }
    return json.dumps(document, indent=2)


def _as_text(report: Report, machine: Machine) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return "\n".join(
        [
            f"machine  {machine.processor}, {machine.cores} cores to use, {machine.system}, "
            f"fingerprint {machine.fingerprint}",
            f"gpus     {', '.join(machine.gpus) or 'none that CUDA can use'}",
            f"packages {packages}",
            *(f"{check.state:<8} {check.name}: {check.detail}" for check in report.checks),
            "healthy" if report.healthy else "not healthy: see the lines that begin with failed",
        ]
    )
