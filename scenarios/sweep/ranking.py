"""A sweep's jobs in their order, told as an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.scenarios.record.ranking import ranked, value_of
from batchai_scenario.scenarios.report import events as e

if TYPE_CHECKING:
    from batchai_scenario.scenarios.record.model import RunRecord


def ranking(record: RunRecord) -> e.Ranked:
    """Give a sweep's jobs in their order, the best first."""
    part = record.sweep
    return e.Ranked(
        part.metric if part else "",
        part.goal if part else "",
        tuple(
            e.RankedPoint(name, dict(job.parameters), job.state, value_of(record, job), not job.reasons)
            for name, job in ((name, record.jobs[name]) for name in ranked(record))
        ),
    )
