"""The other sections, and the whole of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from train.config.strict import (
    Blocks,
    Count,
    Even,
    Fraction,
    NonNegative,
    Part,
    Positive,
    Range,
    Share,
    Strict,
    type_or,
)
from train.config.training import TrainingConfig


class EdgeConfig(Strict):
    """The network. A stage lists its units; a unit gives the blocks of each branch, finest first.

    `row_context` tells cells their rows' maxima, `row_attention` compares them with the other cells
    of their row; `point_branch` adds a 1×1 branch to every block in
    training (no cost once folded, about a quarter more time while training). `dropout` is the share
    of the fused features' channels that the head does not see in a training step.

    Without `batch_norm` a CPU trains 1.7 times as many pictures a second. Nothing keeps features in
    scale then: for weights that are there already (`--weights`, whose norms are absorbed), and a
    lower learning rate.
    """

    kind: Literal["edge"] = "edge"
    widths: tuple[Count, Count, Count, Count] = (16, 48, 128, 192)
    stem_width: Count = 16
    stage2: Annotated[tuple[tuple[Blocks, Blocks], ...], Field(min_length=1)] = ((1, 2),)
    stage3: Annotated[tuple[tuple[Blocks, Blocks, Blocks], ...], Field(min_length=1)] = ((0, 1, 3),)
    stage4: Annotated[tuple[tuple[Blocks, Blocks, Blocks, Blocks], ...], Field(min_length=1)] = (
        (0, 1, 2, 2),
        (0, 1, 2, 0),
    )
    fpn_width: Count = 64
    row_context: bool = True
    row_attention: bool = True
    point_branch: bool = False
    batch_norm: bool = True
    dropout: Fraction = 0.0


class PaperConfig(Strict):
    """Lite-HRNet-18's blocks instead, beside which the `edge` kind is measured.

    `modules` of stages 2 to 4, each of `blocks` conditional blocks and an exchange. The widths give
    the whole network the reference's number of parameters.
    """

    kind: Literal["paper"] = "paper"
    widths: tuple[Even, Even, Even, Even] = (64, 128, 256, 512)
    stem_width: Even = 32
    modules: tuple[Count, Count, Count] = (2, 4, 2)
    blocks: Count = 2
    fpn_width: Count = 96
    batch_norm: bool = True
    dropout: Fraction = 0.0


class HeatmapLossConfig(Strict):
    type: Literal["FocalLoss"] = "FocalLoss"
    alpha: NonNegative = 2.0
    beta: NonNegative = 4.0
    weight: NonNegative = 1.0


class OffsetLossConfig(Strict):
    type: Literal["L1Loss"] = "L1Loss"
    weight: NonNegative = 1.0


class LocationLossConfig(Strict):
    """Cross-entropy over the cells of a map: which one, rather than how sure."""

    type: Literal["CrossEntropyLoss"] = "CrossEntropyLoss"
    weight: NonNegative = 1.0


class ExpectedErrorConfig(Strict):
    """How far off the decode is expected to be; for the last pictures of a training, whose points
    are mostly found."""

    type: Literal["GemanMcClure"] = "GemanMcClure"
    weight: NonNegative = 0.0


class AngleLossConfig(Strict):
    """With `L1Loss`, the document's, the best answer without a hint is the median: "not turned", as
    long as most gaps are not. With `MSELoss` it is the mean, which every hint moves."""

    type: Literal["L1Loss", "MSELoss"] = "L1Loss"
    weight: NonNegative = 0.5

    @property
    def power(self) -> int:
        """Of the difference, in the loss."""
        return 2 if self.type == "MSELoss" else 1


class ShapeLossConfig(Strict):
    """How much of each cell the gap, the piece and the decoys cover; of known outlines alone."""

    type: Literal["BCEWithLogitsLoss"] = "BCEWithLogitsLoss"
    weight: NonNegative = 3.0


class CentreLossConfig(Strict):
    """Where the gap's and the piece's point lies, said by every cell of the shape."""

    type: Literal["L1Loss"] = "L1Loss"
    weight: NonNegative = 1.0


class LossConfig(Strict):
    """The loss is the sum of these, each times its `weight`; 0 switches one off."""

    heatmap: HeatmapLossConfig = HeatmapLossConfig()
    location: LocationLossConfig = LocationLossConfig()
    expected: ExpectedErrorConfig = ExpectedErrorConfig()
    offset: OffsetLossConfig = OffsetLossConfig()
    angle: AngleLossConfig = AngleLossConfig()
    shape: ShapeLossConfig = ShapeLossConfig()
    centre: CentreLossConfig = CentreLossConfig()


class ValidationConfig(Strict):
    """Every how many epochs to validate (the last epoch always does)."""

    interval: Count = 1


class CheckpointsConfig(Strict):
    """`epoch_NNN.pth` every `save_interval` epochs, the newest `keep_last` of them kept;
    `last.pth` after every epoch, every `save_minutes` and on interruption; `best_model.pth` (the
    lowest validation MAE) where `save_best` is set.
    """

    save_dir: str = "checkpoints"
    save_interval: Count = 1
    keep_last: Count = 5
    save_best: bool = True
    save_minutes: Positive = 30.0


class MonitorConfig(Strict):
    """`report_interval`: steps between two lines of the log and two points of TensorBoard.

    `image_interval` and `histogram_interval` are in epochs; 0 writes none.
    """

    report_interval: Count = 50
    tensorboard: bool = True
    image_interval: Annotated[int, Field(ge=0)] = 10
    histogram_interval: Annotated[int, Field(ge=0)] = 10


class EmphasisConfig(Strict):
    """`share` of the training pictures: with these style families, pieces of these heights (as
    fractions of the picture's; None: of any), `no_gap` of them without a gap, `overlapping` with
    the piece partly over it, `right` of the pieces away from the left edge right of it, `flush` of
    those near that edge touching it, `deep_blanks` of the jigsaw pieces with blanks as deep as tabs
    are long (None: as usual). `finish` is what is done to them then, by how much, as in
    testsets.toml: `page: [1.15, 1.5]` puts them on a page of that many times their size. (What
    `compose` lays together is not.)
    """

    share: Share
    require: tuple[str, ...] = ()
    piece_height: Range | None = None
    no_gap: Share | None = None
    overlapping: Share | None = None
    right: Share | None = None
    flush: Share | None = None
    deep_blanks: Share | None = None
    finish: dict[str, Range] = Field(default_factory=dict)


class ComposeConfig(Strict):
    """`share` of every batch is composed: gaps and pieces of some generated pictures laid on the
    backgrounds of others, on the training's device, which takes no time of the cores' that draw
    (`processes`; None: all but one). `gib` GiB of the device's memory keep what was drawn last.
    The augmentation's blur, noise, highlights and flips do not apply: what is composed is worn as
    the generator's pictures are, and mirrored by itself.
    """

    share: Share = 0.6
    gib: Positive = 1.0
    processes: Count | None = None


class DataConfig(Strict):
    """Where pictures come from.

    Without `dataset` they are generated as they are needed, over the photographs in the folder
    `backgrounds` and procedural backgrounds. `leave_out` names style families that are never
    shown; `plain_share` is the share of pictures that show nothing but the gap and the piece;
    `emphases` take their shares of the training pictures, the rest being of any style.
    `distinct_pictures` of them are made and then shown again and again, augmented anew (None: every
    one is another); with `cache`, they cost their time once. `hardest_share` of these alone are
    shown: a sixth of them at random, the others those with the largest losses for the weights that
    the run starts from.

    With `dataset`, a folder with a COCO-keypoints `annotations.json` (or that file), its pictures
    are shown `pictures_per_epoch` at a time (None: all of them), shuffled anew every epoch;
    `validation_dataset` is then needed as well. `cache` keeps decoded canvases: in memory as far as
    `cache_gib` goes.

    With `compose`, new puzzles are put together of what is generated: for a GPU, which learns
    faster than cores draw. Which pictures are shown then depends on their speed: no two runs
    are alike.

    `canvas_scale` 2 halves the canvas: four times as many pictures a second for a first phase.
    `workers` is the number of processes that make pictures (0: none but the training's own; None:
    from the number of cores).
    """

    dataset: str | None = None
    validation_dataset: str | None = None
    cache: bool = False
    cache_gib: Positive = 4.0
    pictures_per_epoch: Count | None = None
    validation_pictures: Count = 1_000
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    workers: Annotated[int, Field(ge=0)] | None = None
    backgrounds: str | None = None
    leave_out: tuple[str, ...] = ()
    plain_share: Share = 0.0
    emphases: tuple[EmphasisConfig, ...] = ()
    distinct_pictures: Count | None = None
    hardest_share: Part | None = None
    compose: ComposeConfig | None = None
    canvas_scale: Literal[1, 2] = 1

    @model_validator(mode="after")
    def _one_source(self) -> DataConfig:
        if (self.dataset is None) != (self.validation_dataset is None):
            raise ValueError("dataset and validation_dataset go together")
        generator_only = (
            "backgrounds",
            "leave_out",
            "plain_share",
            "emphases",
            "distinct_pictures",
            "hardest_share",
            "compose",
        )
        if self.dataset is not None and any(getattr(self, name) for name in generator_only):
            raise ValueError(
                f"a dataset is not generated: {', '.join(generator_only)} do not apply"
            )
        return self

    @model_validator(mode="after")
    def _fresh_or_again(self) -> DataConfig:
        if self.compose is not None and self.distinct_pictures is not None:
            raise ValueError("compose makes new pictures: distinct_pictures does not apply")
        if self.hardest_share is not None and self.distinct_pictures is None:
            raise ValueError("hardest_share is a share of distinct_pictures: say how many")
        return self

    @model_validator(mode="after")
    def _shares_fit(self) -> DataConfig:
        together = sum(emphasis.share for emphasis in self.emphases)
        if together > 1 + 1e-9:
            raise ValueError(f"emphases: their shares make {together:g}, more than 1")
        return self


ModelConfig = Annotated[
    Annotated[EdgeConfig, Tag("edge")] | Annotated[PaperConfig, Tag("paper")],
    Discriminator(type_or("edge", "kind")),
]


class Config(Strict):
    model: ModelConfig = EdgeConfig()
    training: TrainingConfig = TrainingConfig()
    loss: LossConfig = LossConfig()
    validation: ValidationConfig = ValidationConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()
    monitor: MonitorConfig = MonitorConfig()
    data: DataConfig = DataConfig()
