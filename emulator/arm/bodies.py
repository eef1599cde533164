"""Reading what every management body may hold: a location and tags; and saying all that is wrong at once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_READ_ONLY = frozenset({"id", "name", "type", "properties"})
_MAX_TAGS = 15
"""Tags on one resource: the resource manager's limit at the time."""


def invalid_content(detail: str, target: str = "") -> ServiceError:
    """Say that a body could not be read; ``target`` is the JSON path of what is wrong."""
    text = f"The request content was invalid and could not be deserialized: '{detail}'."
    return ServiceError(400, "InvalidRequestContent", text, target)


def together(errors: Sequence[ServiceError]) -> ServiceError:
    """Make one error of some, at least one: the first, which lists all of them where they are several."""
    return errors[0] if len(errors) == 1 else dataclasses.replace(errors[0], errors=tuple(errors))


def read_all(*reads: Callable[[], Any]) -> list[Any]:
    """Read all parts of a body; ServiceError with everything that any of them refuses."""
    found = [_tried(read) for read in reads]
    errors = [error for _, refused in found for error in refused]
    if errors:
        raise together(errors)
    return [value for value, _ in found]


def _tried(read: Callable[[], Any]) -> tuple[Any, tuple[ServiceError, ...]]:
    try:
        return read(), ()
    except ServiceError as error:
        return None, error.errors or (error,)


def known_properties(body: Mapping[str, Any] | None, *names: str) -> None:
    """Refuse what a body says beside these, names in any case, unless it is read-only; ServiceError 400."""
    errors = [
        invalid_content(f"Could not find member '{key}'; known are {', '.join(names)}", key)
        for key, value in (body or {}).items()
        if key.lower() not in {*names, *_READ_ONLY} and value is not None
    ]
    if errors:
        raise together(errors)


def read_place(body: Mapping[str, Any] | None, location: str = "") -> tuple[str, dict[str, str] | None]:
    """Read a body of a location and tags alone: the location as it is written, and the tags.

    ``location`` is that of what is there already, which a body need not repeat. ServiceError with all that is
    wrong.
    """
    given = body or {}
    _, place, tags = read_all(
        lambda: known_properties(given, "location", "tags"),
        lambda: location if location and not _given(given, "location") else read_location(given),
        lambda: read_tags(given),
    )
    return place, tags


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
