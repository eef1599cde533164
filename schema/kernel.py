"""What no program can be started with: Linux takes no variable and no argument of 128 KiB or more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.schema.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST = 128 * 1024 - 1
"""Bytes of one argument, or of ``NAME=value`` (MAX_ARG_STRLEN, with the byte that ends it)."""

LONGEST_COMMAND = LONGEST - 1024
"""Bytes of a command line, less what nodes and toolkits put before it."""

LONGEST_TOGETHER = 1792 * 1024
"""Bytes of all variables: a quarter of the usual stack of 8 MiB (execve), less what the service adds."""

_VARIABLES = ("environmentVariables", "secrets")
_TASKS = ("jobPreparation", "setupTask")


def length_faults(properties: Mapping[str, Any], path: str = "properties") -> Iterator[Fault]:
    """Find the variables and command lines of a body that are too long; ``path`` is the properties'."""
    for name, value in properties.items():
        where = f"{path}.{name}" if path else name
        if name in _VARIABLES and isinstance(value, list):
            yield from _variable_faults(value, where)
        elif isinstance(value, dict):
            if name in _TASKS or name.endswith("Settings"):
                yield from _command_faults(value, where)
            yield from length_faults(value, where)


def _command_faults(settings: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """Look at the texts from which one command line is made; the longest is to blame."""
    lengths = {name: _bytes(value) for name, value in settings.items() if isinstance(value, str)}
    together = sum(lengths.values())
    if together > LONGEST_COMMAND:
        longest = max(lengths, key=lambda name: lengths[name])
        why = f"the command line has {together} bytes, and Linux takes at most {LONGEST_COMMAND}"
        yield Fault(f"{path}.{longest}", why)


def _variable_faults(entries: list[Any], path: str) -> Iterator[Fault]:
    together = 0
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            continue
        length = _bytes(f"{entry.get('name')}={entry.get('value')}")
        together += length + 1
        if length > LONGEST:
            why = f"name and value have {length} bytes, and Linux takes at most {LONGEST} for a variable"
            yield Fault(f"{path}[{index}].value", why)
    if together > LONGEST_TOGETHER:
        why = f"together they have {together} bytes, and Linux takes about {LONGEST_TOGETHER}"
        yield Fault(path, why)


def _bytes(text: str) -> int:
    return len(text.encode(errors="replace"))
