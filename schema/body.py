"""What all bodies share, as pydantic models: names in any case, no unknown property, ``null`` is absent.

Our decisions: names are matched without regard to case (as the service's own JSON reader did), ``null``
means absent, read-only properties are ignored, anything else that is unknown is a fault. Read ``exactly``
(see ``reading``), names and types must be as the service writes them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel


def lower(value: Any) -> Any:  # noqa: ANN401 - whatever the caller wrote
    """Write an enumeration's value as the service does."""
    return value.lower() if isinstance(value, str) else value


def wire_names(model: type[BaseModel]) -> list[str]:
    """List the names of a model's properties, as they stand in a body."""
    return [wire_name(model, name) for name in model.model_fields]


def wire_name(model: type[BaseModel], field: str) -> str:
    """Give the name of a model's field, as it stands in a body."""
    return model.model_fields[field].alias or to_camel(field)


class Body(BaseModel):
    """A JSON object of the service's: camelCase names in any case, no unknown property, no null."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, coerce_numbers_to_str=True, defer_build=True
    )
    read_only: ClassVar[frozenset[str]] = frozenset()
    """Properties (in lower case) that the service sets: ignored in a request."""

    @model_validator(mode="before")
    @classmethod
    def _normal(cls, data: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever the caller wrote
        if not isinstance(data, dict):
            return data
        if info.context == "exactly":
            return {key: value for key, value in data.items() if value is not None}
        names = {name.lower(): name for name in wire_names(cls)}
        return {
            names.get(key.lower(), key): value
            for key, value in data.items()
            if value is not None and key.lower() not in cls.read_only
        }
