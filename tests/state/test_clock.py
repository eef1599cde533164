"""Time: how it is told, waited for and written."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchai_scenario.emulator.state.clock import EvenClock, ManualClock, SystemClock, parse_time, wire_time


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (900, "2018-06-06T12:00:09.9Z"),
        (470, "2018-06-06T12:00:09.47Z"),
        (0, "2018-06-06T12:00:09Z"),
        (1, "2018-06-06T12:00:09.001Z"),
    ],
)
def test_times_are_written_as_the_service_does(milliseconds: int, text: str) -> None:
    value = datetime(2018, 6, 6, 12, 0, 9, milliseconds * 1000, tzinfo=timezone.utc)
    assert wire_time(value) == text
    assert parse_time(text) == value


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(timezone.utc)))  # noqa: DTZ001
def test_times_come_back_to_the_millisecond(value: datetime) -> None:
    cut = value.replace(microsecond=value.microsecond // 1000 * 1000)
    assert parse_time(wire_time(value)) == cut


@pytest.mark.parametrize("kind", [SystemClock, EvenClock])
def test_clocks_of_the_machine_are_utc_in_milliseconds_c1(kind: type[SystemClock]) -> None:
    clock = kind()
    times = [clock.now() for _ in range(200)]
    assert times == sorted(times)
    assert all(value.tzinfo is timezone.utc and value.microsecond % 1000 == 0 for value in times)


def test_an_even_clock_begins_with_the_machines_and_does_not_see_it_set() -> None:
    machine, seconds = ManualClock(), [500.0]
    even = EvenClock(machine, lambda: seconds[0])
    begun = even.now()
    assert begun == machine.now()
    for hours in (1, -1, -1, 1):
        machine.advance(hours=hours)
        seconds[0] += 2
    assert even.now() == begun + timedelta(seconds=8)


@pytest.mark.parametrize(
    "clock", [SystemClock(), EvenClock(), ManualClock()], ids=["system", "even", "manual"]
)
def test_waiting_ends_with_the_event_c2(clock: SystemClock | ManualClock) -> None:
    event = threading.Event()
    threading.Timer(0.02, event.set).start()
    assert clock.wait(event, clock.now() + timedelta(hours=1))
    assert clock.wait(event)
    assert clock.wait(event, clock.now() - timedelta(hours=1))


def test_waiting_ends_with_the_time_c2() -> None:
    event = threading.Event()
    system, manual = SystemClock(), ManualClock()
    before = time.monotonic()
    assert not system.wait(event, system.now() + timedelta(milliseconds=30))
    assert time.monotonic() - before > 0.02
    mover = threading.Timer(0.02, lambda: manual.advance(hours=2))
    mover.start()
    assert not manual.wait(event, manual.now() + timedelta(hours=1))
    mover.join()
