"""`python -m tests.train.ranks`: what two ranks agree on, checked on each of them."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.train.commands import threads_of_gloo
from tests.train.fakes import FakePictures
from tests.train.small import small_config
from tests.train.test_hardest import one_by_one
from train import data, distributed, hardest
from train.state import TrainState
from train.step import train_step
from train.stop import StopFlag


def check_agreement(rank: int) -> None:
    assert (distributed.rank(), distributed.world()) == (rank, 2)
    assert distributed.is_main() is (rank == 0)
    assert distributed.mean(torch.tensor([1.0, rank])).tolist() == [1, 0.5]
    assert math.isnan(distributed.mean(torch.tensor(math.nan if rank else 1.0)))
    assert distributed.on_any_rank(False, rank == 0, rank == 1) == (False, True, True)
    assert distributed.of_all_ranks({"rank": rank}) == [{"rank": 0}, {"rank": 1}]
    norm = nn.BatchNorm1d(2)
    norm.running_mean.fill_(rank)
    norm.num_batches_tracked.fill_(7)
    distributed.average_buffers(norm)
    assert norm.running_mean.tolist() == [0.5, 0.5]
    assert norm.num_batches_tracked == 7


def check_errors_reach_all(rank: int) -> None:
    done = []
    distributed.on_main(lambda: done.append(rank))
    assert done == ([0] if rank == 0 else [])

    def fail() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device"):
        distributed.on_main(fail)


def check_an_infinite_loss_stops_all(rank: int) -> None:
    state = TrainState(small_config(Path("unused")), distributed.device())
    canvas, truth, shapes = next(iter(data.loader(FakePictures(), 0, 4, 2, 0, rank, 2)))
    if rank == 1:
        truth[:, 6] = math.inf  # the angle's sine
    place = "epoch 1, batch 1 (pictures 0 to 3 of the epoch)"
    with pytest.raises(
        FloatingPointError, match=re.escape(f"{place}: a loss is not finite: angle")
    ):
        train_step(state, [(canvas, truth, shapes)])


def check_statistics_are_averaged(rank: int) -> None:
    state = TrainState(small_config(Path("unused")), distributed.device())
    for canvas, truth, shapes in data.loader(FakePictures(), 0, 8, 2, 0, rank, 2):
        train_step(state, [(canvas // (1 + rank), truth, shapes)])
        state.step_made({})
    assert state.ema is not None
    networks = nn.ModuleList([state.model, state.ema])
    own = {name: value.clone() for name, value in networks.named_buffers()}
    first, second = distributed.of_all_ranks(own)
    state.agree()
    for name, value in networks.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            assert not torch.equal(first[name], second[name]), name
            torch.testing.assert_close(value, (first[name] + second[name]) / 2)
        else:
            assert torch.equal(value, first[name]), name


def check_dropout_differs(rank: int) -> None:
    TrainState(small_config(Path("unused")), distributed.device())
    first, second = distributed.of_all_ranks(torch.rand(4).tolist())
    assert first != second


def check_the_hardest_are_everybodys(rank: int) -> None:
    """Each rank scores every other picture; both get what one process alone finds."""
    section = {"distinct_pictures": 7, "canvas_scale": 2}
    state = TrainState(small_config(Path("unused"), data=section), distributed.device())
    source, _ = data.sources(state.config)
    assert isinstance(source, data.GeneratedPictures)
    found = hardest.hardest(state, source, 0.5, StopFlag())
    losses = one_by_one(state, source)
    expected = sorted(range(7), key=lambda number: -losses[number])[:4]
    assert found is not None
    assert found.tolist() == sorted(expected), rank
    stop = StopFlag()
    stop.is_set = rank == 1
    assert hardest.hardest(state, source, 0.5, stop) is None


def main() -> int:
    with distributed.process_group(True):
        rank = distributed.rank()
        check_agreement(rank)
        check_errors_reach_all(rank)
        check_an_infinite_loss_stops_all(rank)
        check_statistics_are_averaged(rank)
        check_dropout_differs(rank)
        check_the_hardest_are_everybodys(rank)
        assert threads_of_gloo()
    assert not threads_of_gloo()
    assert (distributed.rank(), distributed.world()) == (0, 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
