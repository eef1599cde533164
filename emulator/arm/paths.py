"""Management paths: taken apart once, at the door."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from batchai_scenario.emulator.errors import ServiceError

Types = tuple[tuple[str, str], ...]

_READ_ACTIONS = frozenset({"listoutputfiles"})
"""Actions that may be asked for with GET too: SDK 7.0.0 follows ``nextLink`` so, SDK 2.0.0 with POST."""


EXTENDING = "microsoft.authorization"
"""The provider whose resources stand below any other resource."""


@dataclass(frozen=True, slots=True)
class ArmPath:
    """The parts of ``/subscriptions/S/resourceGroups/G/providers/P/type/name/.../action``.

    Absent parts are empty. ``keyword`` is what stands below a subscription where there is no provider:
    ``resourcegroups``, ``locations``, ``operationresults``, ...; ``name`` what follows it. Type names
    and keywords are in lower case, all other names in the caller's.
    """

    subscription: str = ""
    group: str = ""
    keyword: str = ""
    name: str = ""
    provider: str = ""
    types: Types = ()
    action: str = ""


def split(raw_path: str) -> list[str]:
    """Cut an undecoded path at its slashes and decode each part; empty parts are dropped."""
    return [unquote(part) for part in raw_path.split("/") if part]


def parse(raw_path: str, method: str) -> ArmPath:
    """Take a management path apart.

    Raises:
        ServiceError: 404 if the path is none that the resource manager knows.
    """
    parts = split(raw_path)
    subscription = group = ""
    if parts and parts[0].lower() == "subscriptions":
        subscription = parts[1] if len(parts) > 1 else ""
        parts = parts[2:]
        if not parts:
            return ArmPath(subscription, keyword="subscriptions")
        if parts[0].lower() == "resourcegroups":
            group = parts[1] if len(parts) > 1 else ""
            parts = parts[2:]
            if not parts:
                return ArmPath(subscription, group, keyword="resourcegroups", name=group)
    keyword = parts[0].lower()
    if keyword != "providers":
        if len(parts) > 2:  # noqa: PLR2004 - KEYWORD/NAME
            raise not_found(raw_path)
        return ArmPath(subscription, group, keyword=keyword, name=parts[1] if len(parts) > 1 else "")
    if len(parts) == 1:
        return ArmPath(subscription, group, keyword="providers")
    for at in range(len(parts) - 2, 0, -1):
        # What belongs to any resource stands below it: the last provider is the one that is asked.
        if parts[at].lower() == "providers" and parts[at + 1].lower() == EXTENDING:
            parts = parts[at:]
            break
    types, action = _types(parts[2:], method)
    return ArmPath(subscription, group, "providers", parts[1], parts[1], types, action)


def _types(parts: list[str], method: str) -> tuple[Types, str]:
    """Pair type names with resource names; what is left over is an action (POST) or a list."""
    pairs = [(parts[index].lower(), parts[index + 1]) for index in range(0, len(parts) - 1, 2)]
    if len(parts) % 2 == 0:
        return tuple(pairs), ""
    if method == "POST" or parts[-1].lower() in _READ_ACTIONS:
        return tuple(pairs), parts[-1]
    return (*pairs, (parts[-1].lower(), "")), ""


def not_found(raw_path: str) -> ServiceError:
    """Say that nothing is served at a path."""
    return ServiceError(404, "InvalidRequestUri", f"The resource manager serves nothing at '{raw_path}'.")
