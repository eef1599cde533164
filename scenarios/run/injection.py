"""Faults that a run is given on purpose: asked for on the command line, told as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.wrappers.faults import Rules, TellsFaults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.scenarios.record.model import RunRecord


def with_faults(
    backend: str, values: Mapping[str, str], faults: Sequence[str], seed: int
) -> tuple[str, dict[str, str]]:
    """Give the backend's name and options with faults around it; as they are if there are none.

    Raises:
        UserError: there is no such fault.
    """
    if not faults:
        return backend, dict(values)
    Rules.parse(faults)
    return "faulty", {**values, "of": backend, "faults": ";".join(faults), "seed": str(seed)}


def note_faults(record: RunRecord, backend: Backend, tell: Callable[[str], None]) -> None:
    """Write the faults that were made into the record, and tell those that are new."""
    if isinstance(backend, TellsFaults):
        for line in backend.injected()[len(record.injected) :]:
            record.injected.append(line)
            tell(f"injected fault: {line.partition(' ')[2]}")
