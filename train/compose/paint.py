"""A batch of puzzles painted from layers; what may be asked of each is in `Puzzles.good`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from runtime.geometry import CANVAS_HEIGHT, CANVAS_WIDTH
from train.compose.dice import Dice, per_picture
from train.compose.layers import LOOK, PATCH
from train.compose.places import HALF, draw_decoy, draw_places, moved, window
from train.compose.seen import Contours, change, mean, spread
from train.synth import SynthOptions
from train.synth.gaps import MAX_FLOOR, MIN_CONTRAST, MIN_CONTRAST_OF_TEXTURE
from train.synth.scene import TELLING_TEXTURE
from train.synth.visible import (
    CONTOUR_SHARE,
    DISGUISE_OF_SPREAD,
    LEAST_CHANGE,
    MOST_DISGUISE,
)

# Of the pictures with a decoy, those with at least one, two, three of them.
_DECOYS = (1.0, 0.4, 0.1)
_ON_ROW = _ALIKE = 0.45  # of the decoys, on the gap's row; of the gap's shape


@dataclass(frozen=True)
class Puzzles:
    """picture: [N, 256, 512, 3], R, G, B in 0..255; rect: f32 [N, 4], the picture's part of the
    canvas; truth: f32 [N, 13], see `train.targets`; good: bool [N], whether gap and piece fit, can
    be seen and told from each other: where not, the truth would be a lie."""

    picture: Tensor
    rect: Tensor
    truth: Tensor
    good: Tensor


def compose(layers: Mapping[str, Tensor], options: SynthOptions, dice: Dice) -> Puzzles:
    """Lay every thing's gap, decoys and piece on its ground; see `pick_layers`."""
    return _Puzzle(layers, options, dice).painted()


class _Puzzle:
    """One batch, painted step by step on canvases padded by half a patch on every side."""

    def __init__(self, layers: Mapping[str, Tensor], options: SynthOptions, dice: Dice) -> None:
        self.layers, self.dice, self.rect = layers, dice, layers["rect"]
        self.look = {name: layers["look"][:, k] for k, name in enumerate(LOOK)}
        self.decoy_probability = options.decoy_probability
        self.has_gap = ~dice.chance(options.no_gap_probability)
        self.has_piece = ~dice.chance(options.no_piece_probability)
        gap_box, piece_box, _ = layers["box"].unbind(dim=1)
        self.place = draw_places(self.rect, gap_box, piece_box, dice)
        background = layers["background"]
        size = (len(self.rect), CANVAS_HEIGHT + PATCH, CANVAS_WIDTH + PATCH, 3)
        self.canvas = background.new_zeros(size)
        self.picture = self.canvas[:, HALF:-HALF, HALF:-HALF]
        dim = torch.where(self.has_gap, self.look["dim"], 1.0)
        torch.mul(background, per_picture(dim, background), out=self.picture)
        inside = (layers["cover"] > 127).to(background.dtype)
        self.on_gap, self.on_piece = inside[..., :1], inside[..., 1:]

    def painted(self) -> Puzzles:
        look, place = self.look, self.place
        contour, scale, share = self.layers["contour"], look["scale"], look["share"]
        contours = Contours(self.picture, contour, place, scale, share)
        bare = self.canvas[window(place.gap_xy)], self.canvas[window(place.piece_xy)]
        textures = spread(bare[0], self.on_gap), spread(bare[1], self.on_piece)
        self._add_decoys()
        gap_change = self._add_gap(bare[0], textures[0])
        piece_change = self._add_piece(bare[1])
        shares = contours.shares(self.picture)
        gap_seen = gap_change >= share * _asked(textures[0])
        gap_seen &= shares[:, 0] >= CONTOUR_SHARE * share
        piece_seen = (piece_change >= _asked(textures[1])) & (shares[:, 1] >= CONTOUR_SHARE)
        # A piece to the right of its gap is known by its texture alone.
        told = (place.piece_xy <= place.gap_xy)[:, 0] | (textures[0] >= TELLING_TEXTURE)
        good = place.fits & (gap_seen | ~self.has_gap) & (piece_seen | ~self.has_piece)
        good &= told | ~(self.has_gap & self.has_piece)
        return Puzzles(self.picture, self.rect, self._truth(), good)

    def _add_decoys(self) -> None:
        """To the first pictures of the batch, which are in no order."""
        gap_box, piece_box, other_box = self.layers["box"].unbind(dim=1)
        place = self.place
        taken = [moved(gap_box, place.gap_xy), moved(piece_box, place.piece_xy)]
        both = self.has_gap & self.has_piece  # else nothing tells a decoy from a gap
        for share in _DECOYS:
            count = round(share * self.decoy_probability * len(both))
            dice, taken = self.dice.first(count), [box[:count] for box in taken]
            on_row, alike = dice.chance(_ON_ROW), dice.chance(_ALIKE)
            box = torch.where(alike[:, None], gap_box[:count], other_box[:count])
            gap_xy = place.gap_xy[:count]
            placed, found = draw_decoy(self.rect[:count], box, on_row, gap_xy, taken, dice)
            strength = torch.where(on_row & alike, dice.uniform(0.3, 0.6), dice.uniform(0.6, 1))
            self._add_decoy(placed, alike, strength * (both[:count] & found))
            nowhere = torch.full_like(box, -1e4)
            taken.append(torch.where(found[:, None], moved(box, placed), nowhere))

    def _add_decoy(self, placed: Tensor, alike: Tensor, strength: Tensor) -> None:
        count, like_gap = len(placed), alike.reshape(-1, 1, 1, 1)
        planes = torch.where(like_gap, self.layers["gap"][:count], self.layers["other"][:count])
        planes = planes * per_picture(strength, planes)
        at = window(placed)
        after = torch.addcmul(planes[..., :3], self.canvas[at], 1 + planes[..., 3:])
        self.canvas[at] = after.clamp_(0, 255)

    def _add_gap(self, before: Tensor, texture: Tensor) -> Tensor:
        """Returns the mean change of its pixels."""
        planes = self.layers["gap"] * per_picture(self.has_gap, before)
        after = torch.addcmul(planes[..., :3], before, 1 + planes[..., 3:])
        after = self._made_visible(before, after, texture).clamp_(0, 255)
        self.canvas[window(self.place.gap_xy)] = after
        return change(before, after, self.on_gap)

    def _made_visible(self, before: Tensor, after: Tensor, texture: Tensor) -> Tensor:
        """As `train.synth.gaps`: darkened or lightened further where it hardly differs."""
        floor = self.look["share"] * (MIN_CONTRAST_OF_TEXTURE * texture).clamp(
            MIN_CONTRAST, MAX_FLOOR
        )
        contrast, brightness = change(before, after, self.on_gap), mean(after, self.on_gap)
        dark = brightness > 90
        room = torch.where(dark, brightness, 255 - brightness).clamp(min=1)
        wanted = (contrast < floor) & self.has_gap & (self.look["outlined"] == 0)
        share = ((floor - contrast + 4) / room).clamp(0, 0.9) * wanted
        weight = per_picture(share / 255, after) * self.layers["cover"][..., :1]
        return torch.lerp(after, per_picture(torch.where(dark, 0.0, 255.0), after), weight)

    def _add_piece(self, bare: Tensor) -> Tensor:
        """Returns the mean change of its pixels from the bare picture's."""
        planes = self.layers["piece"] * per_picture(self.has_piece, bare)
        at = window(self.place.piece_xy)
        after = torch.addcmul(planes[..., :3], self.canvas[at], 1 + planes[..., 3:4])
        after.addcmul_(planes[..., 4:], self._content()).clamp_(0, 255)
        self.canvas[at] = after
        return change(bare, after, self.on_piece)

    def _content(self) -> Tensor:
        """What the piece was cut from, turned where the gap is; the nearest pixels."""
        background, gap_xy = self.layers["background"], self.place.gap_xy
        steps = torch.arange(PATCH, device=gap_xy.device, dtype=torch.float32) - HALF
        dy, dx = steps[:, None], steps[None, :]
        cos, sin = (self.look[name].reshape(-1, 1, 1) for name in ("cos", "sin"))
        gap_x, gap_y = (gap_xy[:, k].reshape(-1, 1, 1) for k in (0, 1))
        x, y = gap_x + cos * dx + sin * dy, gap_y - sin * dx + cos * dy
        each = torch.arange(len(gap_xy), device=gap_xy.device)[:, None, None]
        columns = x.round().long().clamp(0, CANVAS_WIDTH - 1)
        return background[each, y.round().long().clamp(0, CANVAS_HEIGHT - 1), columns]

    def _truth(self) -> Tensor:
        look, has_gap, has_piece = self.look, self.has_gap, self.has_piece
        known = (look["has_angle"] > 0) & has_gap & has_piece
        return torch.stack(
            [
                *(self.place.gap_xy * has_gap[:, None]).T,
                *(self.place.piece_xy * has_piece[:, None]).T,
                *(has_gap, has_piece),
                *(look["sin"], look["cos"], known),
                torch.zeros_like(look["sin"]),  # not ambiguous
                *(look["size"], look["scale"], look["scale"]),
            ],
            dim=1,
        )


def _asked(texture: Tensor) -> Tensor:
    """Grey levels by which an object must change pixels of that spread."""
    return (DISGUISE_OF_SPREAD * texture).clamp(LEAST_CHANGE, MOST_DISGUISE)
