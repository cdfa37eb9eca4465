"""Measure a bundle or a checkpoint on labelled pictures; write an evaluation report.

    python -m train.evaluate --precision int8 --testset fixed-procedural
    python -m train.evaluate --checkpoint runs/my/best_model.pth --dataset data/test --report out

Prints MAE and accuracy for gap and slider, whole and by difficulty class, and how often pictures
without a gap were told as such; for a bundle, FP32 beside the precision asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from runtime import Location, Locator
from runtime.errors import LocatorError
from runtime.files import write_atomically
from train import history, report
from train.arguments import positive
from train.causes import measure
from train.checkpoint import CheckpointError
from train.measured import Measured, Report, finite, overview
from train.outcomes import Outcomes, table
from train.picturesets import PictureSet, of_dataset, of_families, of_testset
from train.predictor import CheckpointLocator, Predictor
from train.synth import Sample
from train.testsets import Fingerprint, TestSetError, names_matching

DEFAULT_TESTSET = "fixed-procedural"
DEFAULT_FAMILY_PICTURES = 200


def evaluate(
    predictors: Mapping[str, Predictor],
    samples: Iterable[Sample],
    seen: Callable[[Sample, Mapping[str, Location]], None] | None = None,
) -> tuple[dict[str, Outcomes], str]:
    """Every picture through every predictor.

    Args:
        seen: is told of every picture and its answers by predictor.

    Returns:
        the predictors' names -> outcomes, and the fingerprint of the pictures.
    """
    outcomes = {name: Outcomes() for name in predictors}
    fingerprint = Fingerprint()
    for sample in samples:
        fingerprint.update(sample)
        conditions = measure(sample)
        answers = {}
        for name, predictor in predictors.items():
            start = time.perf_counter()
            answers[name] = predictor.predict(sample.picture)
            predict_ms = 1e3 * (time.perf_counter() - start)
            outcomes[name].add(sample, conditions, answers[name], predict_ms)
        if seen:
            seen(sample, answers)
    return outcomes, fingerprint.hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when measured, 2 with one line on stderr when something was missing."""
    arguments = _parser().parse_args(argv)
    try:
        _run(arguments)
    except (LocatorError, CheckpointError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_argument_group("what is measured")
    network = what.add_mutually_exclusive_group()
    network.add_argument("--bundle", type=Path, help="a bundle (default: the shipped one)")
    network.add_argument("--checkpoint", type=Path, help="a training's best_model.pth, in FP32")
    what.add_argument("--precision", default="int8", help="of a bundle; shown with fp32 beside it")
    pictures = parser.add_argument_group("on which pictures")
    source = pictures.add_mutually_exclusive_group()
    source.add_argument(
        "--testset",
        action="append",
        help=f"name in train/testsets.toml, or a pattern such as 'robust-*'; may be repeated "
        f"(default: {DEFAULT_TESTSET})",
    )
    source.add_argument(
        "--dataset", type=Path, metavar="DIR_OR_JSON", help="a COCO-keypoints data set"
    )
    pictures.add_argument("--backgrounds", type=Path, help="folder of photographs for the set")
    pictures.add_argument("--limit", type=positive, help="only the first N pictures (a quick look)")
    pictures.add_argument(
        "--families",
        nargs="*",
        metavar="FAMILY",
        help="also on generated sets that each show one style family; without names, those that "
        "the checkpoint's training left out",
    )
    pictures.add_argument("--family-pictures", type=positive, default=DEFAULT_FAMILY_PICTURES)
    results = parser.add_argument_group("results")
    results.add_argument("--json", type=Path, help="write the figures to this file, too")
    results.add_argument(
        "--report", type=Path, metavar="DIR", help="write report.md, report.json and figures there"
    )
    results.add_argument(
        "--run", type=Path, metavar="DIR", help="the training's folder (default: the checkpoint's)"
    )
    return parser


def _run(arguments: argparse.Namespace) -> None:
    with ExitStack() as stack:
        predictors = _predictors(arguments, stack)
        # Before hours of measuring: what cannot be used is refused.
        sets = _picture_sets(arguments, predictors)
        if arguments.report:
            arguments.report.mkdir(parents=True, exist_ok=True)
        measured: list[Measured] = []
        for one in sets:
            measured.append(_measure(predictors, one))
            if arguments.json:  # after every set: whatever stops the next loses nothing
                results = finite({each.pictures.name: each.to_dict() for each in measured})
                text = json.dumps(results, indent=1) + "\n"
                write_atomically(arguments.json, text.encode())
        engines = {name: predictor.describe() for name, predictor in predictors.items()}
    if len(measured) > 1:
        print(f"\n{overview(measured)}")
    if arguments.report:
        found = Report(
            _subject(arguments), engines, measured, _epochs(arguments), _left_out(predictors)
        )
        print(f"\n{report.write(found, arguments.report)}")


def _predictors(arguments: argparse.Namespace, stack: ExitStack) -> dict[str, Predictor]:
    if arguments.checkpoint:
        return {"checkpoint": CheckpointLocator(arguments.checkpoint)}
    return {
        precision: stack.enter_context(Locator(precision, bundle=arguments.bundle))
        for precision in dict.fromkeys([arguments.precision, "fp32"])
    }


def _picture_sets(
    arguments: argparse.Namespace, predictors: Mapping[str, Predictor]
) -> list[PictureSet]:
    backgrounds, limit = arguments.backgrounds, arguments.limit
    if arguments.dataset:
        sets = [of_dataset(arguments.dataset, limit)]
    else:
        patterns = arguments.testset or [DEFAULT_TESTSET]
        names = [name for pattern in patterns for name in names_matching(pattern)]
        sets = [of_testset(name, backgrounds, limit) for name in names]
    if arguments.families is not None:
        families = arguments.families or _left_out(predictors)
        if not families:
            raise ValueError("no family is known to be left out of training: name families")
        sets += of_families(families, arguments.family_pictures, backgrounds)
    return sets


def _left_out(predictors: Mapping[str, Predictor]) -> tuple[str, ...] | None:
    """The families that the training left out, which only a checkpoint tells."""
    for predictor in predictors.values():
        if isinstance(predictor, CheckpointLocator):
            return predictor.config.data.leave_out
    return None


def _measure(predictors: Mapping[str, Predictor], pictures: PictureSet) -> Measured:
    progress = tqdm(pictures.samples, total=pictures.count, desc=pictures.name)
    outcomes, fingerprint = evaluate(predictors, progress)
    if pictures.fingerprint not in (None, fingerprint):
        raise TestSetError(
            f"the pictures of {pictures.name!r} have fingerprint {fingerprint}, expected "
            f"{pictures.fingerprint}: other photographs or library versions; the figures would "
            f"not be comparable"
        )
    measured = Measured(pictures, fingerprint, outcomes)
    print(f"\n{pictures.name} ({pictures.count} pictures): {pictures.about}")
    print(f"fingerprint {fingerprint}")
    for name, summary in measured.summaries.items():
        print(f"\n{name}\n{table(summary)}")
    return measured


def _subject(arguments: argparse.Namespace) -> str:
    if arguments.checkpoint:
        return f"checkpoint {arguments.checkpoint.name}"
    return f"bundle {arguments.bundle.resolve().name}" if arguments.bundle else "the shipped bundle"


def _epochs(arguments: argparse.Namespace) -> list[history.Epoch]:
    """The training's history, or what its checkpoints tell of it."""
    own = [arguments.checkpoint] if arguments.checkpoint else []
    run = arguments.run or (own[0].parent if own else None)
    if run is None:
        return []
    beside: Iterator[Path] = (run / name for name in ("best_model.pth", "last.pth"))
    return history.read(run) or history.of_checkpoints([*beside, *own])


if __name__ == "__main__":
    sys.exit(main())
