"""`locator predict`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import cv2

from runtime.backends import BACKENDS
from runtime.choose import AUTO
from runtime.commands.common import EXIT_OK, Subparsers, add_command, complain
from runtime.commands.lines import CsvTable, as_json, as_text
from runtime.commands.progress import Progress
from runtime.errors import InputError
from runtime.geometry import Picture
from runtime.locator import Locator
from runtime.paths import DrawingNames, expand
from runtime.picture import MAX_FILE_BYTES, PictureSource
from runtime.result import Location
from runtime.view import PictureSizeWarning, Roi, size_warning

_STDIN, _STDIN_DRAWN_AS = "-", Path("stdin")
_HELP = """\
examples:
  locator predict puzzle.png                    one line: both points, angle, distance
  locator predict pictures/ --draw out/         every picture in a folder, and drawings of them
  locator predict 'pictures/**/*.jpg' --json    a pattern; one JSON object a line
  locator predict pictures/ --csv > found.csv   a table; progress where the terminal shows no lines
  locator predict screen.png --roi 620,300,340,190
  locator predict - < puzzle.png                a picture from the standard input
  locator predict puzzle.png --precision fp32 --backend onnxruntime --threads 2

Coordinates are pixels of the picture; (0, 0) is the centre of the top-left one. The distance is
what the slider has to travel to the right. A line ends in "ok", or in why not to trust the answer.

exit code:
  0    every picture could be read, however sure the answers are
  2    a picture, an argument or the bundle could not be used; standard error says which and why,
       and every other picture was answered
  130  interrupted
  141  the reader of the output left
"""


def register(subparsers: Subparsers) -> None:
    """Declare the subcommand."""
    predict = add_command(subparsers, "predict", "locate the gap and the piece in pictures", _HELP)
    add = predict.add_argument
    add("paths", nargs="+", metavar="PATH", help="a picture, a folder of them, a pattern, or -")
    form = predict.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON object a picture")
    form.add_argument("--csv", action="store_true", help="print a table")
    add("--draw", metavar="DIR", help="write a drawing of each answer, as PNG")
    add("--roi", type=_roi, metavar="X,Y,W,H", help="where the puzzle is in every picture, pixels")
    add(
        "--display-width",
        type=float,
        metavar="W",
        help="how wide the pictures are shown; the distance is then for that size",
    )
    add("--precision", default="int8", help="int8 (default) or fp32")
    add("--backend", default=AUTO, help=f"{AUTO} (default), {', '.join(BACKENDS)}")
    add("--device", default=AUTO, help=f"{AUTO} (default), cpu, gpu, ...")
    add("--threads", type=int, help="threads of one inference (default: this machine's best cores)")
    predict.set_defaults(run=_run)


def _roi(text: str) -> Roi:
    try:
        x, y, width, height = map(int, text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected four whole numbers X,Y,W,H, got {text!r}"
        ) from error
    return x, y, width, height


def _run(options: argparse.Namespace) -> int:
    code = EXIT_OK
    pictures: dict[str, PictureSource] = {}  # name -> what to read, in order, each once
    for argument in options.paths:
        if argument in pictures:
            continue
        try:
            pictures |= _sources(argument)
        except InputError as error:
            code = complain(error)
    if not pictures:
        return code
    drawings = _drawings(options.draw, pictures) if options.draw else None
    with (
        Locator(
            options.precision,
            device=options.device,
            backend=options.backend,
            bundle=options.bundle,
            threads=options.threads,
        ) as locator,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", PictureSizeWarning)  # told below, with the name
        return max(code, _answer_all(locator, pictures, drawings, options))


def _sources(argument: str) -> dict[str, PictureSource]:
    if argument == _STDIN:
        # A byte more than is taken, so that too large a picture is refused as such.
        return {argument: sys.stdin.buffer.read(MAX_FILE_BYTES + 1)}
    return {str(path): path for path in expand(argument)}


def _drawings(folder: str, pictures: Mapping[str, PictureSource]) -> DrawingNames:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made ({error.strerror}): give another folder"
        ) from error
    return DrawingNames(Path(folder), [Path(name) for name in pictures])


def _answer_all(
    locator: Locator,
    pictures: Mapping[str, PictureSource],
    drawings: DrawingNames | None,
    options: argparse.Namespace,
) -> int:
    code = EXIT_OK
    line = as_json if options.json else CsvTable() if options.csv else as_text
    progress = Progress(len(pictures))
    answers = locator.stream(
        pictures.values(), roi=options.roi, display_width=options.display_width
    )
    for (name, source), location in zip(pictures.items(), answers, strict=True):
        progress.clear()
        try:
            if isinstance(location, InputError):
                raise location
            print(line(name, location), flush=True)
            if options.roi is None:
                _warn_of_size(name, location)
            if drawings:
                drawn_as = _STDIN_DRAWN_AS if name == _STDIN else Path(name)
                _write_png(drawings.next(drawn_as), location.draw(source))
        except InputError as error:
            code = complain(error)
        progress.step()
    progress.clear()
    return code


def _warn_of_size(name: str, location: Location) -> None:
    if text := size_warning(location.picture_width, location.picture_height):
        print(f"locator: warning: {name}: {text}", file=sys.stderr, flush=True)


def _write_png(path: Path, picture: Picture) -> None:
    _, encoded = cv2.imencode(".png", picture)
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): give another folder"
        ) from error
