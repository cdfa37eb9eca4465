"""Paints one picture: background, gap, decoys, piece, furniture, wear and tear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from train.synth.background import choose_background
from train.synth.degrade import Degradation, degrade
from train.synth.families import allowed_families, draw_family
from train.synth.furniture import add_furniture
from train.synth.gaps import FAINT_SHARE, GapStyle, draw_gap_style, paint_gap
from train.synth.layout import Layout, draw_layout
from train.synth.patch import Plane, rasterise
from train.synth.photos import Backgrounds
from train.synth.pieces import PieceStyle, draw_piece_style, paint_piece
from train.synth.sample import Sample, SynthOptions
from train.synth.visible import stands_out

Picture = npt.NDArray[np.uint8]

# Raised whenever a change alters the pictures of a seed: fixed test sets name their version.
GENERATOR_VERSION = 3

_ATTEMPTS = 8
PAD_PX = 12  # room around a shape for glows and shadows
_NOISY_SIGMA = 5.0  # grey levels of noise from which a picture counts as "noise"
_FAINT_CONTRAST = 15.0  # grey levels below which a gap counts as "low-contrast"
TELLING_TEXTURE = 20.0  # grey levels of spread by which a piece's content is recognised
_EDGE_PX = 3.0  # a gap this near the border counts as "edge"


def render(
    seed: int,
    index: int,
    options: SynthOptions | None = None,
    backgrounds: Backgrounds | None = None,
) -> Sample:
    """Picture number `index` of the stream `seed`: the same bits in any process.

    A picture in which the gap or the piece cannot be seen is drawn anew: its label would be a lie.
    The eighth attempt is taken as it is.

    Args:
        seed, index: non-negative; every pair is an independent picture.
        options: what to draw; the training distribution by default.
        backgrounds: photographs to paint on; procedural backgrounds alone without.
    """
    scene, painted = draw_scene(seed, index, options or SynthOptions(), backgrounds)
    return scene.sample(painted)


def draw_scene(
    seed: int, index: int, options: SynthOptions, backgrounds: Backgrounds | None
) -> tuple[Scene, Painted]:
    """The scene of that picture and the picture; see `render`."""
    for attempt in range(_ATTEMPTS):
        sequence = np.random.SeedSequence([seed, index, attempt])
        scene = Scene(np.random.Generator(np.random.PCG64(sequence)), options, backgrounds)
        painted = scene.paint(scene.has_gap, scene.has_piece)
        if scene.is_visible(painted):
            break
    return scene, painted


@dataclass(frozen=True)
class Painted:
    """A finished picture, what was put on it, and the gap's contrast (grey levels)."""

    picture: Picture
    contrast: float
    furniture: list[str]
    wear: Degradation


class Scene:
    """All decisions about one picture, so that it can be painted with and without its objects."""

    def __init__(
        self, rng: np.random.Generator, options: SynthOptions, backgrounds: Backgrounds | None
    ) -> None:
        if rng.random() < options.plain_probability:
            options = options.plain()
        self.options = options
        width, height = _draw_size(rng, options)
        self.source, self.background = choose_background(
            rng, width, height, backgrounds, options.photo_probability
        )
        self.has_gap = bool(rng.random() >= options.no_gap_probability)
        self.has_piece = bool(rng.random() >= options.no_piece_probability)
        self.layout = draw_layout(rng, width, height, options, self.has_gap and self.has_piece)
        self.families = {
            kind: draw_family(rng, kind, options.leave_out, options.require)
            for kind in ("gap_fill", "gap_edge", "piece_edge", "piece_tone")
        }
        fill, edge = self.families["gap_fill"], self.families["gap_edge"]
        self.gap_style = draw_gap_style(rng, fill, edge, self.layout.size_px)
        edge, tone = self.families["piece_edge"], self.families["piece_tone"]
        self.piece_style = draw_piece_style(rng, edge, tone, self.layout.size_px)
        self.wants_furniture = rng.random() < options.furniture_probability
        self.furniture_below = rng.random() < 0.5
        self.wants_highlight = rng.random() < options.highlight_probability
        self.seeds = rng.integers(2**31, size=3).tolist()

    def ground(self) -> tuple[Picture, list[str]]:
        """What gap and piece are painted on, and the furniture that lies below them."""
        if not (self.wants_furniture and self.furniture_below):
            return self.source, []
        picture = self.source.copy()
        return picture, self._furnish(picture)

    def paint(self, gap: bool, piece: bool) -> Painted:
        """The picture with or without its gap (and decoys) and its piece, all else equal."""
        highlight_rng, wear_rng = (np.random.default_rng(seed) for seed in self.seeds[1:])
        source, furniture = self.ground()
        picture = source.copy()
        if self.has_gap and self.gap_style.dim < 1:
            np.multiply(picture, self.gap_style.dim, out=picture, casting="unsafe")
        contrast = _paint_gaps(picture, self.layout, self.gap_style) if gap else 255.0
        if self.has_gap and self.wants_highlight:
            highlight(highlight_rng, picture, self.layout.gap_xy, self.layout.size_px)
        if piece:
            _paint_slider(picture, source, self.layout, self.piece_style)
        if self.wants_furniture and not self.furniture_below:
            furniture = self._furnish(picture)
        options = self.options
        picture, wear = degrade(wear_rng, picture, options.degradations, options.perlin_probability)
        return Painted(picture, contrast, furniture, wear)

    def _furnish(self, picture: Picture) -> list[str]:
        rng, options = np.random.default_rng(self.seeds[0]), self.options
        allowed = allowed_families("furniture", options.leave_out, options.require)
        return add_furniture(rng, picture, allowed, self._boxes())

    def _boxes(self) -> list[tuple[float, float, float, float]]:
        """Tight boxes (x0, y0, x1, y1) of what furniture must leave visible."""
        layout = self.layout
        shown = [layout.gap_picture_xy] * self.has_gap + [layout.slider_picture_xy] * self.has_piece
        return [
            (float(o[:, 0].min()), float(o[:, 1].min()), float(o[:, 0].max()), float(o[:, 1].max()))
            for o in shown
        ]

    def is_visible(self, painted: Painted) -> bool:
        """Whether gap and piece can be seen in the finished picture and told from each other."""
        bare = self.paint(False, False).picture
        layout, faint = self.layout, self.families["gap_fill"] == "faint"
        objects = [(layout.gap_picture_xy, FAINT_SHARE if faint else 1.0)] * self.has_gap
        objects += [(layout.slider_picture_xy, 1.0)] * self.has_piece
        return self._roles_clear(bare) and all(
            stands_out(painted.picture, bare, outline, painted.wear.noise_sigma, share)
            for outline, share in objects
        )

    def _roles_clear(self, bare: Picture) -> bool:
        """Whether a piece to the right of its gap shows texture, by which alone it is known.

        Pieces start at the left: where nothing else tells which of two alike shapes is the piece,
        the left one is."""
        layout = self.layout
        both = self.has_gap and self.has_piece
        if not both or layout.slider_xy[0] <= layout.gap_xy[0]:
            return True
        height, width = bare.shape[:2]
        window = rasterise(layout.gap_picture_xy, width, height, 0).window
        return bool(bare[window].std(axis=(0, 1)).mean() >= TELLING_TEXTURE)

    def sample(self, painted: Painted) -> Sample:
        """The picture with its truth."""
        layout, shape = self.layout, self.source.shape[:2]
        angle_known = self.has_gap and self.has_piece and layout.angle_defined
        families = {
            **self.families,
            "shape": layout.shape,
            "background": self.background,
            "furniture": "+".join(painted.furniture),
            "effects": "+".join(painted.wear.names),
        }
        difficulty = _difficulty(layout, self.has_gap, self.has_piece, painted, shape)
        return Sample(
            picture=painted.picture,
            gap_picture_xy=_point(layout.gap_xy) if self.has_gap else None,
            slider_picture_xy=_point(layout.slider_xy) if self.has_piece else None,
            angle_deg=layout.angle_deg if angle_known else None,
            difficulty=difficulty,
            families=families,
            piece_size_px=layout.size_px,
            outlines_picture_xy={
                "gap": (layout.gap_picture_xy,) * self.has_gap,
                "slider": (layout.slider_picture_xy,) * self.has_piece,
                "decoy": tuple(d.outline_picture_xy for d in layout.decoys) * self.has_gap,
            },
        )


def _draw_size(rng: np.random.Generator, options: SynthOptions) -> tuple[int, int]:
    low, high = options.width_px
    width = round(low * (high / low) ** rng.random())
    return width, max(1, round(width / rng.uniform(*options.aspect)))


def _point(xy: npt.NDArray[np.float64]) -> tuple[float, float]:
    return float(xy[0]), float(xy[1])


def _paint_gaps(picture: Picture, layout: Layout, style: GapStyle) -> float:
    """Paint decoys and gap; the gap's contrast."""
    height, width = picture.shape[:2]
    for decoy in layout.decoys:
        patch = rasterise(decoy.outline_picture_xy, width, height, PAD_PX)
        paint_gap(picture, patch, style, decoy.strength)
    return paint_gap(picture, rasterise(layout.gap_picture_xy, width, height, PAD_PX), style)


def _paint_slider(picture: Picture, source: Picture, layout: Layout, style: PieceStyle) -> None:
    height, width = picture.shape[:2]
    patch = rasterise(layout.slider_picture_xy, width, height, PAD_PX)
    cos, sin = np.cos(np.radians(layout.angle_deg)), np.sin(np.radians(layout.angle_deg))
    rotation = np.array([[cos, sin], [-sin, cos]])  # anticlockwise as seen, y down
    offset = layout.gap_xy - rotation @ layout.slider_xy
    paint_piece(picture, source, patch, style, np.column_stack([rotation, offset]))


def highlight(
    rng: np.random.Generator, picture: Picture, gap_xy: npt.NDArray[np.float64], size_px: float
) -> None:
    """A soft bright spot at or near the gap, in place.

    picture: u8 [H, W, 3]; gap_xy: f64 [2] and size_px in its pixels.
    """
    height, width = picture.shape[:2]
    x, y = gap_xy + rng.normal(0, 0.6 * size_px, size=2)
    radius = size_px * rng.uniform(0.4, 1.2)
    dx = (np.arange(width, dtype=np.float32) - np.float32(x)) / np.float32(radius)
    dy = (np.arange(height, dtype=np.float32) - np.float32(y)) / np.float32(radius)
    weight: Plane = np.exp(-(dx * dx))[None, :] * np.exp(-(dy * dy))[:, None]
    weight *= np.float32(rng.uniform(0.2, 0.6))
    picture[:] = (picture + weight[..., None] * (255 - picture.astype(np.float32))).astype(np.uint8)


def _difficulty(
    layout: Layout, has_gap: bool, has_piece: bool, painted: Painted, shape: tuple[int, ...]
) -> str:
    """The first of `DIFFICULTIES` that applies."""
    outline = layout.gap_picture_xy
    margin = min(
        outline.min(), shape[1] - 1 - outline[:, 0].max(), shape[0] - 1 - outline[:, 1].max()
    )
    tests = {
        "negative": not has_gap,
        "ambiguous": layout.ambiguous,
        "confusing": bool(layout.decoys),
        "rotated": has_piece and layout.angle_deg != 0,
        "noise": painted.wear.noise_sigma >= _NOISY_SIGMA,
        "low-contrast": painted.contrast < _FAINT_CONTRAST,
        "edge": margin < _EDGE_PX,
        "normal": True,
    }
    return next(name for name, applies in tests.items() if applies)
