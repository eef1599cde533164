"""What is found out once is found out once, by however many threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from batchai_scenario.emulator import engines
from batchai_scenario.emulator.lazy import LazyProperty

THREADS = 8


class Thing:
    """Counts how often its value is made."""

    def __init__(self) -> None:
        self.made = 0
        self.begun = threading.Event()
        self.go_on = threading.Event()

    @LazyProperty
    def value(self) -> object:
        """Give something new, slowly."""
        self.made += 1
        self.begun.set()
        self.go_on.wait(30)
        return object()

    @LazyProperty
    def failing(self) -> object:
        """Raise the first time."""
        self.made += 1
        if self.made == 1:
            raise OSError(self.made)
        return self.made


def test_threads_share_what_one_of_them_makes() -> None:
    thing = Thing()
    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.submit(lambda: thing.value)
        assert thing.begun.wait(30)
        others = [pool.submit(lambda: thing.value) for _ in range(THREADS - 1)]
        thing.go_on.set()
        found = {id(future.result(30)) for future in (first, *others)}
    assert len(found) == 1
    assert thing.made == 1


def test_what_raised_is_tried_again() -> None:
    thing = Thing()
    with pytest.raises(OSError, match="1"):
        _ = thing.failing
    assert (thing.failing, thing.failing, thing.made) == (2, 2, 2)


def test_no_engine_has_what_two_threads_could_make_twice() -> None:
    sources = Path(engines.__file__).resolve().parent.rglob("*.py")
    assert [path.name for path in sources if "cached_property" in path.read_text(encoding="utf-8")] == []
