"""The section `training`: optimiser, schedule, moving average, augmentation."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Discriminator, Field, Tag, model_validator

from train.config.strict import (
    Count,
    Factor,
    Fraction,
    NonNegative,
    Positive,
    Range,
    Share,
    Strict,
    type_or,
)


class AdamWConfig(Strict):
    type: Literal["AdamW"] = "AdamW"
    lr: Positive = 3e-4
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.05


class SgdConfig(Strict):
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
    Discriminator(type_or("AdamW")),
]


class _Warmup(Strict):
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
    Discriminator(type_or("CosineAnnealingWarmRestarts")),
]


class EmaConfig(Strict):
    enabled: bool = True
    decay: Fraction = 0.9997
    update_interval: Count = 1


class AugmentationConfig(Strict):
    """What is varied anew every time a picture is shown; 0, or a range of no width, switches off.

    Geometry in degrees, factors and canvas pixels; colours as fractions (hue of the colour circle);
    noise as a fraction of the full scale, blur as the gaussian's sigma in canvas pixels.
    `vertical_flip_prob` is how often a picture is turned upside down, as in a mirror. The last four
    are probabilities that the generator follows when it draws pictures for training.
    """

    enabled: bool = True
    random_rotate: Range = (-5.0, 5.0)
    random_scale: Range = (0.9, 1.1)
    random_translate: Range = (-10.0, 10.0)
    vertical_flip_prob: Share = 0.0
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


NetworkPart = Literal["stem", "stage2", "stage3", "stage4", "fpn", "head", "angle", "shapes"]


class TrainingConfig(Strict):
    """`batch_size` is one process's; None takes it from the GPU's memory (8 without one).

    A step averages the gradients of `accumulation_steps` batches. `amp` is float16 with a gradient
    scaler on CUDA, bfloat16 on a CPU that computes it. `threads` None leaves torch's own choice.
    Parts of the network in `freeze` stay as they are, their batch norms' statistics too.
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
    freeze: tuple[NetworkPart, ...] = ()

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> TrainingConfig:
        if {*get_args(NetworkPart)} <= {*self.freeze}:
            raise ValueError("freeze: it names every part, nothing is left to train")
        return self

    @model_validator(mode="after")
    def _rates_start_and_end_below_the_full_one(self) -> TrainingConfig:
        for name in ("warmup_lr", "eta_min", "min_lr"):
            rate, full = getattr(self.scheduler, name, 0.0), self.optimizer.lr
            if rate > full:
                raise ValueError(f"scheduler.{name} = {rate}: more than optimizer.lr = {full}")
        return self
