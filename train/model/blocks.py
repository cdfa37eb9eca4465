"""Convolution blocks that train with several branches and fold into one convolution."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def fuse_batch_norm(weight: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Folds a batch norm's running statistics into the bias-free convolution before it.

    ``weight`` is [out, in, kh, kw]; returns that shape and a bias [out].
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return weight * scale.reshape(-1, 1, 1, 1), norm.bias - norm.running_mean * scale


class ConvNorm(nn.Module):
    """A bias-free convolution and its batch norm, with a ReLU where ``relu`` is set."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        relu: bool = False,
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            (height, width),
            stride,
            padding=(height // 2, width // 2),
            bias=False,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x))
        return functional.relu(y, inplace=True) if self.relu else y

    def kernel_and_bias(self) -> tuple[Tensor, Tensor]:
        return fuse_batch_norm(self.conv.weight, self.norm)

    def folded(self) -> nn.Module:
        return _plain_convolution(self.conv, *self.kernel_and_bias(), relu=self.relu)


class RepConv(nn.Module):
    """RepVGG block: ReLU(3×3 + 1×1 + identity), each branch with its own batch norm.

    The identity exists where input and output shapes agree. Source: Ding et al., "RepVGG:
    Making VGG-style ConvNets Great Again", 2021.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, point_branch: bool = True
    ) -> None:
        super().__init__()
        self.full = ConvNorm(in_channels, out_channels, 3, stride)
        self.point = ConvNorm(in_channels, out_channels, 1, stride) if point_branch else None
        keeps_shape = stride == 1 and in_channels == out_channels
        self.identity = nn.BatchNorm2d(out_channels) if keeps_shape else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.full(x)
        if self.point is not None:
            y = y + self.point(x)
        if self.identity is not None:
            y = y + self.identity(x)
        return functional.relu(y, inplace=True)

    def folded(self) -> nn.Module:
        weight, bias = self.full.kernel_and_bias()
        if self.point is not None:
            point_weight, point_bias = self.point.kernel_and_bias()
            weight = weight + functional.pad(point_weight, (1, 1, 1, 1))
            bias = bias + point_bias
        if self.identity is not None:
            unit = torch.zeros_like(weight)
            nn.init.dirac_(unit)
            unit_weight, unit_bias = fuse_batch_norm(unit, self.identity)
            weight, bias = weight + unit_weight, bias + unit_bias
        return _plain_convolution(self.full.conv, weight, bias, relu=True)


class RowContext(nn.Module):
    """Tells every cell what its row holds: the row's maxima, mixed, are added to the cell.

    The gap and the piece share a row, which small convolution kernels cannot see across the
    picture. Further convolutions must follow, to gate features by what was added.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Three rows high: at a coarse stride the two centres may fall into adjoining rows.
        self.mix = ConvNorm(channels, channels, (3, 1), relu=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(x.amax(dim=3, keepdim=True))


def conv_chain(widths: list[int], strides: list[int], point_branch: bool) -> nn.Sequential:
    """RepConv blocks one after another through ``widths``, one stride for each block."""
    pairs = zip(pairwise(widths), strides, strict=True)
    return nn.Sequential(*(RepConv(a, b, s, point_branch) for (a, b), s in pairs))


def _plain_convolution(like: nn.Conv2d, weight: Tensor, bias: Tensor, relu: bool) -> nn.Module:
    conv = nn.Conv2d(
        like.in_channels,
        like.out_channels,
        (like.kernel_size[0], like.kernel_size[1]),
        (like.stride[0], like.stride[1]),
        padding=(weight.shape[2] // 2, weight.shape[3] // 2),
    )
    conv.weight = nn.Parameter(weight.detach().clone())
    conv.bias = nn.Parameter(bias.detach().clone())
    return nn.Sequential(conv, nn.ReLU()) if relu else conv
