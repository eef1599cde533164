"""What all handlers of the provider share: entity tags, pages, numbers in queries, errors."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.schema.older import older_fields, without_older

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batchai_scenario.emulator.arm.messages import ArmRequest

T = TypeVar("T")

_TOKEN = "$skiptoken"  # noqa: S105 - the name of a query parameter
_MOST = 10**15
_EPOCH = datetime(1, 1, 1, tzinfo=timezone.utc)


def entity(body: Mapping[str, Any], changed_at: datetime) -> ArmResponse:
    """Answer with one resource; the headers follow its definition, not its run state (recorded traffic)."""
    ticks = int((changed_at - _EPOCH).total_seconds() * 1000) * 10_000
    headers = {"ETag": f'"0x{ticks:X}"', "Last-Modified": format_datetime(changed_at, usegmt=True)}
    return ArmResponse(200, body, headers)


def page(
    request: ArmRequest, items: Iterable[tuple[str, Mapping[str, Any] | Callable[[], Mapping[str, Any]]]]
) -> ArmResponse:
    """Answer with a list: ``items`` are (key, entity) sorted by key; ``nextLink`` only if there is more.

    An entity that is costly to write is a function: it is called only if it stands on the page.
    """
    limit = number(request.query, "maxresults", low=1, high=1000, default=1000)
    after = request.query.get(_TOKEN, "")
    rest = [item for item in items if item[0] > after]
    body: dict[str, Any] = {"value": [value() if callable(value) else value for _, value in rest[:limit]]}
    if len(rest) > limit:
        query = urlencode({**request.query, _TOKEN: rest[limit - 1][0]})
        body["nextLink"] = f"{request.base_url}{request.path}?{query}"
    return ArmResponse(200, body)


def page_of(
    request: ArmRequest,
    read: Callable[[int, int], Sequence[tuple[int, T]]],
    write: Callable[[T], Mapping[str, Any] | None],
) -> ArmResponse:
    """Answer with a list that is read as pages, so that a page costs the same however long the list is.

    Args:
        request: may ask for ``maxresults``, and carries the token of a ``nextLink``.
        read: gives things with their numbers, in order: at most so many (the second) after one (the first).
        write: gives a thing's entity, or None if the list does not show it.
    """
    limit = number(request.query, "maxresults", low=1, high=1000, default=1000)
    after = number(request.query, _TOKEN, low=0, high=_MOST, default=0)
    shown: list[tuple[int, Mapping[str, Any]]] = []
    while len(shown) <= limit:
        found = read(after, limit + 1)
        shown += [(place, entity) for place, thing in found if (entity := write(thing)) is not None]
        if len(found) <= limit:
            break
        after = found[-1][0]
    body: dict[str, Any] = {"value": [entity for _, entity in shown[:limit]]}
    if len(shown) > limit:
        query = urlencode({**request.query, _TOKEN: str(shown[limit - 1][0])})
        body["nextLink"] = f"{request.base_url}{request.path}?{query}"
    return ArmResponse(200, body)


def number(query: Mapping[str, str], name: str, *, low: int, high: int, default: int) -> int:
    """Read a number from the query; ServiceError 400 if it is none or out of its range."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and low <= int(text[:16]) <= high):
        message = f"The query parameter '{name}' must be a number from {low} to {high}, not '{text}'."
        raise ServiceError(400, "InvalidQueryParameterValue", message, name)
    return int(text)


def not_found(kind: str, name: str) -> ServiceError:
    """Say that a resource does not exist: ``kind`` is ``Job``, ``Cluster``, ... (texts: recorded traffic)."""
    words = {"FileServer": "file server"}
    return ServiceError(
        404, f"{kind}NotFound", f"The specified {words.get(kind, kind.lower())} {name} is not found"
    )


def conflict(message: str, target: str = "") -> ServiceError:
    """Refuse what clashes with something that exists. The service's own code was never recorded."""
    return ServiceError(409, "Conflict", message, target)


def no_method(request: ArmRequest) -> ServiceError:
    """Say that a resource has no such verb or action."""
    what = f"POST {request.action}" if request.action else request.method
    text = f"The resource type '{'/'.join(kind for kind, _ in request.types)}' does not support {what}."
    return ServiceError(405, "MethodNotAllowed", text)


def check_name(name: str, pattern: re.Pattern[str]) -> None:
    """Check the name of something to be created; ``pattern`` is its API version's."""
    if pattern.fullmatch(name) is None:
        dots = ", '.'" if pattern.fullmatch("a.b") else ""
        text = f"The name '{name}' is invalid: it must have 1 to 64 letters, digits, '-'{dots} or '_'."
        raise ServiceError(400, "InvalidResourceName", text)


def check_same(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Let a PUT of something that exists pass only if it says the same.

    Our decision: the service was recorded with identical bodies only. Secrets are not compared, nor tags;
    what only flat API versions know is compared if both came through one.
    """
    before, after = without_older(old), without_older(new)
    was, asked = older_fields(old), older_fields(new)
    if was.made_so and asked.made_so:
        before |= {"priority": was.priority, "experimentName": was.experiment}
        after |= {"priority": asked.priority, "experimentName": asked.experiment}
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            text = f"The {what} exists already, and its property '{name}' is another one. Delete it first."
            raise conflict(text, f"properties.{name}")
