"""``$filter`` of lists of resources, as ``az resource list`` and the resource manager's SDKs write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.odata import read_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAMES = ("resourceType", "resourceGroup", "name", "location", "tagName", "tagValue")


def read_resource_filter(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Read what a list of resources is to hold, as ``read_filter``; case does not count.

    Comparisons of ``tagName`` and ``tagValue`` are about one tag: a resource passes if it does with any of
    its tags.

    Raises:
        ServiceError: 400 ``InvalidFilterInQueryString``, for what is not understood, or names something else.
    """
    passes = read_filter(text.lower(), _NAMES)

    def passes_with_a_tag(entity: Mapping[str, Any]) -> bool:
        body = {
            "resourcetype": str(entity["type"]).lower(),
            "resourcegroup": str(entity["id"]).lower().split("/")[4],
            "name": str(entity["name"]).lower(),
            "location": str(entity.get("location", "")).lower(),
        }
        tags = [{"tagname": tag, "tagvalue": value} for tag, value in (entity.get("tags") or {}).items()]
        lowered = [{key: str(value).lower() for key, value in tag.items()} for tag in tags]
        return any(passes({**body, **tag}) for tag in lowered or [{}])

    return passes_with_a_tag
