"""What the command line does with emulators: serve, status, stop, reset, gc, env. Plain data comes back."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.backends.local.asking import ask
from batchai_scenario.backends.local.host import (
    AS_IT_COMES,
    LOOK_SECONDS,
    HomeTakenError,
    found_address,
    is_served,
    other_version,
    silent,
    start_emulator,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchai_scenario.backends.local.host import ServeOptions, Serving, Started
    from batchai_scenario.emulator.api import Address, Home

STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class EmulatorStatus:
    """Whether an emulator serves a home, and where.

    ``running_jobs``: names of the jobs that are not final, read from the home's state whether or not an
    emulator serves it. ``problem`` says why that state cannot be read, ``remedy`` what helps.
    ``notices``: what was not right with the home and was mended at the start, or that it is
    another version that serves it. ``page``: the address that opens its page, with the token in it.
    ``silence``: that the process which holds the home does not answer, and how to end it.
    """

    home: Path
    serving: bool
    url: str = ""
    pid: int = 0
    started_at: str = ""
    version: str = ""
    clusters: int = 0
    running_jobs: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    problem: str = ""
    remedy: str = ""
    page: str = field(default="", repr=False)
    silence: MachineError | None = None


def serve(
    home: Path,
    options: ServeOptions = AS_IT_COMES,
    ready: Callable[[EmulatorStatus], None] | None = None,
) -> None:
    """Serve a home until SIGTERM or Ctrl-C; call it from the main thread. ``ready`` hears when it answers.

    Raises:
        UserError: an account or a client cannot be read.
        MachineError: the home or the port is taken.
    """
    from batchai_scenario.emulator.api import Home, last_address

    # Two signals may come at once, one while the other is heard: what locks would then wait for itself.
    asked, asking = os.pipe()

    def end(*_: object) -> None:
        os.write(asking, b"end")

    # From the first moment: whoever sees it answer may end it at once.
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        started = _started(home, options)
        closer = threading.Thread(target=_close_after, args=(asked, started.server), name="emulator-end")
        closer.start()
        try:
            if ready is not None:
                ready(replace(_described(home, last_address(Home(home))), notices=started.notices))
            started.server.serve_forever()
        finally:
            started.server.close()
            end()
            closer.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(asked)
        os.close(asking)


def _started(home: Path, options: ServeOptions) -> Started:
    from batchai_scenario.emulator.api import Home, read_address

    try:
        return start_emulator(home, options)
    except HomeTakenError:
        if read_address(Home(home)) is None:
            raise silent(home) from None
        raise


def _close_after(asked: int, server: Serving) -> None:
    os.read(asked, 1)
    server.close()


def status(home: Path) -> EmulatorStatus:
    """Look at a home; starts nothing."""
    from batchai_scenario.emulator.api import Home, read_address

    return _described(home, read_address(Home(home)))


def _described(home: Path, found: Address | None) -> EmulatorStatus:
    problem: MachineError | None = None
    clusters: frozenset[str] = frozenset()
    jobs: tuple[str, ...] = ()
    try:
        clusters, jobs = live(home)
    except MachineError as error:
        problem = error
    serving = found is not None or is_served(home)
    said = EmulatorStatus(
        home,
        serving=serving,
        clusters=len(clusters),
        running_jobs=jobs,
        problem=problem.message if problem else "",
        remedy=problem.remedy if problem else "",
        silence=silent(home) if serving and found is None else None,
    )
    if found is None:
        return said
    return replace(
        said,
        url=found.url,
        pid=found.pid,
        started_at=found.started_at,
        version=found.version,
        notices=other_version(found.version),
        page=found.page_url,
    )


def live(home: Path) -> tuple[frozenset[str], tuple[str, ...]]:
    """Read (guids of clusters, names of jobs that are not final) from a home's state.

    Raises:
        MachineError: it cannot be read.
    """
    import sqlite3

    from batchai_scenario.emulator.api import REMEDY, EmulatorError, Home, HomeDamaged
    from batchai_scenario.emulator.api import check_home as check

    place = Home(home)
    try:
        check(place)
        return _read_live(place) if place.database.exists() else (frozenset(), ())
    except HomeDamaged as error:
        raise MachineError(f"{error.path}: {error.reason}.", remedy=error.remedy) from error
    except EmulatorError as error:
        raise MachineError(str(error)) from error
    except (sqlite3.Error, KeyError, ValueError, TypeError) as error:
        raise MachineError(f"{place.database}: it is damaged ({error}).", remedy=REMEDY) from error


def _read_live(place: Home) -> tuple[frozenset[str], tuple[str, ...]]:
    from batchai_scenario.emulator.api import ResourceRecords, Seal, Store

    store = Store(place.database, Seal.at(place.seal_key))
    try:
        records = ResourceRecords(store)
        clusters = frozenset(cluster.guid for cluster in records.all_clusters())
        return clusters, tuple(job.key.name for job in records.live_jobs() if not job.execution_state.final)
    finally:
        store.close()


def stop(home: Path) -> bool:
    """Stop the emulator that serves a home; False if none does. Its jobs go on.

    One that is just starting is stopped when it answers, one that is just ending is waited for.

    Raises:
        MachineError: it does not answer, refuses, or does not end in time.
    """
    from batchai_scenario.emulator.api import Home, read_address

    if not is_served(home):
        return False
    deadline = time.monotonic() + STOP_SECONDS
    asked: Address | None = None
    while is_served(home):
        if asked is None:
            found = read_address(Home(home))
            if found is not None and _ask_to_stop(found):
                asked = found
        if time.monotonic() > deadline:
            if asked is None:
                raise silent(home)
            raise MachineError(
                f"the emulator (process {asked.pid}) does not end.", remedy="Try again, or end it by its id."
            )
        time.sleep(LOOK_SECONDS)
    return True


def preempt(home: Path, cluster: str, node: str = "") -> str:
    """Take a low-priority node of a cluster (id or name) away, as the service could at any moment.

    Its job goes back to the queue, and the cluster gets another node. ``node``: its id; empty: one that runs
    a job, if one does. Gives the node's id.

    Raises:
        MachineError: no emulator serves the home.
        UserError: there is no such node, or the cluster is not of low priority.
    """
    import requests

    found = found_address(home)
    try:
        answer = ask(found, "preempt", STOP_SECONDS, {"cluster": cluster, "node": node})
        told = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise MachineError(
            f"the emulator (process {found.pid}) does not answer.",
            remedy="Look at 'scenario emulator logs'; 'scenario emulator stop' ends it.",
        ) from error
    if not answer.ok:
        raise UserError(str(told["error"]["message"]))
    return str(told["node"])


def _ask_to_stop(found: Address) -> bool:
    """Ask an emulator to stop; False if it closed before it heard, or said nothing."""
    import requests

    try:
        answer = ask(found, "stop", STOP_SECONDS)
    except requests.RequestException:
        return False
    if not answer.ok:
        raise MachineError(
            f"the emulator (process {found.pid}) refuses to stop (HTTP {answer.status_code}).",
            remedy="End it by its id.",
        )
    return True


def environment(home: Path) -> dict[str, str]:
    """Give the variables that point the backend ``azure`` straight at the emulator that serves a home.

    Raises:
        MachineError: none serves it.
    """
    from batchai_scenario.backends.local.doors import doors_of
    from batchai_scenario.backends.local.settings import local_settings, own_credentials
    from batchai_scenario.backends.settings import SETTINGS

    found = found_address(home)
    settings = local_settings(found.url, own_credentials(home))
    variables = {
        setting.variable: str(getattr(settings, setting.name))
        for setting in SETTINGS
        if setting.name != "storage_suffix"
    }
    return {**variables, "SCENARIO_STORAGE_CONNECTION_STRING": doors_of(home).connection_string}
