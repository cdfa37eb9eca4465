"""Which pictures the weights a run starts from know least, so that it shows mostly those.

Most pictures teach a network little once it is right on them. One pass without gradients tells
which do not: Shrivastava et al., "Training Region-based Object Detectors with Online Hard Example
Mining", 2016, here once for all pictures instead of within each batch.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from train import data, distributed
from train.generated import GeneratedPictures
from train.losses import picture_losses
from train.state import TrainState
from train.stop import StopFlag
from train.targets import encode

# Of the pictures shown, the part that is drawn from all the others: what is known stays known.
KNOWN = 1 / 6
_BATCH = 64


def hardest(
    state: TrainState, source: GeneratedPictures, share: float, stop: StopFlag
) -> NDArray[np.int64] | None:
    """Numbers of `share` of the source's distinct pictures, ascending, the same on every rank.

    All but `KNOWN` of them are those with the largest losses of the averaged weights, before
    anything is varied. None where any rank was told to stop.
    """
    count = source.distinct
    assert count is not None
    losses = np.zeros(count, np.float32)
    ranks = distributed.of_all_ranks(_losses(state, source, stop))
    if distributed.on_any_rank(stop.is_set)[0]:
        return None
    for rank, found in enumerate(ranks):
        losses[rank :: len(ranks)] = found
    shown = max(1, round(share * count))
    known = int(KNOWN * shown)
    easiest_first = np.argsort(losses, kind="stable")
    others, hard = np.split(easiest_first, [count - (shown - known)])
    # The last number keeps this stream apart from the others of the seed.
    rng = np.random.default_rng([source.showing.seed, 0, 0, 4])
    return np.sort(np.concatenate([hard, rng.choice(others, known, replace=False)]))


@torch.no_grad()
def _losses(state: TrainState, source: GeneratedPictures, stop: StopFlag) -> NDArray[np.float32]:
    """Of every picture of this rank, in order; of fewer once `stop` is set."""
    model, amp = state.evaluated_model.eval(), state.autocast_dtype
    numbers = range(distributed.rank(), source.distinct or 0, distributed.world())
    found: list[torch.Tensor] = []
    with tqdm(total=len(numbers), desc="scoring", disable=not distributed.is_main()) as progress:
        for start in range(0, len(numbers), _BATCH):
            if stop.is_set:
                break
            chosen = numbers[start : start + _BATCH]
            batch = data.collate([source.unvaried(number) for number in chosen])
            canvas, truth, _ = (tensor.to(state.device) for tensor in batch)
            with torch.autocast(state.device.type, amp, enabled=amp is not None):
                raw, _ = model.forward_training(data.network_input(canvas))
            raw = raw.float()
            targets = encode(truth, (raw.shape[2], raw.shape[3]))
            found.append(picture_losses(raw, targets).cpu())
            progress.update(len(chosen))
    return torch.cat([torch.zeros(0), *found]).numpy()
