from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from runtime.geometry import Letterbox
from tests.train.fakes import FakePictures, sample
from train import data
from train.config import ConfigError, DataConfig
from train.synth import SynthOptions, render
from train.targets import TRUTH_FIELDS


def test_prepare_gives_the_canvas_and_the_truth_on_it() -> None:
    one = sample((200.0, 90.0), (40.0, 91.0), 30.0, size=(300, 200))
    canvas, truth = data.prepare(one)
    letterbox = Letterbox(300, 200)
    np.testing.assert_array_equal(canvas, letterbox.render(one.picture))
    fields = dict(zip(TRUTH_FIELDS, truth.tolist(), strict=True))
    # 300 × 200 becomes 384 × 256, 64 columns from the left.
    assert fields["gap_x"] == pytest.approx((200.5) * 1.28 - 0.5 + 64, abs=1e-4)
    assert fields["slider_y"] == pytest.approx((91.5) * 1.28 - 0.5, abs=1e-4)
    assert (fields["sin"], fields["cos"]) == pytest.approx((0.5, 0.75**0.5))
    assert fields["size_x"] == pytest.approx(50 * 1.28)
    assert (fields["scale_x"], fields["scale_y"]) == pytest.approx((1.28, 1.28))
    assert [fields[n] for n in ("has_gap", "has_slider", "has_angle", "ambiguous")] == [1, 1, 1, 0]


def test_the_stream_is_the_generators_and_leaves_families_out() -> None:
    config = DataConfig(seed=7, leave_out=("heart", "jigsaw-round"))
    train_set, validation_set = data.datasets(config)
    options = SynthOptions(leave_out=frozenset(config.leave_out))
    canvas, truth = train_set[5]
    expected = data.prepare(render(7, 5, options))
    np.testing.assert_array_equal(canvas, expected[0])
    np.testing.assert_array_equal(truth, expected[1])
    assert not np.array_equal(validation_set[5][0], canvas)


def test_photographs_are_used_when_given(tmp_path: Path) -> None:
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 256, (300, 500, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    plain, _ = data.datasets(DataConfig())
    with_photos, _ = data.datasets(DataConfig(backgrounds=str(tmp_path)))
    differ = [not np.array_equal(plain[i][0], with_photos[i][0]) for i in range(4)]
    assert any(differ)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (DataConfig(leave_out=("hart",)), "hart"),
        (DataConfig(backgrounds="/nowhere/photos"), "/nowhere/photos"),
    ],
)
def test_a_bad_family_or_folder_is_one_config_error(config: DataConfig, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        data.datasets(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_order_whatever_the_workers(workers: int) -> None:
    batches = list(data.loader(FakePictures(), 3, 10, 3, workers))
    assert [len(truth) for _, truth in batches] == [3, 3, 1]
    assert batches[0][0].shape == (3, 256, 512, 4)
    truths = torch.cat([truth for _, truth in batches]).numpy()
    expected = np.stack([FakePictures()[i][1] for i in range(3, 10)])
    np.testing.assert_array_equal(truths, expected)


def test_network_input_is_scaled_and_channels_last() -> None:
    canvas = torch.randint(0, 256, (2, 256, 512, 4), dtype=torch.uint8)
    x = data.network_input(canvas)
    assert x.shape == (2, 4, 256, 512)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x[1, 2, 30, 40], canvas[1, 30, 40, 2].float() / 255)
