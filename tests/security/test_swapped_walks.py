"""What a job swaps in its folders leads no walk of the emulator outside.

The list of all walks stands in ``docs/walks.md``. Those of Files and Blob are tried in
``tests/storage/test_swaps.py``, those of nodes in ``tests/engines/test_links.py``, the others here.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.local.cleaning import _removed
from batchai_scenario.backends.local.mending import salvage
from batchai_scenario.emulator.cluster.executionlog import ExecutionLog
from batchai_scenario.emulator.cluster.records import LogPlace
from batchai_scenario.emulator.cluster.servers import ServerDisks
from batchai_scenario.emulator.engines.control import drop_control, log_tail, lost_end, recorded_end
from batchai_scenario.emulator.engines.pinned import check_mounts
from batchai_scenario.emulator.engines.process.layer import layer_lines
from batchai_scenario.emulator.engines.supervisors import is_free
from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.launch.plan import Mount
from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from batchai_scenario.emulator.storage.shares import Shares
from tests.state.swapping import Swapping, moves, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SEEDS = range(30)
SECRET = "mine, and nobody else's"
SERVER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.BatchAI/fileServers/nfs"


class Place:
    """A home with a share, a node's disk and a file server, all of which a job writes."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.share = self.home.storage / "account" / "share"
        self.disk = self.home.nodes / "cluster" / "node"
        self.control = self.disk / "control" / "task-0"
        self.servers = ServerDisks(self.home)
        self.server = self.servers._folder(SERVER)
        self.aside = folder / "aside"
        self.out = folder / "out"
        for top in (self.share, self.disk / "system", self.control, self.server):
            for below in (top, top / "a", top / "a" / "b"):
                below.mkdir(parents=True, exist_ok=True)
                for name in ("precious", "log", "phase", "status", "begun", "alive"):
                    (below / name).write_text("theirs")

    def victims(self) -> Sequence[Path]:
        names = ("a", "a/b", "a/precious")
        inside = [top / name for top in (self.share, self.server) for name in names]
        return [*inside, *(self.disk / "system" / name for name in ("upper", "a")), *self.control.iterdir()]


def append(place: Place) -> None:
    ExecutionLog(LogPlace(str(place.share), "a/b"), ManualClock()).notice("a line of ours")


def add_up(place: Place) -> None:
    store = Store(place.home.database, Seal.at(place.home.seal_key))
    try:
        used = Shares(place.home, store).usage("account", "share")
    finally:
        store.close()
    assert used < 3 * 5 * len("theirs") + 20 * len(str(place.aside))  # what is outside has its own length


def find(place: Place) -> None:
    folder = place.servers.find(SERVER, "a/b")
    check_mounts(place.home.servers, [Mount(folder, folder)])  # type: ignore[arg-type]


def forget(place: Place) -> None:
    place.servers.drop(SERVER)


def lay(place: Place) -> None:
    layer_lines(place.disk, [])


def read_end(place: Place) -> None:
    end = recorded_end(place.control) or lost_end(place.control, None, "It is lost.")
    assert end.problem is not None
    assert SECRET not in end.problem.message + log_tail(place.control)


def look_for_lock(place: Place) -> None:
    assert is_free(place.control)


def drop(place: Place) -> None:
    drop_control(place.control)


def save(place: Place) -> None:
    salvage(place.home.root, place.out)
    for path in place.out.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert SECRET not in path.read_text(errors="replace")


def reset(place: Place) -> None:
    for folder in (place.home.storage, place.home.nodes):
        _removed(folder)


WORK = [append, add_up, find, forget, lay, read_end, look_for_lock, drop, save, reset]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "a" / "b").mkdir(parents=True)
    for below in (folder, folder / "a", folder / "a" / "b"):
        for name in ("precious", "log", "phase", "status", "execution.log"):
            (below / name).write_text(SECRET * 100)
    return folder


@pytest.mark.parametrize("work", WORK)
def test_swaps_at_random_moments_reach_nothing_outside(
    work: Callable[[Place], None], tmp_path: Path, outside: Path
) -> None:
    before = snapshot(outside)
    for seed in SEEDS:
        place = Place(tmp_path / str(seed))
        swapping = Swapping(place.victims(), outside, place.aside)
        with suppress(OSError, EngineError), moves().watch(swapping.seeded(seed)):
            work(place)
        assert snapshot(outside) == before, f"seed {seed}"


@pytest.mark.parametrize("work", WORK)
def test_one_swap_before_each_call_reaches_nothing_outside(
    work: Callable[[Place], None], tmp_path: Path, outside: Path
) -> None:
    before = snapshot(outside)
    quiet = Place(tmp_path / "quiet")
    with moves().watch(lambda _: None):
        work(quiet)
    for call in range(moves().count + 2):
        place = Place(tmp_path / str(call))
        victims = place.victims()
        swapping = Swapping(victims, outside, place.aside)
        with suppress(OSError, EngineError), moves().watch(swapping.at(call, call % len(victims))):
            work(place)
        assert snapshot(outside) == before, f"call {call}"
