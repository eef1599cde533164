"""Durations as the service writes them: ISO 8601, ``P7D`` or ``PT1H30M``."""

from __future__ import annotations

from datetime import timedelta

import isodate

MAX_WALL_CLOCK = timedelta(days=7)
"""Default of ``maxWallClockTime`` (recorded) and the longest run of a job (documented quota)."""


def read_duration(text: str) -> timedelta:
    """Read a duration; a month counts 30 days and a year 365, which no job may run anyway.

    Raises:
        ValueError: it is none, or it is not more than nothing.
    """
    try:
        found = isodate.parse_duration(text)
        if isinstance(found, isodate.Duration):
            months = int(found.years) * 12 + int(found.months)
            found = found.tdelta + timedelta(days=365 * (months // 12) + 30 * (months % 12))
    except (isodate.ISO8601Error, ValueError, OverflowError, TypeError) as error:
        raise ValueError("it is no ISO 8601 duration such as P7D or PT1H30M") from error
    if found <= timedelta(0):
        raise ValueError("it must be more than nothing")
    return timedelta(seconds=found.total_seconds())


def wall_clock(text: str) -> timedelta:
    """Read ``maxWallClockTime``; ValueError also for more than seven days."""
    found = read_duration(text)
    if found > MAX_WALL_CLOCK:
        raise ValueError("it must be more than nothing and at most P7D")
    return found
