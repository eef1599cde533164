"""The order of a sweep's jobs: the best first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchai_scenario.scenarios.record.model import JobPart, RunRecord


def value_of(record: RunRecord, job: JobPart) -> float | None:
    """Give what a sweep's job is ranked by; None if it has none: it did not end, failed, or printed none."""
    metric = record.sweep.metric if record.sweep else ""
    return job.metrics.get(metric) if job.final else None


def ranked(record: RunRecord) -> list[str]:
    """Give the names of a sweep's jobs, the best first, those without a value last, else in their order."""
    worst = -1.0 if record.sweep and record.sweep.goal == "max" else 1.0

    def key(name: str) -> tuple[bool, float]:
        value = value_of(record, record.jobs[name])
        return (True, math.inf) if value is None else (False, worst * value)

    return sorted(record.jobs, key=key)
