"""Wear and tear of a batch, effect for effect as `train.synth.degrade` does it to one picture.

A share of the batch gets each effect, drawn anew for each: pictures are [N, H, W, 3] in 0..255,
the effects take and return f32 [n, 3, H, W].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from train.augment import LUMA
from train.compose.dice import Dice, per_picture
from train.synth import SynthOptions
from train.synth.degrade import PROBABILITIES


def worn(picture: Tensor, options: SynthOptions, dice: Dice) -> Tensor:
    """The pictures after every effect that `options` allow; they are changed in place."""
    for name, effect in EFFECTS.items():
        if name not in options.degradations:
            continue
        usual = PROBABILITIES[name]
        share = options.perlin_probability if name == "perlin-noise" else usual
        chosen = dice.order()[: round(share * dice.count)]
        if len(chosen):
            part = picture[chosen].permute(0, 3, 1, 2).float()
            part = effect(part, dice.first(len(chosen))).clamp_(0, 255)
            picture[chosen] = part.permute(0, 2, 3, 1).to(picture.dtype)
    return picture


def _blur(picture: Tensor, dice: Dice) -> Tensor:
    """Two box filters, blended with the sharp picture."""
    soft = picture
    for _ in range(2):
        soft = functional.avg_pool2d(soft, 3, stride=1, padding=1, count_include_pad=False)
    return torch.lerp(picture, soft, per_picture(dice.uniform(0.2, 1), picture))


def _rescale(picture: Tensor, dice: Dice) -> Tensor:
    """Down and up again, a quarter of the pictures at a time: down as far as a picture of 200 px
    that fills the canvas, in which a pixel is that large."""
    height, width = picture.shape[2:]
    done = []
    for part in picture.chunk(4):
        factor = float(torch.empty(1).uniform_(0.35, 0.95))
        size = max(1, round(height * factor)), max(1, round(width * factor))
        small = functional.interpolate(part, size, mode="bilinear", antialias=True)
        up = "bicubic" if factor > 0.6 else "bilinear"
        done.append(functional.interpolate(small, (height, width), mode=up))
    return torch.cat(done)


def _sensor_noise(picture: Tensor, dice: Dice) -> Tensor:
    """Colour blotches of twice the pixel's size under grain that grows in the shadows."""
    height, width = picture.shape[2:]
    coarse = dice.normal(3, (height + 1) // 2, (width + 1) // 2)
    blotches = functional.interpolate(coarse, (height, width), mode="bilinear")
    shade = 1.3 - 0.8 / 255 * _luma(picture)
    grain = dice.normal(1, height, width) * shade * per_picture(dice.uniform(2, 7), picture)
    return picture + blotches * per_picture(dice.uniform(2, 6), picture) + grain


def _gaussian_noise(picture: Tensor, dice: Dice) -> Tensor:
    grain = dice.normal(3, *picture.shape[2:])
    grain = torch.where(dice.chance(0.3).reshape(-1, 1, 1, 1), grain[:, :1], grain)
    return torch.addcmul(picture, grain, per_picture(dice.uniform(1.5, 12), picture))


def _salt(picture: Tensor, dice: Dice) -> Tensor:
    hit = dice.uniform(0, 1, 1, *picture.shape[2:])
    share = per_picture(dice.uniform(0.0005, 0.006), picture)
    return torch.where(hit < share, torch.where(hit < share / 2, 0.0, 255.0), picture)


def _perlin_noise(picture: Tensor, dice: Dice) -> Tensor:
    """Value noise of two sizes instead: random grids, smoothly enlarged."""
    height, width = picture.shape[2:]
    for _ in range(2):
        cell = int(2 ** float(torch.empty(1).uniform_(2, 6)))
        grid = dice.uniform(-1, 1, 1, height // cell + 2, width // cell + 2)
        cloud = functional.interpolate(grid, (height, width), mode="bicubic")
        picture = torch.addcmul(picture, cloud, per_picture(dice.uniform(8, 36), picture))
    return picture


def _gamma(picture: Tensor, dice: Dice) -> Tensor:
    exponent = torch.exp(dice.uniform(math.log(0.6), math.log(1.6)))
    return 255 * (picture / 255) ** per_picture(exponent, picture)


def _contrast(picture: Tensor, dice: Dice) -> Tensor:
    gain, shift = dice.uniform(0.65, 1.3), dice.uniform(-35, 35)
    return (picture - 127.5) * per_picture(gain, picture) + per_picture(127.5 + shift, picture)


def _colour_cast(picture: Tensor, dice: Dice) -> Tensor:
    return picture * dice.uniform(0.75, 1.2, 3, 1, 1)


def _greyscale(picture: Tensor, dice: Dice) -> Tensor:
    keep = dice.uniform(0.1, 0.5) * dice.chance(0.4)
    return torch.lerp(_luma(picture), picture, per_picture(keep, picture))


def _posterise(picture: Tensor, dice: Dice) -> Tensor:
    steps = per_picture(dice.uniform(5, 24).floor(), picture)
    return (picture / 255 * steps).round() / steps * 255


def _luma(picture: Tensor) -> Tensor:
    return (picture * picture.new_tensor(LUMA).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)


# Quantisation of luminance at quality 50: ITU-T T.81, table K.1.
_LUMA_STEPS = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
# Of chrominance: table K.2.
_CHROMA_STEPS = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)
# R, G, B to Y, Cb, Cr: ITU-T T.871.
_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)


def _jpeg(picture: Tensor, dice: Dice) -> Tensor:
    """Rounds cosine coefficients of 8×8 blocks as an encoder does; nothing is subsampled."""
    n, _, height, width = picture.shape
    rows, columns = height // 8, width // 8
    quality = dice.uniform(20, 95)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    table = picture.new_tensor((_LUMA_STEPS, _CHROMA_STEPS, _CHROMA_STEPS))
    steps = (table * factor.reshape(-1, 1, 1)).clamp(min=1)[:, :, None]  # [n, 3, 1, 64]
    to_ycc, basis = picture.new_tensor(_TO_YCC), _cosines(picture.device)
    ycc = torch.einsum("dc,nchw->ndhw", to_ycc, picture - 128)
    blocks = ycc.reshape(n, 3, rows, 8, columns, 8).transpose(3, 4).reshape(n, 3, -1, 64)
    blocks = ((blocks @ basis.T / steps).round_() * steps) @ basis
    ycc = blocks.reshape(n, 3, rows, columns, 8, 8).transpose(3, 4).reshape(n, 3, height, width)
    return torch.einsum("dc,nchw->ndhw", torch.linalg.inv(to_ycc), ycc) + 128


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal two-dimensional DCT-II of 8×8 values as a matrix f32 [64, 64]."""
    k = torch.arange(8.0, device=device)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return torch.kron(basis, basis)


EFFECTS: dict[str, Callable[[Tensor, Dice], Tensor]] = {
    "blur": _blur,
    "rescale": _rescale,
    "sensor-noise": _sensor_noise,
    "gaussian-noise": _gaussian_noise,
    "salt": _salt,
    "perlin-noise": _perlin_noise,
    "gamma": _gamma,
    "contrast": _contrast,
    "colour-cast": _colour_cast,
    "greyscale": _greyscale,
    "posterise": _posterise,
    "jpeg": _jpeg,
}
