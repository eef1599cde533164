"""How a check says that a rule is broken."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.backends.errors import ScenarioError


class BrokenRuleError(AssertionError):
    """A backend does not keep a rule."""


def same(found: object, wanted: object, what: str = "") -> None:
    """Demand that two values are equal; ``what`` says what they are."""
    if found != wanted:
        of = f"{what}: " if what else ""
        raise BrokenRuleError(f"{of}found {_short(found)}, wanted {_short(wanted)}")


def holds(found: object, what: str) -> None:
    """Demand that something is true; ``what`` says what is wrong if it is not."""
    if not found:
        raise BrokenRuleError(what)


@dataclass
class Refusal:
    """An error that was demanded; ``error`` is set when it came."""

    error: ScenarioError | None = None

    @property
    def field(self) -> str:
        """The field that the error names."""
        return str(getattr(self.error, "field", ""))


@contextmanager
def refuses(kind: type[ScenarioError], what: str = "it") -> Iterator[Refusal]:
    """Demand that what happens inside raises an error of this kind; ``what`` was asked for."""
    refusal = Refusal()
    try:
        yield refusal
    except kind as error:
        refusal.error = error
    else:
        raise BrokenRuleError(f"{what} was accepted; wanted {kind.__name__}")


def _short(value: object) -> str:
    """Write a value in at most 400 characters: its beginning and its end."""
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:200]} ... {text[-190:]}"  # noqa: PLR2004 - as said
