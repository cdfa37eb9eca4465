"""Every effect against the one that `degrade` has for a single picture, or what defines it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from tests.train.compose.small import dice
from train.compose.dice import Dice
from train.compose.wear import EFFECTS, worn
from train.synth import SynthOptions, render
from train.synth.degrade import DEGRADATIONS, PROBABILITIES


def pictures(count: int) -> Tensor:
    """f32 [count, 3, 128, 256], R, G, B."""
    made = [cv2.resize(render(8, k).picture, (256, 128)) for k in range(count)]
    return torch.from_numpy(np.stack(made)[..., ::-1].copy()).permute(0, 3, 1, 2).float()


class Fixed(Dice):
    """Dice that always fall in the same place between their limits."""

    def __init__(self, count: int, place: float) -> None:
        super().__init__(count, torch.Generator().manual_seed(0))
        self.place = place

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        return torch.full((self.count, *shape), low + self.place * (high - low))


def test_every_degradation_has_its_effect():
    assert tuple(EFFECTS) == tuple(name for name in EFFECTS if name in DEGRADATIONS)
    assert set(EFFECTS) == set(DEGRADATIONS)


@pytest.mark.parametrize("place", [0.0, 0.4, 1.0])
def test_jpeg_does_the_damage_of_an_encoder(place: float):
    before = pictures(4)
    after = EFFECTS["jpeg"](before, Fixed(4, place)).clamp(0, 255)
    whole = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    for k in range(4):
        bgr = before[k].permute(1, 2, 0).numpy()[..., ::-1].astype(np.uint8)
        quality = [cv2.IMWRITE_JPEG_QUALITY, round(20 + 75 * place)]
        encoded = cv2.imdecode(cv2.imencode(".jpg", bgr, [*quality, *whole])[1], cv2.IMREAD_COLOR)
        ours = after[k].permute(1, 2, 0).numpy()[..., ::-1]
        apart, damage = (np.abs(ours - x).mean() for x in (encoded.astype(float), bgr))
        assert apart < 0.35 * damage + 0.7


@pytest.mark.parametrize(("name", "sigma"), [("gaussian-noise", 6.75), ("sensor-noise", 5.3)])
def test_noise_is_as_strong_as_it_should_be(name: str, sigma: float):
    before = torch.full((8, 3, 64, 64), 127.5)
    added = EFFECTS[name](before, Fixed(8, 0.5)) - before
    assert float(added.std()) == pytest.approx(sigma, rel=0.3)
    assert abs(float(added.mean())) < 1


def test_salt_is_black_and_white_in_a_few_pixels():
    before = torch.full((8, 3, 64, 64), 100.0)
    after = EFFECTS["salt"](before, dice(8))
    hit = (after != before).all(dim=1)
    assert 0.0005 < hit.float().mean() < 0.006
    assert set(after.unique().tolist()) == {0.0, 100.0, 255.0}


def test_tones_are_what_their_names_say():
    before = pictures(3)
    grey = EFFECTS["greyscale"](before, Fixed(3, 0.9))
    expected = np.stack(
        [cv2.cvtColor(p.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY) for p in before]
    )
    np.testing.assert_allclose(grey[:, 1], expected, atol=0.1)
    levels = EFFECTS["posterise"](before, Fixed(3, 0.0)).unique()
    assert len(levels) <= 6
    same = EFFECTS["gamma"](before, Fixed(3, np.log(1 / 0.6) / np.log(1.6 / 0.6)))
    torch.testing.assert_close(same, before, atol=0.2, rtol=1e-3)
    cast = EFFECTS["colour-cast"](before, Fixed(3, 0.0))
    torch.testing.assert_close(cast, 0.75 * before)
    flat = EFFECTS["contrast"](torch.full((1, 3, 4, 4), 127.5), Fixed(1, 0.5))
    assert float(flat.mean()) == pytest.approx(127.5)


@pytest.mark.parametrize("name", ["blur", "rescale"])
def test_what_softens_takes_detail_and_leaves_the_mean(name: str):
    before = pictures(4)
    after = EFFECTS[name](before, dice(4))
    detail = [x.diff(dim=3).abs().mean() for x in (before, after)]
    assert detail[1] < 0.95 * detail[0]
    torch.testing.assert_close(after.mean(), before.mean(), rtol=0.02, atol=0.5)


def test_clouds_are_soft_and_large():
    before = torch.full((4, 3, 128, 256), 127.5)
    after = EFFECTS["perlin-noise"](before, dice(4))
    assert 3 < after.std() < 40
    assert after.diff(dim=3).abs().mean() < 0.4 * after.std()
    assert torch.equal(after[:, 0], after[:, 2])


def test_each_effect_hits_its_share(monkeypatch: pytest.MonkeyPatch):
    hits = dict.fromkeys(EFFECTS, 0)

    def counted(name: str, part: Tensor) -> Tensor:
        hits[name] += len(part)
        return part

    for name in EFFECTS:
        monkeypatch.setitem(EFFECTS, name, lambda part, _, name=name: counted(name, part))
    options = SynthOptions(perlin_probability=0.5)
    picture = torch.zeros(100, 8, 8, 3)
    worn(picture, options, dice(100))
    expected = {name: round(100 * p) for name, p in PROBABILITIES.items()}
    assert hits == expected | {"perlin-noise": 50}
    hits.update(dict.fromkeys(hits, 0))
    worn(picture, replace(options, degradations=("blur",)), dice(100))
    assert {name for name, count in hits.items() if count} == {"blur"}


def test_pictures_stay_pictures():
    picture = pictures(40).permute(0, 2, 3, 1).contiguous()
    after = worn(picture.clone(), SynthOptions(), dice(40))
    assert after.shape == picture.shape
    assert after.min() >= 0
    assert after.max() <= 255
    assert 0.1 < (after != picture).flatten(1).any(dim=1).float().mean() <= 1
