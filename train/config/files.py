"""Reads configurations, and says in one line what is wrong with one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from train.config.sections import Config, EdgeConfig, PaperConfig
from train.config.training import (
    AdamWConfig,
    CosineConfig,
    ExponentialConfig,
    PlateauConfig,
    SgdConfig,
    StepConfig,
    WarmRestartsConfig,
)


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line."""


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
    try:
        values[leaf] = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is no YAML") from error


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    # The location of a section of several types also carries the chosen type, which is no key.
    key = ".".join(str(part) for part in first["loc"] if part not in _TYPES)
    if first["type"] == "extra_forbidden":
        return f"{key} = {first['input']!r}: unknown key; allowed here: {_siblings(first['loc'])}"
    if first["type"] == "union_tag_invalid":
        named = "kind" if key == "model" else "type"
        return f"{key}.{named} = {first['ctx']['tag']!r}: expected {first['ctx']['expected_tags']}"
    if first["type"] == "union_tag_not_found":
        return f"{key} = {first['input']!r}: expected a mapping"
    if first["type"] == "value_error":  # from a section's own check, which names keys and values
        return f"{key}: {first['ctx']['error']}"
    return f"{key} = {first['input']!r}: {first['msg']}"


_TYPES: dict[int | str, type[BaseModel]] = {
    section.model_fields["kind" if "kind" in section.model_fields else "type"].default: section
    for section in (
        AdamWConfig,
        SgdConfig,
        WarmRestartsConfig,
        CosineConfig,
        StepConfig,
        ExponentialConfig,
        PlateauConfig,
        EdgeConfig,
        PaperConfig,
    )
}


def _siblings(location: tuple[int | str, ...]) -> str:
    section: type[BaseModel] = Config
    for part in location[:-1]:
        if isinstance(part, int):
            continue  # which of a list's sections, all of one class
        # A section of several types is not one class: the next part says which.
        annotation = _TYPES.get(part) or section.model_fields[part].annotation
        kind, *_ = get_args(annotation) or (annotation,)
        if isinstance(kind, type):
            section = kind
    return ", ".join(section.model_fields)
