"""Training configuration: strict, frozen, the one place for every default.

Keys are those of the configuration document; an unknown key, a wrong type or a value out of range
is one `ConfigError` line that names the key, the value and what is allowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Blocks = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(gt=0, lt=1)]
Range = tuple[float, float]


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _type_or(default: str) -> Callable[[Any], str | None]:
    """Reads a section's `type`, so that overriding another key of it does not need one."""

    def read(section: Any) -> str | None:
        if isinstance(section, dict):
            return str(section.get("type", default))
        return getattr(section, "type", None)

    return read


class ModelConfig(_Strict):
    """The network. A stage lists its units; a unit gives the blocks of each branch, finest first.

    `row_context` tells cells their rows' maxima, `row_attention` compares them with the other cells
    of their row; `point_branch` adds a 1×1 branch to every block in
    training (no cost once folded, about a quarter more time while training). `dropout` is the share
    of the fused features' channels that the head does not see in a training step.
    """

    kind: Literal["edge"] = "edge"
    widths: tuple[Count, Count, Count, Count] = (16, 32, 96, 256)
    stem_width: Count = 16
    stage2: Annotated[tuple[tuple[Blocks, Blocks], ...], Field(min_length=1)] = ((2, 2),)
    stage3: Annotated[tuple[tuple[Blocks, Blocks, Blocks], ...], Field(min_length=1)] = ((1, 1, 2),)
    stage4: Annotated[tuple[tuple[Blocks, Blocks, Blocks, Blocks], ...], Field(min_length=1)] = (
        (1, 1, 2, 2),
        (1, 2, 2, 1),
    )
    fpn_width: Count = 32
    row_context: bool = True
    row_attention: bool = True
    point_branch: bool = False
    dropout: Fraction = 0.0


class AdamWConfig(_Strict):
    type: Literal["AdamW"] = "AdamW"
    lr: Positive = 3e-4
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.05


class SgdConfig(_Strict):
    type: Literal["SGD"] = "SGD"
    lr: Positive = 0.05
    momentum: Fraction = 0.9
    nesterov: bool = True
    weight_decay: NonNegative = 1e-4

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SgdConfig:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self


OptimizerConfig = Annotated[
    Annotated[AdamWConfig, Tag("AdamW")] | Annotated[SgdConfig, Tag("SGD")],
    Discriminator(_type_or("AdamW")),
]


class _Warmup(_Strict):
    """Every schedule starts with a linear warm-up from `warmup_lr`; epochs may be fractions."""

    warmup_epochs: NonNegative = 5
    warmup_lr: Positive = 1e-5


class WarmRestartsConfig(_Warmup):
    """Cosines of T_0, T_0·T_mult, … epochs, each from the full rate down to `eta_min`."""

    type: Literal["CosineAnnealingWarmRestarts"] = "CosineAnnealingWarmRestarts"
    T_0: Count = 10
    T_mult: Count = 2
    eta_min: NonNegative = 3e-6


class CosineConfig(_Warmup):
    """One cosine from the warm-up's end to the run's last step."""

    type: Literal["CosineAnnealingLR"] = "CosineAnnealingLR"
    eta_min: NonNegative = 3e-6


class StepConfig(_Warmup):
    """The rate times `gamma` every `step_size` epochs."""

    type: Literal["StepLR"] = "StepLR"
    step_size: Count = 30
    gamma: Factor = 0.1


class ExponentialConfig(_Warmup):
    """The rate times `gamma` every epoch."""

    type: Literal["ExponentialLR"] = "ExponentialLR"
    gamma: Factor = 0.97


class PlateauConfig(_Warmup):
    """The rate times `factor` once the validation MAE has not improved for `patience` epochs."""

    type: Literal["ReduceLROnPlateau"] = "ReduceLROnPlateau"
    factor: Factor = 0.5
    patience: Annotated[int, Field(ge=0)] = 5
    min_lr: NonNegative = 3e-6


SchedulerConfig = Annotated[
    Annotated[WarmRestartsConfig, Tag("CosineAnnealingWarmRestarts")]
    | Annotated[CosineConfig, Tag("CosineAnnealingLR")]
    | Annotated[StepConfig, Tag("StepLR")]
    | Annotated[ExponentialConfig, Tag("ExponentialLR")]
    | Annotated[PlateauConfig, Tag("ReduceLROnPlateau")],
    Discriminator(_type_or("CosineAnnealingWarmRestarts")),
]


class EmaConfig(_Strict):
    enabled: bool = True
    decay: Fraction = 0.9997
    update_interval: Count = 1


class AugmentationConfig(_Strict):
    """What is varied anew every time a picture is shown; 0, or a range of no width, switches off.

    Geometry in degrees, factors and canvas pixels; colours as fractions (hue of the colour circle);
    noise as a fraction of the full scale, blur as the gaussian's sigma in canvas pixels. The last
    four are probabilities that the generator follows when it draws pictures for training.
    """

    enabled: bool = True
    random_rotate: Range = (-5.0, 5.0)
    random_scale: Range = (0.9, 1.1)
    random_translate: Range = (-10.0, 10.0)
    brightness: Fraction = 0.2
    contrast: Fraction = 0.2
    saturation: Fraction = 0.2
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    gaussian_noise: Fraction = 0.01
    gaussian_blur: Range = (0.0, 2.0)
    confusing_gap_prob: Share = 0.3
    perlin_noise_prob: Share = 0.2
    gap_rotation_prob: Share = 0.1
    gap_highlight_prob: Share = 0.1

    @model_validator(mode="after")
    def _ranges_rise(self) -> AugmentationConfig:
        for name in ("random_rotate", "random_scale", "random_translate", "gaussian_blur"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: expected low <= high, got [{low}, {high}]")
        if self.random_scale[0] <= 0 or self.gaussian_blur[0] < 0:
            raise ValueError("random_scale must be above 0 and gaussian_blur not below it")
        return self


class TrainingConfig(_Strict):
    """`batch_size` is one process's; None takes it from the GPU's memory (8 without one).

    A step averages the gradients of `accumulation_steps` batches. `amp` is float16 with a gradient
    scaler on CUDA, bfloat16 on a CPU that computes it. `threads` None leaves torch's own choice.
    """

    optimizer: OptimizerConfig = AdamWConfig()
    scheduler: SchedulerConfig = WarmRestartsConfig()
    batch_size: Count | None = 16
    accumulation_steps: Count = 1
    num_epochs: Count = 155
    gradient_clip: Positive = 1.0
    ema: EmaConfig = EmaConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    amp: bool = False
    threads: Count | None = None

    @model_validator(mode="after")
    def _rates_start_and_end_below_the_full_one(self) -> TrainingConfig:
        for name in ("warmup_lr", "eta_min", "min_lr"):
            rate, full = getattr(self.scheduler, name, 0.0), self.optimizer.lr
            if rate > full:
                raise ValueError(f"scheduler.{name} = {rate}: more than optimizer.lr = {full}")
        return self


class HeatmapLossConfig(_Strict):
    type: Literal["FocalLoss"] = "FocalLoss"
    alpha: NonNegative = 2.0
    beta: NonNegative = 4.0
    weight: NonNegative = 1.0


class OffsetLossConfig(_Strict):
    type: Literal["L1Loss"] = "L1Loss"
    weight: NonNegative = 1.0


class LocationLossConfig(_Strict):
    """Cross-entropy over the cells of a map: which one, rather than how sure."""

    type: Literal["CrossEntropyLoss"] = "CrossEntropyLoss"
    weight: NonNegative = 0.5


class AngleLossConfig(_Strict):
    type: Literal["L1Loss"] = "L1Loss"
    weight: NonNegative = 0.5


class LossConfig(_Strict):
    heatmap: HeatmapLossConfig = HeatmapLossConfig()
    location: LocationLossConfig = LocationLossConfig()
    offset: OffsetLossConfig = OffsetLossConfig()
    angle: AngleLossConfig = AngleLossConfig()


class ValidationConfig(_Strict):
    """Every how many epochs to validate (the last epoch always does)."""

    interval: Count = 1


class CheckpointsConfig(_Strict):
    """`epoch_NNN.pth` every `save_interval` epochs, the newest `keep_last` of them kept;
    `last.pth` after every epoch, every `save_minutes` and on interruption; `best_model.pth` (the
    lowest validation MAE) where `save_best` is set.
    """

    save_dir: str = "checkpoints"
    save_interval: Count = 1
    keep_last: Count = 5
    save_best: bool = True
    save_minutes: Positive = 30.0


class MonitorConfig(_Strict):
    """`report_interval`: steps between two lines of the log and two points of TensorBoard.

    `image_interval` and `histogram_interval` are in epochs; 0 writes none.
    """

    report_interval: Count = 50
    tensorboard: bool = True
    image_interval: Annotated[int, Field(ge=0)] = 10
    histogram_interval: Annotated[int, Field(ge=0)] = 10


class DataConfig(_Strict):
    """Where pictures come from.

    Without `dataset` they are generated as they are needed, over the photographs in the folder
    `backgrounds` and procedural backgrounds. `leave_out` names style families that are never
    shown; `plain_share` is the share of pictures that show nothing but the gap and the piece.

    With `dataset`, a folder with a COCO-keypoints `annotations.json` (or that file), its pictures
    are shown `pictures_per_epoch` at a time (None: all of them), shuffled anew every epoch;
    `validation_dataset` is then needed as well. `cache` keeps decoded canvases: in memory as far as
    `cache_gib` goes.

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
    canvas_scale: Literal[1, 2] = 1

    @model_validator(mode="after")
    def _one_source(self) -> DataConfig:
        if (self.dataset is None) != (self.validation_dataset is None):
            raise ValueError("dataset and validation_dataset go together")
        generator_only = ("backgrounds", "leave_out", "plain_share")
        if self.dataset is not None and any(getattr(self, name) for name in generator_only):
            raise ValueError(
                f"a dataset is not generated: {', '.join(generator_only)} do not apply"
            )
        return self


class Config(_Strict):
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    loss: LossConfig = LossConfig()
    validation: ValidationConfig = ValidationConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()
    monitor: MonitorConfig = MonitorConfig()
    data: DataConfig = DataConfig()


class _Loader(yaml.SafeLoader):
    """YAML whose floats may be written 3e-4, which YAML 1.1 takes for a string."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_config(values: Any) -> Config:
    """Validates plain nested values (dicts, lists, scalars) into a `Config`.

    Raises:
        ConfigError: an unknown key or a value that is not allowed.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"config: expected a mapping of sections, got {values!r}")
    try:
        # Through JSON, whose strict mode takes lists for tuples and nothing else for anything.
        return Config.model_validate_json(json.dumps(values, default=repr))
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from error


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a YAML file of overrides over the defaults, then `a.b=value` overrides over both.

    Raises:
        ConfigError: the file cannot be read or says something that is not allowed.
    """
    try:
        values = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    values = {} if values is None else values
    for override in overrides:
        _apply(values, override)
    return parse_config(values)


def plain(config: Config) -> dict[str, Any]:
    """The configuration as nested dicts, lists and scalars; `parse_config` takes it back."""
    return config.model_dump(mode="json")


def dump_config(config: Config) -> str:
    """The whole configuration as YAML."""
    return yaml.safe_dump(plain(config), sort_keys=False)


def _apply(values: Any, override: str) -> None:
    key, equals, text = override.partition("=")
    *parents, leaf = key.split(".")
    if not equals or not all([*parents, leaf]):
        raise ConfigError(f"--set {override}: expected section.key=value")
    for name in parents:
        if not isinstance(values, dict):
            break
        values = values.setdefault(name, {})
    if not isinstance(values, dict):
        raise ConfigError(f"--set {override}: {'.'.join(parents)} is not a section")
    values[leaf] = yaml.load(text, Loader=_Loader)


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    # The location of a section of several types also carries the chosen type, which is no key.
    key = ".".join(str(part) for part in first["loc"] if part not in _TYPES)
    if first["type"] == "extra_forbidden":
        return f"{key} = {first['input']!r}: unknown key; allowed here: {_siblings(first['loc'])}"
    if first["type"] == "union_tag_invalid":
        return f"{key}.type = {first['ctx']['tag']!r}: expected {first['ctx']['expected_tags']}"
    if first["type"] == "union_tag_not_found":
        return f"{key} = {first['input']!r}: expected a mapping"
    if first["type"] == "value_error":  # from a section's own check, which names keys and values
        return f"{key}: {first['ctx']['error']}"
    return f"{key} = {first['input']!r}: {first['msg']}"


_TYPES: dict[int | str, type[BaseModel]] = {
    section.model_fields["type"].default: section
    for section in (
        AdamWConfig,
        SgdConfig,
        WarmRestartsConfig,
        CosineConfig,
        StepConfig,
        ExponentialConfig,
        PlateauConfig,
    )
}


def _siblings(location: tuple[int | str, ...]) -> str:
    section: type[BaseModel] = Config
    for part in location[:-1]:
        # A section of several types is not one class: the next part says which.
        annotation = _TYPES.get(part) or section.model_fields[str(part)].annotation
        if isinstance(annotation, type):
            section = annotation
    return ", ".join(section.model_fields)
