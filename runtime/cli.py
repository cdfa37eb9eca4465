"""The `locator` command."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from runtime.backends import BACKENDS
from runtime.bundle import Bundle, default_bundle_path
from runtime.choose import AUTO, consider
from runtime.errors import InputError, LocatorError
from runtime.geometry import Picture
from runtime.locator import Locator
from runtime.paths import DrawingNames, expand
from runtime.picture import load
from runtime.result import Keypoint, Location

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_BROKEN_PIPE = 0, 2, 130, 141

_PREDICT_HELP = """\
examples:
  locator predict puzzle.png                    one line: both points, angle, distance
  locator predict pictures/ --draw out/         every picture in a folder, and drawings of them
  locator predict 'pictures/**/*.jpg' --json    a pattern; one JSON object a line
  locator predict puzzle.png --precision fp32 --backend onnxruntime --threads 2

Coordinates are pixels of the picture; (0, 0) is the centre of the top-left one. The distance is
what the slider has to travel to the right. A line ends in "ok", or in why not to trust the answer.
The exit code is 0 when every picture could be read, however sure the answers are, and 2 otherwise.
"""
_INFO_HELP = """\
examples:
  locator info                       the bundle that comes with the package
  locator info --bundle my_bundle/   your own
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. Raises SystemExit for wrong usage (2)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # file names may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options)
    except LocatorError as error:
        return _complain(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has left, as `head` does; without this the flush at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="locator",
        description="Finds the gap and the piece in slider-puzzle pictures.",
        epilog="`locator predict --help` and `locator info --help` show examples.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, summary: str, epilog: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.add_argument("--json", action="store_true", help="print JSON")
        added.add_argument(
            "--bundle", metavar="DIR", default=default_bundle_path(), help="use your own bundle"
        )
        return added

    predict = command("predict", "locate the gap and the piece in pictures", _PREDICT_HELP)
    predict.add_argument(
        "paths", nargs="+", metavar="PATH", help="a picture, a folder of them, or a pattern"
    )
    predict.add_argument("--draw", metavar="DIR", help="write a drawing of each answer, as PNG")
    predict.add_argument("--precision", default="int8", help="int8 (default) or fp32")
    predict.add_argument("--backend", default=AUTO, help=f"{AUTO} (default), {', '.join(BACKENDS)}")
    predict.add_argument("--device", default=AUTO, help=f"{AUTO} (default: the CPU), cpu, gpu, ...")
    predict.add_argument("--threads", type=int, help="threads of one inference (default: all CPUs)")
    predict.set_defaults(run=_predict)
    info = command("info", "show what a bundle holds and what can run it here", _INFO_HELP)
    info.set_defaults(run=_info)
    return parser


def _complain(error: LocatorError) -> int:
    print(f"locator: error: {error}", file=sys.stderr, flush=True)
    return EXIT_FAILED


def _predict(options: argparse.Namespace) -> int:
    code = EXIT_OK
    pictures: dict[Path, None] = {}  # in order, each once
    for argument in options.paths:
        try:
            pictures.update(dict.fromkeys(expand(argument)))
        except InputError as error:
            code = _complain(error)
    if not pictures:
        return code
    drawings = _drawings(options.draw, list(pictures)) if options.draw else None
    with Locator(
        options.precision,
        device=options.device,
        backend=options.backend,
        bundle=options.bundle,
        threads=options.threads,
    ) as locator:
        for path in pictures:
            try:
                pixels = load(path)
                location = locator.predict(pixels)
                print(_line(path, location, as_json=options.json), flush=True)
                if drawings:
                    _write_png(drawings.next(path), location.draw(pixels))
            except LocatorError as error:
                code = _complain(error)
    return code


def _drawings(folder: str, pictures: list[Path]) -> DrawingNames:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made ({error.strerror}): give another folder"
        ) from error
    return DrawingNames(Path(folder), pictures)


def _write_png(path: Path, picture: Picture) -> None:
    _, encoded = cv2.imencode(".png", picture)
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): give another folder"
        ) from error


def _line(path: Path, location: Location, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"path": str(path), **location.to_dict()})

    def point(keypoint: Keypoint) -> str:
        return f"({keypoint.x:.1f}, {keypoint.y:.1f}) score {keypoint.score:.2f}"

    angle_deg = round(location.angle_deg, 1) + 0.0  # the sum turns -0.0 into 0.0
    verdict = "ok" if location.ok else f"not sure: {'; '.join(location.reasons)}"
    return (
        f"{path}: gap {point(location.gap)}, slider {point(location.slider)}, "
        f"angle {angle_deg:.1f} deg, distance {location.distance_px:.1f} px, {verdict}"
    )


def _info(options: argparse.Namespace) -> int:
    bundle = Bundle.open(options.bundle)
    bundle.verify()
    choices = {precision: consider(bundle, precision) for precision in bundle.precisions}
    if options.json:
        backends = {
            precision: [
                {"backend": c.backend, "device": c.device, "verdict": choice.verdict(c)}
                for c in choice.candidates
            ]
            for precision, choice in choices.items()
        }
        manifest = dataclasses.asdict(bundle.manifest)
        found = {"bundle": str(bundle.directory), "manifest": manifest, "backends": backends}
        print(json.dumps(found, indent=2))
        return EXIT_OK
    backend_lines = [f"  {line}" for c in choices.values() for line in str(c).splitlines()]
    print("\n".join([*_manifest_lines(bundle), "backends:", *backend_lines]))
    return EXIT_OK


def _manifest_lines(bundle: Bundle) -> list[str]:
    manifest = bundle.manifest
    lines = [
        f"bundle:   {bundle.directory} (every file matches its sha256)",
        f"model:    {manifest.model.name}",
        f"schema:   {manifest.schema_version}, geometry contract {manifest.contract_version}",
        f"decode:   row agreement {manifest.row_agreement:g}, "
        f"trusted from score {manifest.thresholds.min_score:g}",
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
    return lines
