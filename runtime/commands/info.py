"""`locator info`."""

from __future__ import annotations

import argparse
import dataclasses
import json

from runtime.bundle import Bundle, ThresholdFit
from runtime.choose import Choice, consider
from runtime.commands.common import EXIT_OK, Subparsers, add_command

_HELP = """\
examples:
  locator info                       the bundle that comes with the package
  locator info --bundle my_bundle/   your own
"""


def register(subparsers: Subparsers) -> None:
    """Declare the subcommand."""
    info = add_command(subparsers, "info", "show what a bundle holds and what runs it here", _HELP)
    info.add_argument("--json", action="store_true", help="print JSON")
    info.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    bundle = Bundle.open(options.bundle)
    bundle.verify()
    choices = [consider(bundle, precision) for precision in bundle.precisions]
    print(_as_json(bundle, choices) if options.json else _as_text(bundle, choices))
    return EXIT_OK


def _as_json(bundle: Bundle, choices: list[Choice]) -> str:
    backends = {
        choice.precision: [
            {**dataclasses.asdict(c), "verdict": choice.verdict(c)} for c in choice.candidates
        ]
        for choice in choices
    }
    manifest = dataclasses.asdict(bundle.manifest)
    found = {"bundle": str(bundle.directory), "manifest": manifest, "backends": backends}
    return json.dumps(found, indent=2)


def _as_text(bundle: Bundle, choices: list[Choice]) -> str:
    manifest = bundle.manifest
    trust = manifest.thresholds
    lines = [
        f"bundle:   {bundle.directory} (every file matches its sha256)",
        f"model:    {manifest.model.name}",
        f"schema:   {manifest.schema_version}, geometry contract {manifest.contract_version}",
        f"decode:   row agreement {manifest.row_agreement:g}",
        f"trusted:  score from {trust.min_score:g}, rival to {trust.max_rival:g}, "
        f"rows to {trust.max_row_difference_canvas_px:g} canvas px apart",
        *_fit_line(trust.fit),
        "made by:  " + ", ".join(f"{name} {v}" for name, v in sorted(manifest.versions.items())),
        "artefacts:",
    ]
    for name, artefact in manifest.artefacts.items():
        files = ", ".join(
            f"{file} ({(bundle.directory / file).stat().st_size / 2**20:.1f} MiB)"
            for file in artefact.files.values()
        )
        lines.append(f"  {name}: {files}, for {', '.join(artefact.backends)}")
        for testset, figures in artefact.measured.items():
            shown = ", ".join(f"{key} {value}" for key, value in figures.items())
            lines.append(f"    on {testset}: {shown}")
    considered = [f"  {line}" for choice in choices for line in str(choice).splitlines()]
    return "\n".join([*lines, "backends:", *considered])


def _fit_line(fit: ThresholdFit | None) -> list[str]:
    if fit is None:
        return []
    return [
        f"fitted:   on {fit.pictures} pictures in {fit.precision}; of as many others refused: "
        f"{fit.false_abstention:.1%} of right answers, {fit.true_abstention:.1%} of wrong ones, "
        f"{fit.no_gap_abstention:.1%} without a gap"
    ]
