"""``$filter`` of lists of groups and resources, as ``az`` and the resource manager's SDKs write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.odata import read_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAMES = ("resourceType", "resourceGroup", "name", "location")
_TAGS = ("tagName", "tagValue")


def read_tag_filter(text: str) -> Callable[[Mapping[str, str] | None], bool]:
    """Read which tags are wanted, as ``read_filter``; the result takes all tags of a group.

    Comparisons are about one tag: a group passes if it does with any of its tags. Case counts only in
    values.

    Raises:
        ServiceError: 400 ``InvalidFilterInQueryString``, for what is not understood, or names something else.
    """
    passes = read_filter(text, _TAGS, any_case=_TAGS[:1])
    return lambda tags: any(passes(one) for one in _each(tags))


def read_resource_filter(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Read which resources are wanted, as ``read_tag_filter``, by their own names, type and place, too.

    Raises:
        ServiceError: as ``read_tag_filter``.
    """
    passes = read_filter(text, (*_NAMES, *_TAGS), any_case=(*_NAMES, *_TAGS[:1]))

    def passes_with_a_tag(entity: Mapping[str, Any]) -> bool:
        body = {
            "resourceType": entity["type"],
            "resourceGroup": str(entity["id"]).split("/")[4],
            "name": entity["name"],
            "location": entity.get("location"),
        }
        return any(passes({**body, **one}) for one in _each(entity.get("tags")))

    return passes_with_a_tag


def _each(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"tagName": name, "tagValue": value} for name, value in (tags or {}).items()] or [{}]
