from pathlib import Path

import pytest

import train
from train.config import (
    AdamWConfig,
    Config,
    ConfigError,
    EdgeConfig,
    PlateauConfig,
    SgdConfig,
    StepConfig,
    WarmRestartsConfig,
    dump_config,
    load_config,
    parse_config,
    plain,
)
from train.model import build_model

SHIPPED = sorted((Path(train.__file__).parent / "configs").glob("*.yaml"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_defaults_are_the_documented_ones() -> None:
    training = Config().training
    assert training.optimizer.model_dump() == {
        "type": "AdamW",
        "lr": 3e-4,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.05,
    }
    assert training.scheduler.model_dump() == {
        "type": "CosineAnnealingWarmRestarts",
        "T_0": 10,
        "T_mult": 2,
        "eta_min": 3e-6,
        "warmup_epochs": 5,
        "warmup_lr": 1e-5,
    }
    assert (training.batch_size, training.num_epochs, training.gradient_clip) == (16, 155, 1.0)
    assert training.ema.model_dump() == {"enabled": True, "decay": 0.9997, "update_interval": 1}
    assert (training.accumulation_steps, training.amp, Config().model.dropout) == (1, False, 0)
    assert training.augmentation.model_dump() == {
        "enabled": True,
        "random_rotate": (-5, 5),
        "random_scale": (0.9, 1.1),
        "random_translate": (-10, 10),
        "vertical_flip_prob": 0,
        "brightness": 0.2,
        "contrast": 0.2,
        "saturation": 0.2,
        "hue": 0.1,
        "gaussian_noise": 0.01,
        "gaussian_blur": (0, 2),
        "confusing_gap_prob": 0.3,
        "perlin_noise_prob": 0.2,
        "gap_rotation_prob": 0.1,
        "gap_highlight_prob": 0.1,
    }
    loss = Config().loss
    assert (loss.heatmap.alpha, loss.heatmap.beta, loss.heatmap.weight) == (2, 4, 1)
    assert (loss.offset.weight, loss.angle.weight) == (1, 0.5)
    assert (loss.location.weight, loss.shape.weight, loss.centre.weight) == (1, 3, 1)
    assert Config().validation.interval == 1
    kept = Config().checkpoints.model_dump(exclude={"save_dir"})
    assert kept == {"save_interval": 1, "keep_last": 5, "save_best": True, "save_minutes": 30}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_load(path: Path) -> None:
    assert load_config(path).training.num_epochs >= 1


def test_shipped_run_sees_enough_pictures() -> None:
    phases = [load_config(path) for path in SHIPPED if path.stem in {"half", "shipped"}]
    shown = sum((c.data.pictures_per_epoch or 0) * c.training.num_epochs for c in phases)
    assert len(phases) == 2
    assert shown >= 100_000


def test_round_trip_through_yaml(tmp_path: Path) -> None:
    config = load_config(SHIPPED[0], ["model.stage2=[[1, 3]]", "data.leave_out=[heart]"])
    assert config.model.stage2 == ((1, 3),)
    assert load_config(write(tmp_path, dump_config(config))) == config
    assert parse_config(plain(config)) == config


def test_numbers_may_be_written_without_a_point(tmp_path: Path) -> None:
    path = write(tmp_path, "training:\n  optimizer: {lr: 3e-4, eps: 1E-8}\n")
    assert load_config(path).training.optimizer.lr == pytest.approx(3e-4)


@pytest.mark.parametrize(
    ("overrides", "key", "value"),
    [
        (["training.optimizer.lr=1e-3"], "optimizer", AdamWConfig(lr=1e-3)),
        (["training.optimizer={type: SGD}"], "optimizer", SgdConfig()),
        (
            ["training.optimizer.type=SGD", "training.optimizer.momentum=0.8"],
            "optimizer",
            SgdConfig(momentum=0.8),
        ),
        (["training.scheduler.T_0=3"], "scheduler", WarmRestartsConfig(T_0=3)),
        (["training.scheduler.type=StepLR"], "scheduler", StepConfig()),
        (
            ["training.scheduler={type: ReduceLROnPlateau, patience: 2}"],
            "scheduler",
            PlateauConfig(patience=2),
        ),
        (["training.batch_size=null"], "batch_size", None),
    ],
)
def test_a_section_of_several_types_needs_its_type_only_to_change_it(
    tmp_path: Path, overrides: list[str], key: str, value: object
) -> None:
    config = load_config(write(tmp_path, ""), overrides)
    assert getattr(config.training, key) == value
    assert load_config(write(tmp_path, dump_config(config))) == config


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "")) == Config()


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("training.optimiser=1", ["training.optimiser", "unknown key", "optimizer, scheduler"]),
        ("trainning={}", ["trainning", "unknown key", "model, training"]),
        ("training.scheduler={type: CosineAnnealingLR, T_0: 3}", ["training.scheduler.T_0", "eta"]),
        ("training.scheduler={type: OneCycle}", ["training.scheduler", "CosineAnnealingLR"]),
        ("training.optimizer.type=Adam", ["training.optimizer.type", "'Adam'", "'AdamW', 'SGD'"]),
        ("training.optimizer.momentum=0.9", ["training.optimizer.momentum", "betas"]),
        ("training.optimizer={type: SGD, eps: 1}", ["training.optimizer.eps", "nesterov"]),
        ("training.optimizer={type: SGD, momentum: 0}", ["training.optimizer", "nesterov"]),
        ("training.optimizer=AdamW", ["training.optimizer = 'AdamW'", "mapping"]),
        ("training.optimizer.lr=0", ["training.optimizer.lr", "greater than 0"]),
        (
            "training.scheduler={type: StepLR, gamma: 1.5}",
            ["training.scheduler.gamma", "less than"],
        ),
        ("training.scheduler={type: ExponentialLR, T_0: 1}", ["training.scheduler.T_0", "gamma"]),
        ("training.scheduler={type: ReduceLROnPlateau, patience: -1}", ["patience", "-1"]),
        ("training.scheduler.warmup_lr=0", ["training.scheduler.warmup_lr", "greater than 0"]),
        ("training.scheduler.warmup_lr=1", ["warmup_lr = 1.0", "optimizer.lr = 0.0003"]),
        ("training.scheduler.eta_min=0.5", ["eta_min = 0.5", "optimizer.lr = 0.0003"]),
        ("training.accumulation_steps=0", ["training.accumulation_steps", "equal to 1"]),
        ("training.augmentation.hue=0.7", ["training.augmentation.hue", "0.5"]),
        ("training.augmentation.random_scale=[1.1, 0.9]", ["random_scale", "low <= high"]),
        ("training.augmentation.random_scale=[0, 1]", ["random_scale", "above 0"]),
        ("training.augmentation.confusing_gap_prob=1.1", ["confusing_gap_prob", "equal to 1"]),
        ("checkpoints.keep_last=0", ["checkpoints.keep_last", "equal to 1"]),
        ("monitor.image_interval=-1", ["monitor.image_interval", "-1"]),
        ("model.dropout=1.0", ["model.dropout", "less than 1"]),
        ("data.canvas_scale=3", ["data.canvas_scale", "1 or 2"]),
        ("data.dataset=somewhere", ["dataset and validation_dataset"]),
        (
            "data={dataset: a, validation_dataset: b, plain_share: 0.5}",
            ["plain_share", "not generated"],
        ),
        (
            "data={dataset: a, validation_dataset: b, emphases: [{share: 0.5}]}",
            ["emphases", "not generated"],
        ),
        ("data.hardest_share=0.5", ["hardest_share", "distinct_pictures"]),
        ("data={distinct_pictures: 9, hardest_share: 0}", ["hardest_share = 0", "greater than 0"]),
        ("data.emphases=[{share: 0.7}, {share: 0.4}]", ["emphases", "1.1, more than 1"]),
        ("data.emphases=[{share: 0.7, needs: []}]", ["emphases", "needs"]),
        ("loss.shape.weight=-1", ["loss.shape.weight", "-1"]),
        ("training.batch_size='16'", ["training.batch_size", "'16'", "integer"]),
        ("training.batch_size=0", ["training.batch_size", "0", "greater than or equal to 1"]),
        ("training.batch_size=16.5", ["training.batch_size", "16.5", "integer"]),
        ("training.amp=yes please", ["training.amp", "'yes please'", "boolean"]),
        ("training.ema.decay=1.0", ["training.ema.decay", "1.0", "less than 1"]),
        ("model.widths=[16, 32]", ["model.widths"]),
        ("model.stage2=[]", ["model.stage2", "at least 1 item"]),
        ("model.stage2.x=1", ["model.stage2"]),
        ("data=7", ["data", "7"]),
        ("data.seed", ["--set data.seed", "section.key=value"]),
        ("data..seed=1", ["section.key=value"]),
    ],
)
def test_errors_are_one_line_that_names_key_value_and_what_is_allowed(
    tmp_path: Path, override: str, parts: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, ""), [override])
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_what_is_frozen_are_parts_of_the_network_and_never_all() -> None:
    parts = [name for name, _ in build_model(EdgeConfig()).named_children() if name != "dropout"]
    most = parse_config({"training": {"freeze": parts[1:]}})
    assert list(most.training.freeze) == parts[1:]
    with pytest.raises(ConfigError, match="freeze: it names every part"):
        parse_config({"training": {"freeze": parts}})
    with pytest.raises(ConfigError, match="freeze"):
        parse_config({"training": {"freeze": ["backbone"]}})


def test_a_section_under_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="data is not a section"):
        load_config(write(tmp_path, "data: 7\n"), ["data.seed=1"])


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().data.seed = 3  # type: ignore[misc]
