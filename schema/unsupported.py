"""What a place does not do of what the service did, as a table of properties: refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.schema.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def unsupported(properties: Mapping[str, Any], table: Mapping[str, str]) -> Iterator[Fault]:
    """Find which of a table's properties a body has.

    Args:
        properties: a body's, in the service's spelling; wrong types are passed over.
        table: dotted path (``secrets[*].valueSecretReference``: of every entry) -> what to do instead.
    """
    for path, instead in table.items():
        for found in _found(properties, path.split("."), "properties"):
            yield Fault(found, instead, "unsupported")


def _found(value: Any, names: list[str], path: str) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if not names:
        if value not in (None, []):
            yield path
        return
    name, *rest = names
    inner = value.get(name.removesuffix("[*]")) if isinstance(value, dict) else None
    where = f"{path}.{name.removesuffix('[*]')}"
    if not name.endswith("[*]"):
        yield from _found(inner, rest, where)
    elif isinstance(inner, list):
        for index, item in enumerate(inner):
            yield from _found(item, rest, f"{where}[{index}]")
