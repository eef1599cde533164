"""What is wrong with a body, as data: everybody who checks one says it alike, and whoever asked words it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

FaultKind = Literal["unknown", "invalid", "unsupported"]
"""``unknown``: there is no such property; ``invalid``: its value is wrong or missing; ``unsupported``: the
service takes it, this place does not."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    ``path`` is the property's, ``properties.jobPreparation.commandLine``; ``why`` goes on where a sentence
    about it stops: ``it is required``; ``hint`` says what to write instead, where that is known. Values are
    not repeated: they may be secret.
    """

    path: str
    why: str
    kind: FaultKind = "invalid"
    hint: str = ""

    def below(self, path: str) -> Fault:
        """Give the same fault with ``path`` before its own."""
        dot = "" if not self.path or self.path.startswith("[") else "."
        return replace(self, path=f"{path}{dot}{self.path}")


class FaultsFound(ValueError):
    """A body is wrong; ``faults`` are all that is wrong with it, at least one."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.path}: {fault.why}" for fault in self.faults))


def json_path(location: Iterable[int | str]) -> str:
    """Write where something stands in a body: ``properties.inputDirectories[0].id``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path
