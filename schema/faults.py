"""What is wrong with a body, as data: everybody who checks one says it alike, and whoever asked words it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["unknown", "invalid", "unsupported"]
"""``unknown``: there is no such property; ``invalid``: its value is wrong or missing; ``unsupported``: the
service takes it, this place does not."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    ``path`` is the property's, ``properties.jobPreparation.commandLine``; ``why`` goes on where a sentence
    about it stops: ``it is required``. Values are not repeated: they may be secret.
    """

    path: str
    why: str
    kind: FaultKind = "invalid"

    def below(self, path: str) -> Fault:
        """Give the same fault with ``path`` before its own."""
        return Fault(f"{path}.{self.path}" if self.path else path, self.why, self.kind)
