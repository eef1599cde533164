"""What only older API versions say of a cluster, job or file server: fields with names, kept beside the rest.

They stand in the resource's definition under one name, which nothing else knows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from batchai_scenario.schema.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = "older"


@dataclass(frozen=True, slots=True)
class OlderFields:
    """What a resource has of older API versions.

    ``layout``: where its files are; by it one knows, too, whether it was made through one of them.
    ``tags`` of a cluster or file server, None: it has none. Of a job: the ``priority`` that it gave as a
    number, and the ``experiment`` that it named. ``first_weeks``: its body was written as in the first weeks
    of the first version.
    """

    layout: Layout = Layout.WORKSPACES
    tags: Mapping[str, str] | None = None
    priority: int | None = None
    experiment: str | None = None
    first_weeks: bool = False

    @property
    def made_so(self) -> bool:
        """Tell whether the resource was made through an older API version."""
        return self.layout is not Layout.WORKSPACES


def older_fields(definition: Mapping[str, Any]) -> OlderFields:
    """Read them."""
    fields = dict(definition.get(_NAME, {}))
    return OlderFields(Layout(fields.pop("layout", Layout.WORKSPACES)), **fields)


def with_older(definition: Mapping[str, Any], fields: OlderFields) -> dict[str, Any]:
    """Put them beside the rest."""
    kept = {name: value for name, value in asdict(fields).items() if value is not None and value is not False}
    return {**definition, _NAME: {**kept, "layout": fields.layout.value}}


def without_older(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Give the rest alone."""
    return {name: value for name, value in definition.items() if name != _NAME}
