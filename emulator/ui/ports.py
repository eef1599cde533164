"""What the page shows and the emulator does not know: runs of scenarios, which their own room keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class RunBook(Protocol):
    """The runs of a home, as plain JSON values; callable from any thread. ``docs/ui.md`` has the shapes."""

    def runs(self) -> Sequence[dict[str, Any]]:
        """List all runs, the newest first: id, scenario, state, parameters, metrics, jobs."""
        ...

    def run(self, name: str) -> dict[str, Any] | None:
        """Give one run whole; None if there is none."""
        ...

    def series(self, name: str) -> Sequence[dict[str, Any]]:
        """Give every value of a run's metrics over time; empty if there is no such run or no value."""
        ...

    def compare(self, left: str, right: str) -> dict[str, Any] | None:
        """Say where two runs differ; None if one of them is not there."""
        ...
