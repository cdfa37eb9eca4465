from pathlib import Path

import pytest

import train
from train.config import Config, ConfigError, dump_config, load_config, parse_config, plain

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
    assert (training.ema.enabled, training.ema.decay) == (True, 0.9997)
    loss = Config().loss
    assert (loss.heatmap.alpha, loss.heatmap.beta, loss.heatmap.weight) == (2, 4, 1)
    assert (loss.offset.weight, loss.angle.weight) == (1, 0.5)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_load(path: Path) -> None:
    assert load_config(path).training.num_epochs >= 1


def test_shipped_run_sees_enough_pictures() -> None:
    shipped = next(path for path in SHIPPED if path.stem == "shipped")
    config = load_config(shipped)
    assert config.data.pictures_per_epoch * config.training.num_epochs >= 100_000


def test_round_trip_through_yaml(tmp_path: Path) -> None:
    config = load_config(SHIPPED[0], ["model.stage2=[[1, 3]]", "data.leave_out=[heart]"])
    assert config.model.stage2 == ((1, 3),)
    assert load_config(write(tmp_path, dump_config(config))) == config
    assert parse_config(plain(config)) == config


def test_numbers_may_be_written_without_a_point(tmp_path: Path) -> None:
    path = write(tmp_path, "training:\n  optimizer: {lr: 3e-4, eps: 1E-8}\n")
    assert load_config(path).training.optimizer.lr == pytest.approx(3e-4)


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "")) == Config()


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("training.optimiser=1", ["training.optimiser", "unknown key", "optimizer, scheduler"]),
        ("trainning={}", ["trainning", "unknown key", "model, training"]),
        ("training.scheduler={type: CosineAnnealingLR, T_0: 3}", ["training.scheduler.T_0", "eta"]),
        ("training.scheduler={type: OneCycle}", ["training.scheduler", "CosineAnnealingLR"]),
        ("training.optimizer.type=SGD", ["training.optimizer.type", "'SGD'", "'AdamW'"]),
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
