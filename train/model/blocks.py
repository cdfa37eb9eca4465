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
    """A bias-free convolution and its batch norm, with a ReLU where ``relu`` is set.

    Once the norm is absorbed, a convolution with a bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        relu: bool = False,
        groups: int = 1,
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            (height, width),
            stride,
            padding=(height // 2, width // 2),
            groups=groups,
            bias=False,
        )
        self.norm: nn.Module = nn.BatchNorm2d(out_channels)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x))
        return functional.relu(y, inplace=True) if self.relu else y

    def kernel_and_bias(self) -> tuple[Tensor, Tensor]:
        if isinstance(self.norm, nn.BatchNorm2d):
            return fuse_batch_norm(self.conv.weight, self.norm)
        assert self.conv.bias is not None
        return self.conv.weight, self.conv.bias

    def absorb_norm(self) -> None:
        """Puts the norm, as it is in eval mode, into the convolution; there is none afterwards."""
        weight, bias = self.kernel_and_bias()
        self.conv.weight, self.conv.bias = (
            nn.Parameter(weight.detach()),
            nn.Parameter(bias.detach()),
        )
        self.norm = nn.Identity()

    def folded(self) -> nn.Module:
        return _plain_convolution(self.conv, *self.kernel_and_bias(), relu=self.relu)


class RepConv(nn.Module):
    """RepVGG block: ReLU(3×3 + 1×1 + identity), each convolution with its own batch norm.

    The identity exists where input and output shapes agree. It is added as it is: a batch norm of
    its own would cost a tenth of the training time. Source: Ding et al., "RepVGG: Making VGG-style
    ConvNets Great Again", 2021.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, point_branch: bool = True
    ) -> None:
        super().__init__()
        self.full = ConvNorm(in_channels, out_channels, 3, stride)
        self.point = ConvNorm(in_channels, out_channels, 1, stride) if point_branch else None
        self.identity = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.full(x)
        if self.point is not None:
            y = y + self.point(x)
        if self.identity:
            y = y + x
        return functional.relu(y, inplace=True)

    def folded(self) -> nn.Module:
        weight, bias = self.full.kernel_and_bias()
        if self.point is not None:
            point_weight, point_bias = self.point.kernel_and_bias()
            weight = weight + functional.pad(point_weight, (1, 1, 1, 1))
            bias = bias + point_bias
        if self.identity:
            weight = weight + nn.init.dirac_(torch.zeros_like(weight))
        return _plain_convolution(self.full.conv, weight, bias, relu=True)


class CopyUpsample(nn.Module):
    """Doubles the resolution: the four finer cells are copies of one projection (nearest)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = ConvNorm(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(self.project(x), scale_factor=2, mode="nearest")


class SubCellUpsample(nn.Module):
    """Doubles the resolution: every one of the four finer cells has a projection of its own.

    Copies of a coarse cell (nearest neighbours) cannot say which of the finer cells a point lies
    in; sub-pixel convolution can, at the price of a 1×1 convolution on the coarse cells. Source:
    Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    Convolutional Neural Network", 2016.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = ConvNorm(in_channels, 4 * out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.project(x), 2)


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
        # Pooling, not `amax`: NNCF puts a quantiser behind a reduction, and OpenVINO 2026.4 makes
        # unsigned bytes of the two on CPUs, so that maxima below zero are lost.
        return x + self.mix(functional.max_pool2d(x, (1, int(x.shape[3]))))


class RowAttention(nn.Module):
    """Lets every cell look at the other cells of its row, one row at a time.

    The gap and the piece are the two alike shapes of one row: comparing cells finds the pair, and
    a bias for each distance tells which of the two lies where. Adds to its input; starts at zero.
    Source: axial attention (Ho et al. 2019) along the width, relative-position bias as in Swin
    (Liu et al. 2021). On a smaller canvas, with fewer cells in a row, distances keep their meaning:
    with half the columns each counts double.
    """

    distance: Tensor

    def __init__(self, channels: int, row_cells: int, heads: int = 4, head_channels: int = 16):
        super().__init__()
        self.heads, self.head_channels = heads, head_channels
        self.query_key_value = ConvNorm(channels, 3 * heads * head_channels)
        self.project = ConvNorm(heads * head_channels, channels)
        assert isinstance(self.project.norm, nn.BatchNorm2d)
        nn.init.zeros_(self.project.norm.weight)
        self.distance_bias = nn.Parameter(torch.zeros(heads, 2 * row_cells - 1))
        columns = torch.arange(row_cells)
        distance = columns[None, :] - columns[:, None] + row_cells - 1
        self.register_buffer("distance", distance, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[2:]
        packed = self.query_key_value(x)
        # [B, 3, heads, channels, rows, columns] with the cells of a row last but one.
        split = packed.unflatten(1, (3, self.heads, self.head_channels))
        query, key, value = split.permute(1, 0, 2, 4, 5, 3).unbind(0)
        score = (query * self.head_channels**-0.5) @ key.transpose(-1, -2)
        score = score + self.distance_bias[:, self._distance(columns)].unsqueeze(1)
        seen = score.softmax(dim=-1) @ value
        gathered = seen.permute(0, 1, 4, 2, 3).reshape(x.shape[0], -1, rows, columns)
        return x + self.project(gathered)

    def _distance(self, columns: int) -> Tensor:
        """Index into `distance_bias` for each pair of cells, i64 [columns, columns]."""
        row_cells = len(self.distance)
        if columns == row_cells:
            return self.distance
        step = row_cells // columns
        return self.distance[::step, ::step]


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
        groups=like.groups,
    )
    conv.weight = nn.Parameter(weight.detach().clone())
    conv.bias = nn.Parameter(bias.detach().clone())
    return nn.Sequential(conv, nn.ReLU()) if relu else conv
