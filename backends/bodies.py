"""Request bodies: the caller's JSON, checked against the SDK's models and completed by the place.

The SDK serialises a body through its models and drops what they do not know; so every property is
checked first. What passes is sent unchanged.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import InvalidSpec
from batchai_scenario.schema.kernel import length_faults
from batchai_scenario.schema.registries import registry_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PLACEHOLDER = re.compile(r"\$STORAGE_(ACCOUNT|KEY|URL)\b")

NAME = re.compile(r"[-\w]{1,64}", re.ASCII)
"""Names of clusters and jobs."""

SECRET_PLACES = re.compile(r"(\.credentials\.accountKey|\.secrets\[\d+\]\.value)$")
"""The properties that the service never gives back; the storage key may stand in no other."""


def check_name(name: str) -> None:
    """Check the name of a cluster or job to be created: other names never get into an address.

    Raises:
        InvalidSpec: the service has no such names (api-version 2018-05-01, SDK 2.0.0).
    """
    if NAME.fullmatch(name) is None:
        raise InvalidSpec(
            f"{name!r} is no name", field="name", hint="use 1 to 64 letters, digits, '-' or '_'"
        )


def filled(properties: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Replace the placeholders; ``values`` has ACCOUNT, KEY and URL.

    Raises:
        InvalidSpec: the storage key would stand where everybody can read it.
    """

    def replace(value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, str):
            if "$STORAGE_KEY" in value and not SECRET_PLACES.search(path):
                raise InvalidSpec(
                    "the storage key would be readable here",
                    field=path,
                    hint="put $STORAGE_KEY into credentials.accountKey or the value of one of the secrets",
                )
            return PLACEHOLDER.sub(lambda found: values[found.group(1)], value)
        if isinstance(value, dict):
            return {key: replace(inner, f"{path}.{key}") for key, inner in value.items()}
        if isinstance(value, list):
            return [replace(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
        return value

    return {key: replace(value, f"properties.{key}") for key, value in properties.items()}


def check(kind: str, properties: Mapping[str, Any]) -> None:
    """Check a body against the SDK's model; ``kind`` is ``Cluster`` or ``Job``.

    Raises:
        InvalidSpec: an unknown or read-only property, or a value of the wrong type; ``field`` is its path.
    """
    from azure.mgmt.batchai import models

    prefix = "properties."
    attributes = getattr(models, f"{kind}CreateParameters")._attribute_map  # noqa: SLF001 - msrest's model data
    types = {
        entry["key"].removeprefix(prefix): entry["type"]
        for entry in attributes.values()
        if entry["key"].startswith(prefix)
    }
    _object(types, properties, "properties", models)
    for fault in (*registry_faults(properties), *length_faults(properties)):
        raise InvalidSpec(fault.why, field=fault.path)


def _object(types: Mapping[str, str], value: Mapping[str, Any], path: str, models: Any) -> None:  # noqa: ANN401
    for name, inner in value.items():
        where = f"{path}.{name}"
        if name not in types:
            alike = [key for key in types if key.lower() == name.lower()]
            close = alike or get_close_matches(name, types, n=1)
            raise InvalidSpec(
                "the service knows no such property",
                field=where,
                hint=f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(types))}",
            )
        if inner is not None:
            _value(types[name], inner, where, models)


def _value(kind: str, value: Any, path: str, models: Any) -> None:  # noqa: ANN401 - any JSON value
    if kind.startswith("["):
        _demand(isinstance(value, list), path, "a list", value)
        for index, item in enumerate(value):
            _value(kind[1:-1], item, f"{path}[{index}]", models)
    elif kind in SIMPLE:
        test, what = SIMPLE[kind]
        _demand(test(value), path, what, value)
    else:
        _demand(isinstance(value, dict), path, "an object", value)
        model = getattr(models, kind)
        readonly = {name for name, rule in model._validation.items() if rule.get("readonly")}  # noqa: SLF001
        _object(
            {
                entry["key"]: entry["type"]
                for name, entry in model._attribute_map.items()  # noqa: SLF001 - msrest's model data
                if name not in readonly
            },
            value,
            path,
            models,
        )


def _demand(met: bool, path: str, what: str, value: Any) -> None:  # noqa: ANN401, FBT001 - any JSON value
    if not met:
        raise InvalidSpec(f"must be {what}, not {type(value).__name__}", field=path)


def _duration(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    pattern = r"P(?=.)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?)"
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


SIMPLE: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a string"),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    "duration": (_duration, "an ISO 8601 duration such as PT30M"),
}
"""The simple types of the bodies' models: what a JSON value must be, and how to say it."""
