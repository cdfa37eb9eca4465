"""What every section of the configuration is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Even = Annotated[int, Field(ge=2, multiple_of=2)]
Blocks = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Part = Annotated[float, Field(gt=0, le=1)]
Factor = Annotated[float, Field(gt=0, lt=1)]
Range = tuple[float, float]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def type_or(default: str, key: str = "type") -> Callable[[Any], str | None]:
    """Reads a section's `key`, so that overriding another key of it does not need one."""

    def read(section: Any) -> str | None:
        if isinstance(section, dict):
            return str(section.get(key, default))
        return getattr(section, key, None)

    return read
