"""What shows of a gap or a piece, as `train.synth.visible` has it, for a batch.

Pictures and windows are [N, H, W, C] in 0..255, of half precision where the device computes it;
what is measured on them is f32.
"""

from __future__ import annotations

import torch
from torch import Tensor

from train.compose.places import Place
from train.synth.visible import AROUND_PX, STEP_LEVELS, STEPS_PX, TEXTURE_FACTOR

# On enlarged pictures steps are spread over more pixels; further away another thing may lie.
_MOST_ENLARGED = 1.5
_SCALED = 16  # squares of grey levels would leave the range of half precision


def mean(values: Tensor, inside: Tensor) -> Tensor:
    """Mean f32 [N] over what `inside` [N, h, w, 1] marks with 1; 0 where it marks nothing."""
    total = (values * inside).sum(dim=(1, 2, 3), dtype=torch.float32) / values.shape[3]
    return total / inside.sum(dim=(1, 2, 3), dtype=torch.float32).clamp(min=1)


def spread(window: Tensor, inside: Tensor) -> Tensor:
    """Standard deviation f32 [N] there, channels taken together."""
    middle = mean(window, inside).to(window.dtype).reshape(-1, 1, 1, 1)
    return _SCALED * mean(((window - middle) / _SCALED).square_(), inside).sqrt()


def change(before: Tensor, after: Tensor, inside: Tensor) -> Tensor:
    """Mean absolute difference f32 [N] there, once `after` is clipped to grey levels."""
    return mean((after.clamp(0, 255) - before).abs_(), inside)


class Contours:
    """The outlines of gap and piece where they lie, and the steps that the bare picture makes."""

    def __init__(
        self, bare: Tensor, contour: Tensor, place: Place, scale: Tensor, share: Tensor
    ) -> None:
        """bare: the picture without gap and piece. contour: f32 [N, 2, P, 4], see `layers`.

        scale: f32 [N], canvas pixels in one of the things'. share: f32 [N], of what other gaps must
        show, the gap must.
        """
        anchors = torch.stack([place.gap_xy, place.piece_xy], dim=1)
        self._points, self._normals = contour[..., :2] + anchors[:, :, None], contour[..., 2:]
        self._unit = scale.clamp(max=_MOST_ENLARGED).reshape(-1, 1, 1, 1)
        levels = STEP_LEVELS * torch.stack([share, torch.ones_like(share)], dim=1)[..., None]
        self._floor = TEXTURE_FACTOR * self._steps(bare, AROUND_PX).mean(dim=3) + levels

    def shares(self, picture: Tensor) -> Tensor:
        """Of each outline's points the share that shows a step: f32 [N, 2]."""
        return (self._steps(picture, (0.0,))[..., 0] > self._floor).float().mean(dim=2)

    def _steps(self, picture: Tensor, offsets: tuple[float, ...]) -> Tensor:
        """The largest difference across every point, for each offset: f32 [N, 2, P, offsets]."""
        distances = sorted({distance for pair in STEPS_PX for distance in pair})
        shifts = torch.tensor([o + d for o in offsets for d in distances], device=picture.device)
        shift = self._unit[..., None] * shifts[:, None]
        at = self._points[..., None, :] + self._normals[..., None, :] * shift
        seen = sampled(picture, at[..., 0], at[..., 1]).unflatten(3, (len(offsets), -1))
        level = {distance: seen[..., k, :] for k, distance in enumerate(distances)}
        differences = [(level[a] - level[b]).abs().mean(dim=4) for a, b in STEPS_PX]
        return torch.stack(differences).amax(dim=0)


def sampled(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear samples f32 [N, ..., C] at pixels x, y [N, ...]; beyond the border its last one."""
    height, width = picture.shape[1:3]
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    column, row = x.long().clamp(max=width - 2), y.long().clamp(max=height - 2)
    right, down = (x - column)[..., None], (y - row)[..., None]
    each = torch.arange(len(x), device=x.device).reshape(-1, *[1] * (x.ndim - 1))

    def at(rows: Tensor, columns: Tensor) -> Tensor:
        return picture[each, rows, columns].float()

    above = torch.lerp(at(row, column), at(row, column + 1), right)
    below = torch.lerp(at(row + 1, column), at(row + 1, column + 1), right)
    return torch.lerp(above, below, down)
