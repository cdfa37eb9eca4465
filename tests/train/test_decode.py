import numpy as np
import pytest
import torch
from torch.nn import functional

from runtime import geometry
from train.decode import decode
from train.model import activate


def maps(seed: int, levels: int | None) -> dict[str, torch.Tensor]:
    """Random maps; few levels make ties and plateaus frequent."""
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(4, 8, 64, 128, generator=generator) * 2
    outputs = activate(raw)
    if levels is not None:
        for name in ("heatmap_gap", "heatmap_slider"):
            outputs[name] = (outputs[name] * levels).round() / levels
    return outputs


@pytest.mark.parametrize("row_agreement", [1.0, 0.0, 0.5])
@pytest.mark.parametrize("levels", [None, 3, 1])
def test_the_batched_decode_equals_the_reference(levels: int | None, row_agreement: float) -> None:
    outputs = maps(7, levels)
    keypoints, angle = decode(outputs, row_agreement)
    for b in range(4):
        one = {name: value[b].numpy() for name, value in outputs.items()}
        one["heatmap_gap"], one["heatmap_slider"] = one["heatmap_gap"][0], one["heatmap_slider"][0]
        expected = geometry.decode(**one, row_agreement=row_agreement)
        np.testing.assert_allclose(keypoints[b].numpy(), expected.keypoints, atol=1e-4)
        np.testing.assert_allclose(angle[b].numpy(), expected.angle, atol=1e-6)


@pytest.mark.parametrize("levels", [None, 3])
def test_smaller_maps_decode_as_if_the_rest_were_empty(levels: int | None) -> None:
    outputs = maps(8, levels)
    small = {name: value[..., :32, :64] for name, value in outputs.items()}
    keypoints, angle = decode(small)
    padded = {name: functional.pad(value, (0, 64, 0, 32)) for name, value in small.items()}
    for b in range(4):
        one = {name: value[b].numpy() for name, value in padded.items()}
        one["heatmap_gap"], one["heatmap_slider"] = one["heatmap_gap"][0], one["heatmap_slider"][0]
        expected = geometry.decode(**one)
        np.testing.assert_allclose(keypoints[b].numpy(), expected.keypoints, atol=1e-4)
        np.testing.assert_allclose(angle[b].numpy(), expected.angle, atol=1e-6)


def test_an_empty_map_gives_the_first_cell() -> None:
    zero = torch.zeros(1, 1, 64, 128)
    outputs = {
        "heatmap_gap": zero,
        "heatmap_slider": zero,
        "offset_gap": torch.zeros(1, 2, 64, 128),
        "offset_slider": torch.zeros(1, 2, 64, 128),
        "angle": torch.zeros(1, 2, 64, 128),
    }
    keypoints, _ = decode(outputs)
    assert keypoints[0].tolist() == [[1.5, 1.5, 0, 0]] * 2
