"""Training configuration: strict, frozen, the one place for every default.

Keys are those of the configuration document; an unknown key, a wrong type or a value out of range
is one `ConfigError` line that names the key, the value and what is allowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Blocks = Annotated[int, Field(ge=0)]


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ModelConfig(_Strict):
    """The network. A stage lists its units; a unit gives the blocks of each branch, finest first.

    `row_context` tells cells their rows' maxima, `row_attention` compares them with the other cells
    of their row; `point_branch` adds a 1×1 branch to every block in
    training (no cost once folded, about a quarter more time while training).
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


class OptimizerConfig(_Strict):
    type: Literal["AdamW"] = "AdamW"
    lr: Positive = 3e-4
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.05


class _Warmup(_Strict):
    eta_min: NonNegative = 3e-6
    warmup_epochs: NonNegative = 5
    warmup_lr: NonNegative = 1e-5


class WarmRestartsConfig(_Warmup):
    type: Literal["CosineAnnealingWarmRestarts"] = "CosineAnnealingWarmRestarts"
    T_0: Count = 10
    T_mult: Count = 2


class CosineConfig(_Warmup):
    """One cosine from the warm-up's end to the run's last step."""

    type: Literal["CosineAnnealingLR"] = "CosineAnnealingLR"


SchedulerConfig = Annotated[WarmRestartsConfig | CosineConfig, Field(discriminator="type")]


class EmaConfig(_Strict):
    enabled: bool = True
    decay: Fraction = 0.9997
    update_interval: Count = 1


class TrainingConfig(_Strict):
    """`amp` is bfloat16 autocast; `threads` None leaves torch's own choice."""

    optimizer: OptimizerConfig = OptimizerConfig()
    scheduler: SchedulerConfig = WarmRestartsConfig()
    batch_size: Count = 16
    num_epochs: Count = 155
    gradient_clip: Positive = 1.0
    ema: EmaConfig = EmaConfig()
    amp: bool = False
    threads: Count | None = None


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
    save_dir: str = "checkpoints"
    save_minutes: Positive = 10.0


class DataConfig(_Strict):
    """Pictures are generated as they are needed; `backgrounds` is a folder of photographs.

    `leave_out` names style families of the generator that training and validation never show.
    `workers` is the number of generating processes; 0 generates in the training process.
    """

    pictures_per_epoch: Count = 10_000
    validation_pictures: Count = 1_000
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    workers: Annotated[int, Field(ge=0)] = 1
    backgrounds: str | None = None
    leave_out: tuple[str, ...] = ()


class Config(_Strict):
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    loss: LossConfig = LossConfig()
    validation: ValidationConfig = ValidationConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()
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
    # A discriminated section's location carries the chosen type's name, which is no key.
    parts = [str(part) for part in first["loc"] if part not in _SCHEDULERS]
    key = ".".join(parts)
    if first["type"] == "extra_forbidden":
        return f"{key} = {first['input']!r}: unknown key; allowed here: {_siblings(first['loc'])}"
    return f"{key} = {first['input']!r}: {first['msg']}"


_SCHEDULERS: dict[str, type[BaseModel]] = {
    "CosineAnnealingWarmRestarts": WarmRestartsConfig,
    "CosineAnnealingLR": CosineConfig,
}


def _siblings(location: tuple[int | str, ...]) -> str:
    section: type[BaseModel] = Config
    for part in location[:-1]:
        if part in _SCHEDULERS:
            section = _SCHEDULERS[str(part)]
        elif part != "scheduler":
            annotation = section.model_fields[str(part)].annotation
            assert isinstance(annotation, type)
            section = annotation
    return ", ".join(section.model_fields)
