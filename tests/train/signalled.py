"""`python -m tests.train.signalled SIGNAL STEP ARGUMENTS…`: tests interrupt a run at a known place.

It is `python -m train ARGUMENTS…` that sends itself a signal just before a step.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tests.train.commands import threads_of_gloo
from train import __main__ as command
from train import loop
from train.data import Batch
from train.state import TrainState
from train.step import Step, train_step


def main() -> int:
    number, step, *arguments = sys.argv[1:]

    def signalled(state: TrainState, batches: Sequence[Batch], measure_update: bool) -> Step:
        if state.global_step == int(step):
            os.kill(os.getpid(), int(number))
        return train_step(state, batches, measure_update)

    loop.train_step = signalled
    code = command.main(arguments)
    assert not threads_of_gloo()
    return code


if __name__ == "__main__":
    sys.exit(main())
