"""A management request and its answer, taken apart once at the door. Providers see only these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """A request under ``/subscriptions/...`` or ``/providers/...``.

    For ``POST .../workspaces/w/experiments/e/jobs/j/terminate``: ``types`` is
    ``(("workspaces", "w"), ("experiments", "e"), ("jobs", "j"))`` and ``action`` ``"terminate"``. For a
    list, the last name is empty. Names keep the caller's case; type names are lower-cased. ``base_url``
    is the scheme and host that the client used: every absolute URL in an answer is built from it.
    ``body`` is the parsed JSON object, or None.
    """

    method: str
    path: str
    base_url: str
    subscription: str
    group: str
    provider: str
    types: tuple[tuple[str, str], ...]
    action: str
    api_version: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ArmResponse:
    """An answer: ``body`` None is an empty body."""

    status: int
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class ResourceProvider(Protocol):
    """One namespace behind the resource manager; synchronous, and quick."""

    namespace: str
    resource_types: Mapping[str, tuple[str, ...]]
    """Type name -> API versions, as ``GET /providers/<namespace>`` lists them."""
    regions: Mapping[str, str]
    """Name -> display name of the regions in which it is offered."""

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request; ServiceError is rendered by the door."""
        ...

    def delete_group(self, subscription: str, group: str) -> bool:
        """Begin to delete everything in a resource group; True when nothing is left. Called until then."""
        ...
