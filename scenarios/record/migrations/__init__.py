"""How a run record of an earlier format becomes one of this: one numbered file for each step.

A step is never changed once a release wrote records with it; a change of what a record holds is a new file
here and its line in ``MIGRATIONS``. A record is migrated when it is read, and written in the new format only
by whoever owns its run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.scenarios.record.migrations import m0002_unsaved

if TYPE_CHECKING:
    from collections.abc import Callable

MIGRATIONS: tuple[Callable[[dict[str, Any]], None], ...] = (m0002_unsaved.apply,)
"""Step n makes format n + 2 from format n + 1, in place: records begin with format 1."""

FORMAT = len(MIGRATIONS) + 1
"""The format of the records that this program writes."""


class RecordTooNew(ValueError):
    """A record was written by a newer version of this program; it is left as it is."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"a newer version of the program wrote it: its format is {version}, this one reads up to {FORMAT}"
        )


def migrate(data: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever stood in the file
    """Bring a record's JSON to this format.

    Raises:
        RecordTooNew: it is of a newer format.
        ValueError: it is no record.
    """
    version = data.get("format", 1) if isinstance(data, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ValueError("it is damaged")
    if version > FORMAT:
        raise RecordTooNew(version)
    record: dict[str, Any] = data
    for step in MIGRATIONS[version - 1 :]:
        step(record)
    record["format"] = FORMAT
    return record
