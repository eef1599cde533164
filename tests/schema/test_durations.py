"""One grammar of durations: ISO 8601's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from batchai_scenario.schema.durations import read_duration, wall_clock


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P7D", timedelta(days=7)),
        ("P1W", timedelta(days=7)),
        ("PT1H30M", timedelta(hours=1, minutes=30)),
        ("P1DT2H3M4.5S", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("P1Y", timedelta(days=365)),
        ("P2M", timedelta(days=60)),
    ],
)
def test_durations_are_read(text: str, expected: timedelta) -> None:
    assert read_duration(text) == expected


@pytest.mark.parametrize("text", ["", "P", "1h", "an hour", "PT0S", "-P1D", "P99999999999999999999D"])
def test_what_is_none_or_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is no ISO 8601 duration|more than nothing"):
        read_duration(text)


@pytest.mark.parametrize("text", ["P8D", "P2W", "P1M", "P1Y"])
def test_no_job_runs_for_more_than_seven_days(text: str) -> None:
    with pytest.raises(ValueError, match="at most P7D"):
        wall_clock(text)
