"""Write generated puzzle pictures and their labels to a folder.

    python -m train.generate --num-images 6 --output-dir data/look
    python -m train.generate --num-images 2000 --output-dir data/photos --backgrounds my/photos

Pictures are PNG; `annotations.json` is COCO-keypoints JSON as `train.annotations` describes it,
with the outlines of gap and piece as segmentation. The same command goes on where it was
interrupted, and with a larger --num-images draws what is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from runtime.cpus import default_threads
from runtime.errors import LocatorError
from train.arguments import at_least, positive
from train.generation import Job, generate
from train.synth import DIFFICULTIES, FAMILIES, Backgrounds, SynthOptions

INTERRUPTED = 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.generate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"difficulty classes: {', '.join(DIFFICULTIES)}; style families: "
        + "; ".join(f"{kind}: {', '.join(names)}" for kind, names in FAMILIES.items()),
    )
    parser.add_argument("--num-images", type=positive, default=100)
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--backgrounds", type=Path, help="folder of photographs to paint on")
    parser.add_argument("--leave-out", nargs="*", default=[], help="style families never drawn")
    parser.add_argument("--require", nargs="*", default=[], help="style families always drawn")
    parser.add_argument("--workers", type=positive, default=default_threads())
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--enable-confusing-gaps", action=switch, default=True)
    parser.add_argument("--enable-rotation", action=switch, default=True)
    parser.add_argument("--enable-perlin-noise", action=switch, default=True)
    return parser


def _options(arguments: argparse.Namespace) -> SynthOptions:
    """All effects are on as in training unless switched off (--no-enable-...)."""
    options = SynthOptions(
        leave_out=frozenset(arguments.leave_out), require=frozenset(arguments.require)
    )
    if not arguments.enable_confusing_gaps:
        options = replace(options, decoy_probability=0.0, ambiguous_probability=0.0)
    if not arguments.enable_rotation:
        options = replace(options, rotation_probability=0.0)
    if not arguments.enable_perlin_noise:
        options = replace(options, perlin_probability=0.0)
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when written, 130 when interrupted, 2 with one line on stderr when something
    was wrong."""
    arguments = _parser().parse_args(argv)
    try:
        photographs = Backgrounds(arguments.backgrounds) if arguments.backgrounds else None
        job = Job(arguments.output_dir, arguments.seed, _options(arguments), photographs)
        generate(job, arguments.num_images, arguments.workers)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except BrokenProcessPool:
        print("error: a process was killed (too little memory for --workers?)", file=sys.stderr)
        return 2
    except (LocatorError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
