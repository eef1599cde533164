"""Whether what a home keeps can be read: looked at without changing anything."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from batchai_scenario.emulator.errors import EmulatorError, HomeDamaged
from batchai_scenario.emulator.state.seal import Seal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchai_scenario.emulator.state.home import Home

HEADER = b"SQLite format 3\0"

REMEDY = (
    "'scenario emulator repair' puts the last good copy in its place, 'scenario emulator salvage DIR' brings "
    "files and run records out, 'scenario emulator reset --force' begins anew."
)


def problems(home: Home) -> list[EmulatorError]:
    """List what is damaged; empty if nothing is, or if there is no home yet."""
    return [*_of_state(home.database, home.seal_key, lost=was_made(home)), *_of_credentials(home)]


def check(home: Home) -> None:
    """Refuse a home whose state was lost, before an empty one is taken for it.

    Raises:
        HomeDamaged: the database is not there, or holds nothing, though there was one.
    """
    for problem in _lost(home.database, was_made(home)):
        raise problem


def was_made(home: Home) -> bool:
    """Tell whether there must be a database: copies of one are there, or nodes of its clusters."""
    return any(_has_entries(folder) for folder in (home.copies, home.nodes))


def _has_entries(folder: Path) -> bool:
    try:
        return any(True for _ in folder.iterdir())
    except OSError:
        return False


def _lost(database: Path, made: bool) -> Iterator[HomeDamaged]:  # noqa: FBT001 - said by its name
    try:
        empty = database.stat().st_size == 0
    except FileNotFoundError:
        if made:
            yield HomeDamaged(str(database), "it is not there any more", REMEDY)
        return
    except OSError:
        return  # whoever opens it says why
    if empty:
        yield HomeDamaged(str(database), "it is empty, and was not", REMEDY)


def _of_state(database: Path, seal_key: Path, *, lost: bool) -> Iterator[EmulatorError]:
    gone = list(_lost(database, lost))
    yield from gone
    seal: Seal | None = None
    if seal_key.exists():
        try:
            seal = Seal.at(seal_key)
        except HomeDamaged as error:
            yield error
    if gone or not database.exists():
        return
    try:
        yield from _of_database(database, seal)
    except (sqlite3.DatabaseError, OSError) as error:
        yield HomeDamaged(str(database), f"it is damaged ({error})", REMEDY)


def _of_database(path: Path, seal: Seal | None) -> Iterator[HomeDamaged]:
    with path.open("rb") as file:
        if file.read(len(HEADER)) != HEADER:
            yield HomeDamaged(str(path), "it is damaged (no database begins like this)", REMEDY)
            return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
        (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            yield HomeDamaged(str(path), f"it is damaged ({said})", REMEDY)
            return
        bad = unreadable(db)
        if bad:
            named = ", ".join(f"{kind} {id_}" for kind, id_ in bad[:3]) + (", ..." if len(bad) > 3 else "")  # noqa: PLR2004
            yield HomeDamaged(str(path), f"it holds what cannot be read ({named})", REMEDY)
        if seal is not None and not opens(db, seal):
            text = f"its secrets were sealed with another key than {path.with_name('seal.key')}"
            yield HomeDamaged(str(path), text, REMEDY)


def unreadable(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """List kind and id of the documents that are none."""
    found = []
    for kind, id_, body in db.execute("SELECT kind, id, CAST(body AS BLOB) FROM documents"):
        try:
            whole = isinstance(json.loads(body), dict)
        except (ValueError, TypeError):
            whole = False
        if not whole:
            found.append((str(kind), str(id_)))
    return found


def opens(db: sqlite3.Connection, seal: Seal) -> bool:
    """Tell whether a key is the one that a database's secrets were sealed with."""
    from cryptography.fernet import InvalidToken

    row = db.execute("SELECT sealed FROM documents WHERE sealed IS NOT NULL LIMIT 1").fetchone()
    if row is None:
        return True
    try:
        seal.open(row[0])
    except (InvalidToken, ValueError, TypeError):
        return False
    return True


def _of_credentials(home: Home) -> Iterator[EmulatorError]:
    from batchai_scenario.emulator.state.own import OwnCredentials

    if not home.credentials.exists():
        return
    try:
        OwnCredentials.at(home.credentials)
    except EmulatorError as error:
        yield error
