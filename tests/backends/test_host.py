"""The emulator behind ``local``: one for each home, and another process takes over when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends import local
from batchai_scenario.backends.base import BackendOptions, JobState, Place
from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.backends.local.host import Host, ServeOptions, Started, is_served, start_emulator
from batchai_scenario.backends.testing.bench import Bench
from batchai_scenario.backends.testing.world import World
from batchai_scenario.emulator.engines.process.namespace import namespaces_missing
from batchai_scenario.emulator.serving import HomeLock
from batchai_scenario.emulator.state.home import Home
from tests.lacking import NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SERVE = (
    "import sys; from pathlib import Path; from batchai_scenario.backends import local; "
    "local.serve(Path(sys.argv[1]))"
)


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def served(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the home from another process."""
    with subprocess.Popen([sys.executable, "-c", SERVE, str(home)]) as process:
        until(lambda: bool(local.status(home).url))
        yield process
        process.kill()


@pytest.fixture
def host(home: Path) -> Iterator[Host]:
    made = Host(home, lambda port: start_emulator(home, ServeOptions(port=port)))
    yield made
    made.close()


def test_a_second_client_connects_and_takes_over_on_the_same_port(home: Path, host: Host) -> None:
    first = Host(home, lambda port: start_emulator(home, ServeOptions(port=port)))
    assert (first.open(), first.in_process) == (first.url, True)
    assert (host.open(), host.in_process) == (first.url, False)
    first.close()
    until(lambda: host.in_process)
    assert host.url == first.url
    assert local.status(home).url == first.url
    host.close()
    assert not is_served(home)


def test_an_emulator_that_an_upgrade_left_running_is_named_with_the_way_to_the_new_one(
    home: Path, host: Host, served: subprocess.Popen[bytes]
) -> None:
    assert (host.open(), host.notices, local.status(home).notices) == (host.url, (), ())
    note = Home(home).address_file
    note.write_text(json.dumps({**json.loads(note.read_text()), "version": "0.0.9"}))
    late = Host(home, lambda port: start_emulator(home, ServeOptions(port=port)))
    late.open()
    late.close()
    (notice,) = late.notices
    assert "version 0.0.9" in notice
    assert "'scenario emulator stop'" in notice
    assert local.status(home).notices == late.notices
    run = [sys.executable, "-m", "batchai_scenario.scenarios", "emulator", "exec", "--", "true"]
    around = {**os.environ, "SCENARIO_HOME": str(home)}
    told = subprocess.run(run, env=around, capture_output=True, text=True, check=True)
    assert told.stderr == f"{notice}\n"
    assert served.poll() is None, "it was not told to end"


def test_a_killed_emulator_is_taken_over_and_requests_go_on(
    home: Path, served: subprocess.Popen[bytes]
) -> None:
    backend = local.open_backend(BackendOptions(home))
    try:
        assert backend.details()["emulator"] == "found serving"
        backend.ensure_share("share")
        served.kill()
        assert backend.list_share("share") == []
        assert backend.ensure_place(Place("g", "eastus", "w", "e")) is True
        assert backend.details()["emulator"] == "in process"
    finally:
        backend.close()
    assert not is_served(home)


def test_a_start_that_fails_ends_as_an_error_and_a_busy_port_is_waited_for(home: Path) -> None:
    def fails(_port: int) -> Started:
        raise MachineError("no room")

    with pytest.raises(MachineError, match="no room"):
        Host(home, fails).open()
    first = Host(home, lambda port: start_emulator(home, ServeOptions(port=port)))
    first.open()
    tries: list[int] = []
    several = threading.Event()

    def busy(port: int) -> Started:
        tries.append(port)
        if len(tries) > 2:
            several.set()
        raise MachineError("the port is taken")

    second = Host(home, busy)
    second.open()
    first.close()
    assert several.wait(30)
    second.close()
    assert len({*tries}) == 1
    assert first.url.endswith(f":{tries[0]}")


def test_serve_ends_with_a_signal_and_with_a_request(home: Path, served: subprocess.Popen[bytes]) -> None:
    status = local.status(home)
    assert (status.serving, status.pid, status.running_jobs) == (True, served.pid, ())
    variables = local.environment(home)
    assert variables["AZURE_RESOURCE_MANAGER"] == status.url
    assert variables["AZURE_STORAGE_FILE_URL"].startswith(f"{status.url}/")
    assert local.stop(home) is True
    assert served.wait(20) == 0
    assert local.stop(home) is False
    with subprocess.Popen([sys.executable, "-c", SERVE, str(home)]) as again:
        until(lambda: bool(local.status(home).url))
        os.kill(again.pid, signal.SIGTERM)
        assert again.wait(20) == 0
    assert not local.status(home).serving
    with pytest.raises(MachineError, match="emulator serve"):
        local.environment(home)


def test_serve_ends_with_signals_of_which_one_interrupts_the_other(home: Path) -> None:
    def signalled(_: object) -> None:
        heard = signal.getsignal(signal.SIGTERM)
        assert callable(heard)
        interrupt: Callable[..., None] = lambda *_: heard(signal.SIGTERM, None)  # noqa: E731
        sys.setprofile(interrupt)  # wherever Python may hear a signal
        try:
            heard(signal.SIGTERM, None)
        finally:
            sys.setprofile(None)

    local.serve(home, ready=signalled)
    assert not local.status(home).serving


def test_an_emulator_that_is_just_ending_is_waited_for(home: Path) -> None:
    place = Home(home)
    place.make()
    lock = HomeLock(place)
    lock.take()  # as one that has taken its address away already, or has none yet
    ending = threading.Timer(0.3, lock.release)
    ending.start()
    assert local.stop(home) is True
    ending.join()


def test_an_emulator_that_is_just_starting_is_stopped_when_it_answers(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE, str(home)]) as process:
        until(lambda: is_served(home))
        assert local.stop(home) is True
        assert process.wait(20) == 0


def test_an_emulator_that_says_nothing_is_named_by_all_with_the_way_to_end_it(home: Path) -> None:
    """It hangs, was stopped, or its machine sleeps: it holds the home, and nobody answers."""
    place = Home(home)
    place.make()
    lock = HomeLock(place)
    lock.take()
    found = local.status(home)
    assert (found.serving, found.url) == (True, "")
    told = [str(found.silence)]
    for ask in (local.environment, local.found_address, local.serve, partial(local.preempt, cluster="c")):
        with pytest.raises(MachineError) as caught:
            ask(home)
        told.append(str(caught.value))
    for said in told:
        assert f"(process {os.getpid()}) and does not answer" in said
        assert f"'kill -9 {os.getpid()}'" in said
    lock.release()
    assert local.status(home).silence is None


def test_a_home_that_is_served_cannot_be_served_again(home: Path, host: Host) -> None:
    host.open()
    with pytest.raises(MachineError, match="serves"):
        start_emulator(home)


@pytest.mark.skipif(bool(namespaces_missing()), reason=f"lacks {NAMESPACES}: {namespaces_missing()}")
def test_an_emulator_that_nobody_can_reach_is_told_at_once(home: Path) -> None:
    begin = (
        "import pathlib, sys\n"
        "from batchai_scenario.backends.errors import MachineError\n"
        "from batchai_scenario.backends.local.host import start_emulator\n"
        "try:\n"
        "    start_emulator(pathlib.Path(sys.argv[1]))\n"
        "except MachineError as error:\n"
        "    print(error)\n"
    )
    without_loopback = ["unshare", "--user", "--map-root-user", "--net"]
    program = [*without_loopback, sys.executable, "-c", begin, str(home)]
    told = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    assert "cannot be reached there" in told
    assert not is_served(home)


def test_the_backend_azure_works_with_what_env_prints(home: Path, host: Host) -> None:
    from batchai_scenario.backends.registry import Registry

    host.open()
    backend = Registry([]).open("azure", BackendOptions(home, {}, local.environment(home)))
    assert backend.ensure_place(Place("g", "eastus", "w", "e")) is True
    backend.ensure_share("share")
    assert backend.list_share("share") == []
    backend.close()


def test_reset_refuses_while_jobs_run_and_then_leaves_only_caches(home: Path, exercise_process: None) -> None:
    backend = local.open_backend(BackendOptions(home, {"engine": "process", "gpus": "none"}))
    world = World(Bench("local", home.parent, lambda _: backend))
    world.cluster()
    job = world.running("endless", "for-ever")
    with pytest.raises(UserError, match="for-ever"):
        local.reset(home)
    backend.close()
    (home / "cache" / "kept").write_text("kept")
    assert local.status(home).running_jobs == ("for-ever",)
    local.gc(home)  # may find what lost homes of other tests left, but keeps what is ours
    again = local.open_backend(BackendOptions(home))
    assert again.get_job(job.id).state is JobState.RUNNING
    again.close()
    removed = local.reset(home, force=True)
    assert f"removed {home / 'storage'}" in removed
    assert {item.name for item in home.iterdir()} <= {"cache", "emulator.lock"}
    assert (home / "cache" / "kept").exists()
    assert local.status(home).running_jobs == ()


def test_gc_of_a_home_that_never_was_does_nothing(home: Path) -> None:
    assert local.gc(home) == []
    assert not home.exists()


def test_a_job_outlives_the_process_that_submitted_it(home: Path, exercise_process: None) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from batchai_scenario.backends import local\n"
        "from batchai_scenario.backends.base import BackendOptions\n"
        "from batchai_scenario.backends.testing.bench import Bench\n"
        "from batchai_scenario.backends.testing.world import World\n"
        "home = Path(sys.argv[1])\n"
        "backend = local.open_backend(BackendOptions(home, {'engine': 'process', 'gpus': 'none'}))\n"
        "world = World(Bench('local', home.parent, lambda _: backend))\n"
        "world.cluster()\n"
        "slow = {'commandLine': 'sleep 2; exit 5'}\n"
        "print(world.submit('succeed', 'slow', customToolkitSettings=slow).id, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        job_id = run.stdout.readline().strip()
        run.kill()
    backend = local.open_backend(BackendOptions(home, {"engine": "process", "gpus": "none"}))
    world = World(Bench("local", home.parent, lambda _: backend))
    try:
        end = world.end(backend.get_job(job_id))
        assert (end.state, end.exit_code) == (JobState.FAILED, 5)
        backend.delete_place(Place(job_id.split("/")[4], "eastus", "workspace", "experiment"))
    finally:
        backend.close()


def test_gc_leaves_a_served_home_to_its_emulator(home: Path, exercise_process: None) -> None:
    backend = local.open_backend(BackendOptions(home, {"engine": "process", "gpus": "none"}))
    world = World(Bench("local", home.parent, lambda _: backend))
    try:
        world.cluster()
        job = world.running("endless", "job")
        local.gc(home)
        assert backend.get_job(job.id).state is JobState.RUNNING
        assert backend.get_cluster(world.place, "nodes").nodes["running"] == 1
    finally:
        backend.delete_place(world.place)
        backend.close()
