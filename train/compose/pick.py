"""Random layers of the bank, mirrored half of the time: light may fall from any side."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from runtime.geometry import CANVAS_WIDTH
from train.compose.dice import Dice
from train.compose.layers import LOOK

_PLANES = ("gap", "other", "piece", "cover")


def pick_layers(
    fields: Mapping[str, Tensor], filled: int, dice: Dice, dtype: torch.dtype
) -> dict[str, Tensor]:
    """A ground ("background" and "rect") and a thing (the other layers) for each picture.

    fields: as `layers.FIELDS` names them, of which the first `filled` slots are used. Pictures and
    planes come in `dtype`, the rest in f32.
    """
    ground, thing = dice.slots(filled), dice.slots(filled)
    across = dice.chance(0.5)
    rect = fields["rect"][ground]
    mirrored = CANVAS_WIDTH - rect[:, [2, 0]]
    rect[:, 0::2] = torch.where(across[:, None], mirrored, rect[:, 0::2])
    found = {"background": _taken(fields["background"], ground, across).to(dtype), "rect": rect}
    flips = dice.chance(0.5), dice.chance(0.5)  # along x, along y
    for name in _PLANES:
        found[name] = _taken(fields[name], thing, *flips, around_anchor=True).to(dtype)
    return found | _mirrored({n: fields[n][thing] for n in ("box", "contour", "look")}, flips)


def _taken(
    field: Tensor,
    slot: Tensor,
    across: Tensor,
    down: Tensor | None = None,
    around_anchor: bool = False,
) -> Tensor:
    """Slots of a field [slots, H, W, C], mirrored where asked; the anchor's pixel stays."""
    height, width = field.shape[1:3]
    rows = _order(height, down, field.device, around_anchor)
    columns = _order(width, across, field.device, around_anchor)
    return field[slot[:, None, None], rows[:, :, None], columns[:, None, :]]


def _order(
    count: int, backwards: Tensor | None, device: torch.device, around_anchor: bool
) -> Tensor:
    steps = torch.arange(count, device=device)[None]
    if backwards is None:
        return steps
    turned = (count - steps) % count if around_anchor else count - 1 - steps
    return torch.where(backwards[:, None], turned, steps)


def _mirrored(geometry: dict[str, Tensor], flips: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    box, contour, look = geometry["box"], geometry["contour"], geometry["look"]
    for axis, chosen in enumerate(flips):
        turned = box.clone()
        turned[..., axis], turned[..., axis + 2] = -box[..., axis + 2], -box[..., axis]
        box = torch.where(chosen[:, None, None], turned, box)
        sign = 1 - 2 * chosen.float()
        contour[..., axis::2] *= sign.reshape(-1, 1, 1, 1)
        look[:, LOOK.index("sin")] *= sign
    return {"box": box, "contour": contour, "look": look}
