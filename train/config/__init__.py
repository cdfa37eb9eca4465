"""Training configuration: strict, frozen, the one place for every default.

Keys are those of the configuration document; an unknown key, a wrong type or a value out of range
is one `ConfigError` line that names the key, the value and what is allowed. `sections` and
`training` hold the keys and their defaults, `files` reads YAML.
"""

from train.config.files import (
    ConfigError,
    dump_config,
    load_config,
    parse_config,
    plain,
)
from train.config.sections import (
    AngleLossConfig,
    CentreLossConfig,
    CheckpointsConfig,
    ComposeConfig,
    Config,
    DataConfig,
    EdgeConfig,
    EmphasisConfig,
    HeatmapLossConfig,
    LocationLossConfig,
    LossConfig,
    ModelConfig,
    MonitorConfig,
    OffsetLossConfig,
    PaperConfig,
    ShapeLossConfig,
    ValidationConfig,
)
from train.config.training import (
    AdamWConfig,
    AugmentationConfig,
    CosineConfig,
    EmaConfig,
    ExponentialConfig,
    OptimizerConfig,
    PlateauConfig,
    SchedulerConfig,
    SgdConfig,
    StepConfig,
    TrainingConfig,
    WarmRestartsConfig,
)

__all__ = [
    "AdamWConfig",
    "AngleLossConfig",
    "AugmentationConfig",
    "CentreLossConfig",
    "CheckpointsConfig",
    "ComposeConfig",
    "Config",
    "ConfigError",
    "CosineConfig",
    "DataConfig",
    "EdgeConfig",
    "EmaConfig",
    "EmphasisConfig",
    "ExponentialConfig",
    "HeatmapLossConfig",
    "LocationLossConfig",
    "LossConfig",
    "ModelConfig",
    "MonitorConfig",
    "OffsetLossConfig",
    "OptimizerConfig",
    "PaperConfig",
    "PlateauConfig",
    "SchedulerConfig",
    "SgdConfig",
    "ShapeLossConfig",
    "StepConfig",
    "TrainingConfig",
    "ValidationConfig",
    "WarmRestartsConfig",
    "dump_config",
    "load_config",
    "parse_config",
    "plain",
]
