"""What all bodies share, as pydantic models: names in any case, no unknown property, ``null`` is absent.

Our decisions: names are matched without regard to case (as the service's own JSON reader did), ``null``
means absent, read-only properties are ignored, anything else that is unknown is a fault.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


def lower(value: Any) -> Any:  # noqa: ANN401 - whatever the caller wrote
    """Write an enumeration's value as the service does."""
    return value.lower() if isinstance(value, str) else value


class Body(BaseModel):
    """A JSON object of the service's: camelCase names in any case, no unknown property, no null."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, coerce_numbers_to_str=True, defer_build=True
    )
    read_only: ClassVar[frozenset[str]] = frozenset()
    """Properties (in lower case) that the service sets: ignored in a request."""

    @model_validator(mode="before")
    @classmethod
    def _normal(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the caller wrote
        if not isinstance(data, dict):
            return data
        spelled = [field.alias or to_camel(name) for name, field in cls.model_fields.items()]
        names = {name.lower(): name for name in spelled}
        return {
            names.get(key.lower(), key): value
            for key, value in data.items()
            if value is not None and key.lower() not in cls.read_only
        }
