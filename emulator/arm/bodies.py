"""Reading what every management body may hold: a location and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

_READ_ONLY = frozenset({"id", "name", "type", "properties"})
_MAX_TAGS = 15
"""Tags on one resource: the resource manager's limit at the time."""


def invalid_content(detail: str, target: str = "") -> ServiceError:
    """Say that a body could not be read; ``target`` is the JSON path of what is wrong."""
    text = f"The request content was invalid and could not be deserialized: '{detail}'."
    return ServiceError(400, "InvalidRequestContent", text, target)


def known_properties(body: Mapping[str, Any] | None, *names: str) -> dict[str, Any]:
    """Give what a body says of these, names in any case; ServiceError for any other that is not read-only."""
    found: dict[str, Any] = {}
    for key, value in (body or {}).items():
        if key.lower() in names:
            found[key.lower()] = value
        elif key.lower() not in _READ_ONLY and value is not None:
            raise invalid_content(f"Could not find member '{key}'; known are {', '.join(names)}", key)
    return found


def _given(body: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
    """Give what a body says by a name, in any case."""
    return next((value for key, value in body.items() if key.lower() == name), None)


def read_location(body: Mapping[str, Any]) -> str:
    """Read ``location``; ServiceError if it is missing."""
    location = _given(body, "location")
    if location is None or location == "":
        raise ServiceError(
            400, "LocationRequired", "The location property is required for this definition.", "location"
        )
    if not isinstance(location, str):
        raise invalid_content("location must be a string. Path 'location'", "location")
    return location


def read_tags(body: Mapping[str, Any]) -> dict[str, str] | None:
    """Read ``tags``, None if there are none; ServiceError if they are not a flat object of strings."""
    tags = _given(body, "tags")
    if tags is None:
        return None
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise invalid_content("tags must be an object of strings. Path 'tags'", "tags")
    if len(tags) > _MAX_TAGS:
        text = f"A resource has at most {_MAX_TAGS} tags, not {len(tags)}."
        raise ServiceError(400, "TooManyTags", text, "tags")
    return tags
