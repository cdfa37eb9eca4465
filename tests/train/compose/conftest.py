from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.train.compose.small import layers_of
from train.compose.layers import FIELDS


@pytest.fixture(scope="session")
def fields() -> dict[str, Tensor]:
    """The layers of 24 generated pictures, as a bank keeps them."""
    drawn = [layers_of(index) for index in range(24)]
    return {
        name: torch.from_numpy(np.stack([layers[name] for layers in drawn]).astype(kind))
        for name, (_, kind) in FIELDS.items()
    }
