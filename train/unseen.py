"""How much accuracy a style family costs that training never showed: short trainings, compared.

    python -m train.unseen --config train/configs/unseen.yaml -o runs/unseen \\
        --leave-out star blur-fill piece-glow --leave-out triangle spotlight piece-shadow

One training for each --leave-out shows all families but those named. It and the next one (the last
and the first), to which they were shown, answer the same pictures of each of them; the difference,
beyond that on pictures of all styles, is what not having seen it costs. Families of one kind (two
shapes, say) belong into different trainings, or each makes up for less of the other. What is there
already is not trained again, and an interrupted training goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from train import __main__ as training
from train import checkpoint
from train.arguments import positive
from train.checkpoint import CheckpointError
from train.config import Config, ConfigError, load_config, parse_config
from train.evaluate import evaluate
from train.outcomes import POINTS, Outcomes
from train.picturesets import PictureSet, of_families
from train.predictor import CheckpointLocator
from train.synth.families import kind_of

WITHIN_PX = 5.0
# Two-sided 95 % of the normal distribution.
Z = 1.96


@dataclass(frozen=True)
class Cost:
    """Of the same points of pictures with one family, how many each network found within 5 px.

    Attributes:
        family: which every picture shows.
        points: how many points were asked for, gaps and pieces.
        shown, unseen: shares that the network found to which the family was and was not shown.
        anyway: how much more the former finds on pictures of all styles: two trainings are never
            equally good.
        plus_minus: half the 95 % interval of what was lost, of paired shares.
    """

    family: str
    points: int
    shown: float
    unseen: float
    anyway: float
    plus_minus: float

    @property
    def lost(self) -> float:
        """What not having seen the family costs, as a share of the points."""
        return self.shown - self.unseen - self.anyway


OfBoth = Mapping[str, Outcomes]  # by "shown" and "unseen"


def compare(family: str, of_family: OfBoth, of_all: OfBoth) -> Cost:
    """Both networks on pictures of the family and of all; a point in doubt counts where it lies."""
    shown, unseen = _found(of_family["shown"]), _found(of_family["unseen"])
    differences = shown.astype(float) - unseen
    anyway = _found(of_all["shown"]).astype(float) - _found(of_all["unseen"])
    variance = differences.var() / len(differences) + anyway.var() / len(anyway)
    return Cost(
        family,
        len(shown),
        float(shown.mean()),
        float(unseen.mean()),
        float(anyway.mean()),
        Z * math.sqrt(variance),
    )


def _found(outcomes: Outcomes) -> npt.NDArray[np.bool_]:
    clear = ~outcomes.of_class("ambiguous")
    columns = [outcomes.column(point) for point in POINTS]
    return np.concatenate([c.errors_px[c.exists & clear] <= WITHIN_PX for c in columns])


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when compared, 2 with one line on stderr, 130 when stopped while training."""
    options = _parser().parse_args(argv)
    try:
        _check(options.leave_out)
        for group in options.leave_out:
            code = _train(options, group)
            if code:
                return code
        costs = sorted(_costs(options), key=lambda cost: cost.lost, reverse=True)
        out = options.output / "unseen.json"
        out.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n", "utf-8")
    except (CheckpointError, ConfigError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"\n{table(costs)}")
    return 0


def _check(groups: Sequence[Sequence[str]]) -> None:
    families = [name for group in groups for name in group]
    for family in families:
        kind_of(family)
    twice = {family for family in families if families.count(family) > 1}
    if twice:
        raise ValueError(f"--leave-out {sorted(twice)[0]}: in two trainings; name it in one")
    if len(groups) < 2:
        raise ValueError("one --leave-out: add a second, whose training shows these families")


def table(costs: Sequence[Cost]) -> str:
    """A Markdown table, a row a family in the given order."""
    lines = [
        "| family | kind | points | @5px, shown | @5px, never shown | anyway | lost |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {cost.family} | {kind_of(cost.family)} | {cost.points} | {cost.shown:.1%} "
        f"| {cost.unseen:.1%} | {100 * cost.anyway:+.1f} "
        f"| {100 * cost.lost:+.1f} ± {100 * cost.plus_minus:.1f} points |"
        for cost in costs
    ]
    return "\n".join(lines)


def _folder(options: argparse.Namespace, group: Sequence[str]) -> Path:
    output: Path = options.output
    return output / ("without-" + "-".join(group))


def _train(options: argparse.Namespace, group: Sequence[str]) -> int:
    last = _folder(options, group) / "last.pth"
    # What is left out here replaces what the configuration itself leaves out.
    overrides = [
        f"checkpoints.save_dir={json.dumps(str(last.parent))}",
        f"data.leave_out={json.dumps(list(group))}",
    ]
    if options.backgrounds:
        overrides.append(f"data.backgrounds={json.dumps(str(options.backgrounds))}")
    arguments = ["--config", str(options.config)]
    for override in overrides:
        arguments += ["--set", override]
    if last.is_file():
        if _is_finished(last, load_config(options.config, overrides)):
            return 0
        arguments += ["--resume", str(last)]
    print(f"training that shows all but {', '.join(group)}")
    return training.main(arguments)


def _is_finished(last: Path, wanted: Config) -> bool:
    """Whether a training is over; one under way is compared as it is resumed."""
    saved = checkpoint.load(last)
    made = parse_config(saved["config"])
    if saved["epoch"] < made.training.num_epochs:
        return False
    if (made.data, made.model) != (wanted.data, wanted.model):
        raise ConfigError(f"{last.parent}: trained with another configuration: choose another -o")
    return True


def _costs(options: argparse.Namespace) -> Iterator[Cost]:
    groups = options.leave_out
    trained = [CheckpointLocator(_folder(options, group) / "last.pth") for group in groups]
    for group, unseen, shown in zip(groups, trained, trained[1:] + trained[:1], strict=True):
        of_all, *of_each = of_families(group, options.pictures, options.backgrounds)
        both = {"shown": shown, "unseen": unseen}
        ordinary = _outcomes(both, of_all)
        for pictures in of_each:
            yield compare(str(pictures.family), _outcomes(both, pictures), ordinary)


def _outcomes(both: Mapping[str, CheckpointLocator], pictures: PictureSet) -> OfBoth:
    samples = tqdm(pictures.samples, total=pictures.count, desc=pictures.name)
    return evaluate(both, samples)[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.unseen",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, help="YAML file of one training")
    parser.add_argument(
        "--leave-out",
        nargs="+",
        action="append",
        required=True,
        metavar="FAMILY",
        help="style families that one more training does not show; given twice or more",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="trainings, unseen.json"
    )
    parser.add_argument("--backgrounds", type=Path, metavar="DIR", help="a folder of photographs")
    parser.add_argument(
        "--pictures", type=positive, default=400, help="of each family (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
