"""The loop that owns every transition."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.cluster.loop import Loop, LoopClosed, Workers
from batchai_scenario.emulator.state.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def loop(clock: ManualClock) -> Iterator[Loop]:
    loop = Loop(clock)
    loop.start()
    yield loop
    loop.close()


def test_asking_gives_the_answer_or_the_exception(loop: Loop) -> None:
    assert loop.ask(lambda: threading.current_thread().name) == "cluster"
    with pytest.raises(ZeroDivisionError):
        loop.ask(lambda: 1 // 0)


def test_actions_run_in_order(loop: Loop) -> None:
    seen: list[int] = []
    for number in range(100):
        loop.post(lambda number=number: seen.append(number))  # type: ignore[misc]
    loop.ask(lambda: None)
    assert seen == list(range(100))


def test_timers_run_when_their_time_has_come(loop: Loop, clock: ManualClock) -> None:
    seen: list[str] = []
    start = clock.now()
    loop.ask(lambda: loop.at(start.replace(hour=14), lambda: seen.append("late")))
    loop.ask(lambda: loop.at(start.replace(hour=13), lambda: seen.append("early")))
    clock.advance(hours=1)
    loop.wait_until(lambda: seen == ["early"], 10)
    clock.advance(hours=1)
    loop.wait_until(lambda: seen == ["early", "late"], 10)


def test_a_bug_in_an_action_is_logged_and_the_loop_goes_on(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "emulator"):
        loop.post(lambda: 1 // 0)
        assert loop.ask(lambda: 5) == 5
    assert "ZeroDivisionError" in caplog.text


def test_a_closed_loop_says_so_also_to_those_who_wait(clock: ManualClock) -> None:
    loop = Loop(clock)
    with pytest.raises(LoopClosed):
        loop.ask(lambda: None)
    loop.start()
    holding, told = threading.Event(), threading.Event()
    loop.post(lambda: holding.wait(10))

    def ask() -> None:
        with pytest.raises(LoopClosed):
            loop.ask(lambda: None)
        told.set()

    waiting = threading.Thread(target=ask)
    waiting.start()
    loop.close(timeout=0)
    assert told.wait(10)
    holding.set()
    waiting.join()
    loop.close()


def test_one_worker_for_each_key(loop: Loop) -> None:
    workers, gate = Workers(loop), threading.Event()
    ends: list[object] = []
    for _ in range(2):
        loop.ask(lambda: workers.begin("key", lambda: gate.wait(10), ends.append))
    assert loop.ask(lambda: workers.busy("key"))
    gate.set()
    loop.wait_until(lambda: ends, 10)
    assert ends == [True]
    assert not loop.ask(lambda: workers.busy("key"))


def test_a_workers_exception_is_its_outcome(loop: Loop) -> None:
    workers = Workers(loop)
    ends: list[object] = []
    loop.ask(lambda: workers.begin("key", lambda: 1 // 0, ends.append))
    (error,) = loop.wait_until(lambda: ends, 10)
    assert isinstance(error, ZeroDivisionError)


def test_waiting_ends_in_time(loop: Loop) -> None:
    with pytest.raises(TimeoutError):
        loop.wait_until(lambda: False, 0.01)
