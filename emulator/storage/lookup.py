"""Finding an operation in a table, and the service's error for what is not in it; Files and Blob alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from batchai_scenario.emulator.storage.errors import bad_query, failure

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


def look_up(table: Mapping[tuple[str, str, str], T], method: str, kind: str, component: str) -> T:
    """Find what ``table`` has for (method, restype, comp); HEAD is answered as GET where it has no own entry.

    Raises:
        StorageError: UnsupportedHttpVerb if only the method is wrong, else InvalidQueryParameterValue.
    """
    found = table.get((method, kind, component))
    if found is None and method == "HEAD":
        found = table.get(("GET", kind, component))
    if found is not None:
        return found
    if any(key[1:] == (kind, component) for key in table):
        raise failure("UnsupportedHttpVerb")
    raise bad_query("comp", component) if component else bad_query("restype", kind)
