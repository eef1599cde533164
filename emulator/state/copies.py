"""Copies of what a home cannot do without: made at each clean stop and each day, in folders of their own.

A copy is ``<home>/emulator/copies/<UTC time>-stop`` or ``-day``, with the database, the seal key and the
credentials. The last of a stop and the last three of a day are kept.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.home import Home
    from batchai_scenario.emulator.state.store import Store

STOP, DAY = "stop", "day"
_KEPT = {STOP: 1, DAY: 3}
_EVERY = timedelta(days=1)
_FORM = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy: its folder, when and why it was made."""

    folder: Path
    made: datetime
    why: str


def copies(home: Home) -> list[Copy]:
    """List the copies of a home, the newest first."""
    found = []
    try:
        names = [entry.name for entry in home.copies.iterdir()]
    except OSError:
        return []
    for name in names:
        time, _, why = name.partition("-")
        try:
            made = datetime.strptime(time, _FORM).replace(tzinfo=timezone.utc)
        except ValueError:
            continue  # a draft
        if why in _KEPT:
            found.append(Copy(home.copies / name, made, why))
    return sorted(found, key=lambda copy: copy.made, reverse=True)


def keep(home: Home, store: Store, now: datetime, why: str) -> Copy:
    """Make a copy, then remove those that it makes too many; OSError or sqlite3.Error if it cannot be."""
    newest = copies(home)[:1]
    if newest and now < newest[0].made:  # the clock was set back; what was made last is the newest
        now = newest[0].made + timedelta(seconds=1)
    copy = Copy(home.copies / f"{now.astimezone(timezone.utc):{_FORM}}-{why}", now, why)
    draft = home.copies / f".{uuid.uuid4().hex}"
    draft.mkdir(mode=0o700, parents=True)
    try:
        store.copy_to(draft / home.database.name)
        for file in (home.seal_key, home.credentials):
            shutil.copy2(file, draft)
            _settle(draft / file.name)
        _make_sure(draft / home.database.name)
        shutil.rmtree(copy.folder, ignore_errors=True)
        draft.rename(copy.folder)
        _settle(home.copies)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for old in [one for one in copies(home) if one.why == why][_KEPT[why] :]:
        shutil.rmtree(old.folder, ignore_errors=True)
    return copy


def _make_sure(database: Path) -> None:
    """See that a copy is whole and on the disk: a damaged one must not take a good one's place."""
    with closing(sqlite3.connect(database)) as db:
        (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise sqlite3.DatabaseError(said)
    _settle(database)


def _settle(path: Path) -> None:
    """See that a file with its name, or a folder, is on the disk: a power cut may empty it otherwise."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def keep_copies(
    held: ExitStack, home: Home, store: Store, clock: Clock, report: Callable[[str], None]
) -> None:
    """Copy each day from now on, in a thread, and once more when ``held`` is unwound.

    What a home cannot do without is put on the disk first, in that thread: nobody waits for it.
    ``report`` hears of copies that could not be made: that stops nothing else.
    """
    ending = threading.Event()
    copied = -1

    def copy(why: str) -> None:
        nonlocal copied
        changes = store.changes
        if changes == copied:
            return
        try:
            keep(home, store, clock.now(), why)
            copied = changes
        except (OSError, sqlite3.Error) as error:
            report(f"no copy of the state could be made: {error}")

    begun = min(clock.now(), max((one.made for one in copies(home) if one.why == DAY), default=clock.now()))

    def each_day() -> None:
        try:
            for file in (home.seal_key, home.credentials):
                _settle(file)
        except OSError as error:
            report(f"{home.root} could not be put on its disk: {error.strerror}")
        last = begun
        while not clock.wait(ending, last + _EVERY):
            last = clock.now()
            copy(DAY)

    thread = threading.Thread(target=each_day, name="emulator-copies", daemon=True)
    thread.start()

    def end() -> None:
        ending.set()
        thread.join()
        if store.changes or not copies(home):
            copy(STOP)

    held.callback(end)
