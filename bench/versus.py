"""Time this checkout against another one, turn by turn: `python -m bench.versus OTHER_CHECKOUT`.

    git worktree add /tmp/before HEAD~1 && python -m bench.versus /tmp/before

Every subject is set up anew several times in each checkout, in processes of their own, with the
weights of that checkout; the two take turns, so that a change of the machine's mood meets both.
Each pair of processes gives a ratio of medians, this checkout's time over the other's. A subject
counts as slower or faster where all its ratios lie on one side of 1: as unlikely as seven coins
that fall alike. The exit code is 1 where one is slower. Both need the packages installed here.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.cap import AVX2_VNNI, UNCAPPED
from bench.worker import Worker, WorkerError, in_turn
from train.arguments import positive

PAIRS, TURNS, CALLS = 7, 10, 20
HERE = Path(__file__).parents[1]
_USUAL = {"backend": "openvino", "threads": 2}
# name -> subject, its options, whether it needs a bundle
SUBJECTS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "predict-int8": ("predict", {"precision": "int8", **_USUAL}, True),
    "predict-fp32": ("predict", {"precision": "fp32", **_USUAL}, True),
    "engine-int8": ("infer", {"precision": "int8", **_USUAL}, True),
    "letterbox": ("letterbox", {}, False),
    "answer": ("answer", {}, True),
}


def ratios(name: str, checkouts: Sequence[Path], cap: str, pairs: int) -> list[float]:
    """Ratio of medians, first checkout over second, of each of so many pairs of processes.

    Raises WorkerError where a checkout cannot run the subject or answers wrongly.
    """
    subject, options, needs_bundle = SUBJECTS[name]
    found = []
    for number in range(pairs):
        workers = []
        with ExitStack() as stack:
            for checkout in checkouts:
                bundle = {"bundle": str(checkout / "runtime" / "weights")} if needs_bundle else {}
                worker = Worker(subject, cap, checkout, **options, **bundle)
                workers.append(stack.enter_context(worker))
            order = workers if number % 2 else workers[::-1]  # neither is always the first
            times = dict(zip(order, in_turn(order, CALLS, TURNS), strict=True))
        ours, others = (statistics.median(times[worker]) for worker in workers)
        found.append(ours / others)
    return found


def verdict(found: Sequence[float]) -> str:
    """`slower`, `faster`, or that nothing can be said."""
    if min(found) > 1:
        return "slower"
    return "faster" if max(found) < 1 else "no difference seen"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 nothing is slower, 1 something is, 2 refused."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.versus",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("other", type=Path, metavar="OTHER_CHECKOUT")
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--pairs", type=positive, default=PAIRS, help=f"default: {PAIRS}")
    parser.add_argument("--cap", choices=[AVX2_VNNI], default=UNCAPPED)
    given = parser.parse_args(argv)
    slower = False
    try:
        if not (given.other / "bench" / "worker.py").exists():
            raise WorkerError(f"{given.other} is no checkout of this project with this benchmark")
        for name in tqdm(given.subjects, leave=False):
            found = ratios(name, (HERE, given.other.resolve()), given.cap, given.pairs)
            low, middle, high = min(found), statistics.median(found), max(found)
            tqdm.write(f"{name:<14}x {middle:.3f}  ({low:.3f} to {high:.3f})  {verdict(found)}")
            slower |= verdict(found) == "slower"
    except (WorkerError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
