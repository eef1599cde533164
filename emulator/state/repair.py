"""Bringing a damaged home back: what cannot be read is put aside, the newest good copy takes its place."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from batchai_scenario.emulator.errors import EmulatorError, HomeDamaged
from batchai_scenario.emulator.state.copies import copies
from batchai_scenario.emulator.state.health import HEADER, opens, unreadable, was_made
from batchai_scenario.emulator.state.own import OwnCredentials
from batchai_scenario.emulator.state.seal import Seal

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from batchai_scenario.emulator.state.copies import Copy
    from batchai_scenario.emulator.state.home import Home


def repair(home: Home, now: datetime) -> list[str]:
    """Mend what is damaged; a line for each thing that was done. The home's lock must be held.

    Nothing is deleted: what is damaged stands in ``<home>/emulator/damaged/<time>/`` afterwards.
    """
    work = _Repair(home, home.damaged / f"{now:%Y%m%dT%H%M%SZ}")
    work.database()
    work.seal()
    work.documents()
    work.credentials()
    return work.done


class _Repair:
    def __init__(self, home: Home, aside: Path) -> None:
        self._home = home
        self._aside = aside
        self.done: list[str] = []

    def database(self) -> None:
        """Put a copy in the place of a database that cannot be opened, or is not there any more."""
        database = self._home.database
        if _is_whole(database) or not (database.exists() or was_made(self._home)):
            return
        for name in (database.name, f"{database.name}-wal", f"{database.name}-shm"):
            self._put_aside(database.with_name(name))
        good = next((copy for copy in copies(self._home) if _is_whole(copy.folder / database.name)), None)
        if good is None:
            self.done.append(
                "there is no copy of the state: clusters, jobs and accounts are forgotten, shares stay"
            )
            return
        self._take(good, database)
        self.done.append(
            f"the state of {good.made:%Y-%m-%d %H:%M} UTC is in its place: what changed later is forgotten"
        )
        if not _opens(database, self._home.seal_key):
            self._put_aside(self._home.seal_key)
            self._take(good, self._home.seal_key)

    def seal(self) -> None:
        """Put back a seal key that is damaged, or another one; without a copy, forget what it sealed."""
        key, database = self._home.seal_key, self._home.database
        if _opens(database, key):
            return
        self._put_aside(key)
        for copy in copies(self._home):
            if _opens(database, copy.folder / key.name):
                self._take(copy, key)
                self.done.append(f"the seal key is put back from the copy of {copy.made:%Y-%m-%d %H:%M} UTC")
                return
        Seal.at(key)
        with closing(sqlite3.connect(database, isolation_level=None)) as db:
            db.execute("UPDATE documents SET sealed = NULL WHERE sealed IS NOT NULL")
        self.done.append(
            "there is no copy of the seal key: sealed keys and passwords are forgotten, storage accounts get "
            "new keys"
        )

    def documents(self) -> None:
        """Take documents that cannot be read out of the database."""
        if not self._home.database.exists():
            return
        with closing(sqlite3.connect(self._home.database, isolation_level=None)) as db:
            bad = unreadable(db)
            if not bad:
                return
            self._aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._aside / "documents.jsonl").open("w", encoding="utf-8") as file:
                for kind, id_ in bad:
                    row = db.execute(
                        "SELECT CAST(body AS BLOB) FROM documents WHERE kind = ? AND id = ?", (kind, id_)
                    ).fetchone()
                    body = bytes(row[0] or b"").decode(errors="replace")
                    file.write(json.dumps({"kind": kind, "id": id_, "body": body}) + "\n")
            for kind, id_ in bad:
                db.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, id_))
                self.done.append(f"{kind} {id_} cannot be read and is put aside in {self._aside}")

    def credentials(self) -> None:
        """Put back credentials that cannot be read, or let new ones be made."""
        file = self._home.credentials
        if not file.exists() or _are_credentials(file):
            return
        self._put_aside(file)
        good = next((copy for copy in copies(self._home) if _are_credentials(copy.folder / file.name)), None)
        if good is not None:
            self._take(good, file)
        self.done.append(
            "the credentials are put back" if good else "new credentials are made with the next start"
        )

    def _put_aside(self, path: Path) -> None:
        if path.exists():
            self._aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.rename(self._aside / path.name)
            self.done.append(f"{path} is put aside in {self._aside}")

    @staticmethod
    def _take(copy: Copy, file: Path) -> None:
        shutil.copy2(copy.folder / file.name, file)


def _is_whole(database: Path) -> bool:
    try:
        with database.open("rb") as file:
            if file.read(len(HEADER)) != HEADER:
                return False
        with closing(sqlite3.connect(database)) as db:
            (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
            db.execute("SELECT number, kind, id, parent, body, sealed FROM documents LIMIT 1").fetchone()
    except (OSError, sqlite3.Error):
        return False
    return bool(said == "ok")


def _opens(database: Path, key: Path) -> bool:
    if not database.exists():
        return not key.exists() or _reads(key) is not None
    seal = _reads(key) if key.exists() else None
    with closing(sqlite3.connect(database)) as db:
        if seal is None:
            sealed = db.execute("SELECT 1 FROM documents WHERE sealed IS NOT NULL LIMIT 1").fetchone()
            return sealed is None and not key.exists()
        return opens(db, seal)


def _reads(key: Path) -> Seal | None:
    try:
        return Seal.at(key)
    except HomeDamaged:
        return None


def _are_credentials(file: Path) -> bool:
    try:
        OwnCredentials.at(file)
    except EmulatorError:
        return False
    return file.exists()
