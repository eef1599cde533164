"""What a request asks for beside path and body: conditions, and options of queries. Done, or refused by name.

``If-Match`` and ``If-None-Match`` hold for what is written. Reads are answered whole: an ETag follows the
definition of a cluster or job and not its state (recorded traffic), so "not modified" would hide a change.
``Prefer`` and ``Accept-Language`` may be left unheeded, as HTTP says of both: answers are whole, and English.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchai_scenario.emulator.arm.messages import ArmRequest, ArmResponse

CONDITIONS = ("if-match", "if-none-match")
_READS = ("GET", "HEAD")
_TOP, _TOKEN = "$top", "$skiptoken"
_MOST = 1000
_LISTS = {
    "microsoft.authorization": ("$filter",),
    "microsoft.batchai": ("$filter", "$select", _TOKEN),
    "microsoft.resources": ("$filter",),
    "microsoft.storage": ("$expand", "$filter", "$maxpagesize", _TOKEN),
}
_KEYWORDS = {"resourcegroups": ("$filter", _TOP, _TOKEN), "resources": ("$filter", _TOP, _TOKEN)}
"""Options that a list knows, or refuses in words of its own."""


def check_options(request: ArmRequest, keyword: str) -> None:
    """Refuse options of OData that this request does not have; ``keyword`` as in ``ArmPath``."""
    known: tuple[str, ...] = ()
    if request.provider:
        lists = not request.types or not request.types[-1][1] or bool(request.action)
        known = _LISTS.get(request.provider.lower(), ()) if lists else ()
    elif not request.group or keyword == "resources":
        known = _KEYWORDS.get(keyword, ())
    for name in request.query:
        if name.startswith("$") and name not in known:
            text = f"The query parameter '{name}' is not known here: leave it out."
            raise ServiceError(400, "InvalidQueryParameterValue", text, name)


def check_conditions(request: ArmRequest, current: Callable[[], ArmResponse]) -> None:
    """Hold a write to its conditions.

    Args:
        request: what is asked.
        current: gives the resource as it is; ServiceError 404 if there is none.

    Raises:
        ServiceError: 412 ``PreconditionFailed``; 400 for a resource without an ETag.
    """
    given = {name: request.headers[name] for name in CONDITIONS if request.headers.get(name)}
    if not given or request.method in _READS:
        return
    try:
        tag = current().headers.get("ETag")
    except ServiceError as error:
        if error.status != 404:  # noqa: PLR2004 - anything but "not there"
            raise
        tag = ""
    for name, text in given.items():
        if tag is None:
            refuse_conditions(request)
        wanted = [part.strip().removeprefix("W/") for part in text.split(",")]
        met = bool(tag) and ("*" in wanted or tag in wanted)
        if met != (name == "if-match"):
            message = f"The condition specified using the header {name} is not met."
            raise ServiceError(412, "PreconditionFailed", message, name)


def refuse_conditions(request: ArmRequest) -> None:
    """Refuse to write what has no ETag under a condition; ServiceError 400."""
    for name in CONDITIONS:
        if request.headers.get(name) and request.method not in _READS:
            text = f"The header {name} is not emulated here: this resource has no ETag. Leave it out."
            raise ServiceError(400, "InvalidHeaderValue", text, name)


def topped(request: ArmRequest, entities: Sequence[Any]) -> dict[str, Any]:
    """Give a list, or the page of it that ``$top`` and ``$skiptoken`` ask for; ServiceError 400."""
    limit = _number(request, _TOP, 1, _MOST)
    start = _number(request, _TOKEN, 0, len(entities)) or 0
    if limit is None:
        return {"value": list(entities[start:])}
    body: dict[str, Any] = {"value": list(entities[start : start + limit])}
    if start + limit < len(entities):
        query = urlencode({**request.query, _TOKEN: str(start + limit)})
        body["nextLink"] = f"{request.base_url}{request.path}?{query}"
    return body


def _number(request: ArmRequest, name: str, low: int, high: int) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
        message = f"The query parameter '{name}' must be a number from {low} to {high}, not '{text}'."
        raise ServiceError(400, "InvalidQueryParameterValue", message, name)
    return int(text)
