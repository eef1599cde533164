"""The store: documents by kind and id in one SQLite file (WAL), safe from any thread."""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
import uuid
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import EmulatorError, HomeDamaged
from batchai_scenario.emulator.state.health import HEADER, REMEDY
from batchai_scenario.emulator.state.migrations import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.emulator.state.seal import Seal

FORMAT = len(MIGRATIONS)
"""Version of the file's layout; a file of a newer version is refused, an older one is migrated."""

_VERSION_AT = 60
"""Where the head of an SQLite file holds its ``user_version``: four bytes, the highest first."""

_CAUSES = {"full": errno.ENOSPC, "readonly": errno.EROFS, "locked": errno.EBUSY}

_NOT_THE_FILE = ("full", "disk I/O", "readonly", "unable to open", "locked")
"""Words of SQLite's where the file itself may be well."""

_AFTER = "0"
"""The character after the slash: what begins with ``id/`` lies between ``id/`` and ``id0``."""

_COLUMNS = "SELECT kind, id, parent, body, number FROM documents"


class StoreTooNew(EmulatorError):
    """The file was written by a newer version of this program; it is left as it is."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            f"{path} was written by a newer version of this program (its format is {version}, this one reads "
            f"up to {FORMAT}): update the program, or choose another home with SCENARIO_HOME. "
            "Nothing in it was changed."
        )


@dataclass(frozen=True, slots=True)
class Document:
    """What is kept under one kind and id.

    ``id`` and ``parent`` are keys that the caller normalises (ARM ids are compared in lower case);
    ``body`` is JSON; ``number`` grows with each creation, so it is the order of age.
    """

    kind: str
    id: str
    parent: str
    body: dict[str, Any]
    number: int


class Store:
    """Documents with sealed secrets beside them.

    S1. A ``put`` that returned survives the death of the process, and other processes see it. A crash
        leaves the state before or after a transaction; a power cut may take back the last ones.
    S2. ``transaction`` nests; the outermost commits, an exception rolls everything back.
    S3. ``list`` gives documents in order of creation; replacing a document keeps its number. It reads no
        more rows than it gives.
    S4. Secrets are stored sealed, are read with ``secrets`` only, and are kept by a ``put`` without any.
    """

    def __init__(self, path: Path, seal: Seal) -> None:
        """Open the file, or make it.

        Raises:
            StoreTooNew: a newer version of this program wrote it.
            HomeDamaged: it cannot be read or written.
        """
        self._path = path
        self._seal = seal
        self._lock = threading.RLock()
        self._depth = 0
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                _create(path)
            _check_head(path)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        except (OSError, sqlite3.Error) as error:
            raise unusable(path, error) from None
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            _migrate(self._db, path)
        except (ValueError, KeyError, TypeError, sqlite3.Error) as error:
            self._db.close()
            raise unusable(path, error) from None

    @property
    def changes(self) -> int:
        """Count the rows that were changed through this object."""
        return self._db.total_changes

    def copy_to(self, path: Path) -> None:
        """Write a copy of the whole file as it is now; sqlite3.Error or OSError if that cannot be done."""
        with self._lock, closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do several things or none (S2); other threads wait."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._roll_back()
                raise
            self._depth -= 1
            if self._depth == 0:
                self._commit()

    def _commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except BaseException:  # a disk that is full shows here, and the transaction would stay open
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite itself may have done it
            self._db.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read several things of the same moment: other threads wait."""
        with self._lock:
            yield

    def put(
        self,
        kind: str,
        id: str,  # noqa: A002 - the field's own name
        body: Mapping[str, Any],
        *,
        parent: str = "",
        mark: str = "",
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Create or replace a document (S1, S3); secrets are kept unless new ones are given (S4).

        ``mark``: a word by which some documents of a kind can be listed.
        """
        text = json.dumps(body, separators=(",", ":"))
        sealed = None if secrets is None else self._seal.seal(secrets)
        with self._lock:
            if sealed is None:
                # The frequent case, and a third of the work of the general one: indexes stay as they are.
                replaced = self._db.execute(
                    "UPDATE documents SET body = ? WHERE kind = ? AND id = ? AND parent = ? AND mark = ?",
                    (text, kind, id, parent, mark),
                )
                if replaced.rowcount:
                    return
            self._db.execute(
                "INSERT INTO documents (kind, id, parent, mark, body, sealed) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET parent = excluded.parent, mark = excluded.mark, "
                "body = excluded.body, sealed = COALESCE(excluded.sealed, sealed)",
                (kind, id, parent, mark, text, sealed),
            )

    def get(self, kind: str, id: str) -> Document | None:  # noqa: A002
        """Read one document, or None."""
        with self._lock:
            row = self._db.execute(
                "SELECT kind, id, parent, body, number FROM documents WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        return None if row is None else self._document(row)

    def list(
        self,
        kind: str,
        parent: str | None = None,
        *,
        mark: str | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Document]:
        """Read documents of a kind (S3): of one parent, or with one mark, if these are given.

        ``after``: only those whose number is greater; ``limit``: at most so many.
        """
        query, values = f"{_COLUMNS} WHERE kind = ?", [kind]
        for column, value in (("parent", parent), ("mark", mark)):
            if value is not None:
                query, values = f"{query} AND {column} = ?", [*values, value]
        if mark:
            query += " AND mark != ''"  # what the index of marks covers
        with self._lock:
            rows = self._db.execute(
                f"{query} AND number > ? ORDER BY number LIMIT ?",
                (*values, after, -1 if limit is None else limit),
            ).fetchall()
        return [self._document(row) for row in rows]

    def count(self, kind: str) -> int:
        """Count the documents of a kind."""
        with self._lock:
            (found,) = self._db.execute("SELECT COUNT(*) FROM documents WHERE kind = ?", (kind,)).fetchone()
        return int(found)

    def delete(self, kind: str, id: str) -> bool:  # noqa: A002
        """Delete a document; False if there was none."""
        with self._lock:
            gone = self._db.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, id))
            return gone.rowcount > 0

    def delete_below(self, kind: str, id: str) -> None:  # noqa: A002
        """Delete all documents of a kind whose ids begin with ``id`` and a slash."""
        with self._lock:
            self._db.execute(
                "DELETE FROM documents WHERE kind = ? AND id >= ? AND id < ?",
                (kind, f"{id}/", f"{id}{_AFTER}"),
            )

    def move(self, kind: str, before: str, after: str, *, parent: str) -> None:
        """Let a document, and all whose ids begin with its own and a slash, have ``after`` in its place.

        They get the parent that is given; what has one of the new ids is replaced.
        """
        renamed = "UPDATE OR REPLACE documents SET id = ? || substr(id, ?), parent = ? WHERE kind = ? AND "
        values = (after, len(before) + 1, parent, kind)
        with self.transaction():
            # Two statements: SQLite answers an OR of the two without its index of ids.
            self._db.execute(f"{renamed} id = ?", (*values, before))
            self._db.execute(f"{renamed} id >= ? AND id < ?", (*values, f"{before}/", f"{before}{_AFTER}"))

    def secrets(self, kind: str, id: str) -> dict[str, str]:  # noqa: A002
        """Read a document's secrets; empty if it has none (S4)."""
        with self._lock:
            row = self._db.execute(
                "SELECT sealed FROM documents WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        if row is None or row[0] is None:
            return {}
        try:
            return self._seal.open(row[0])
        except Exception as error:  # InvalidToken, of a library that is imported late
            text = f"the secrets of {kind} {id} cannot be opened with its seal key"
            raise HomeDamaged(str(self._path), text, REMEDY) from error

    def _document(self, row: tuple[str, str, str, str, int]) -> Document:
        kind, id_, parent, body, number = row
        try:
            found = json.loads(body)
        except (ValueError, TypeError):
            found = None
        if not isinstance(found, dict):
            raise HomeDamaged(str(self._path), f"what it holds as {kind} {id_} cannot be read", REMEDY)
        return Document(kind, id_, parent, found, number)


def os_error(error: OSError | sqlite3.OperationalError) -> OSError:
    """Say in the system's words what kept SQLite from writing: no room, no right, or the disk itself."""
    if isinstance(error, OSError):
        return error
    text = str(error)
    number = next((number for word, number in _CAUSES.items() if word in text), errno.EIO)
    return OSError(number, text)


def unusable(path: Path, error: Exception) -> HomeDamaged:
    """Say why a database cannot be used, and what helps: room, rights, or a copy."""
    text = str(error.strerror if isinstance(error, OSError) else error)
    if isinstance(error, OSError) or any(word in text for word in _NOT_THE_FILE):
        remedy = "Make room on its disk, or see to it that you may write there."
        return HomeDamaged(str(path), f"it cannot be written ({text})", remedy)
    return HomeDamaged(str(path), f"it is damaged ({text})", REMEDY)


def _create(path: Path) -> None:
    """Make a file that has its tables before it has its name: one without them was damaged."""
    # No longer than the name that it gets: paths of SQLite have a limit, which a home may come close to.
    draft = path.with_name(f".{uuid.uuid4().hex[: len(path.name) - 1]}")
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            _migrate(db, path)
        with suppress(FileExistsError):  # another first user was quicker
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring a file to this version, step by step, each step whole or not at all."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        db.close()
        raise StoreTooNew(path, version)
    for number in range(version + 1, FORMAT + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] < number:  # another process may be quicker
                MIGRATIONS[number - 1](db)
                db.execute(f"PRAGMA user_version={number}")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def _check_head(path: Path) -> None:
    """Refuse a file of a newer version before SQLite opens it, for that alone may change it."""
    with path.open("rb") as file:
        head = file.read(_VERSION_AT + 4)
    if head[: len(HEADER)] != HEADER:
        raise HomeDamaged(str(path), "it is damaged (no database begins like this)", REMEDY)
    version = int.from_bytes(head[_VERSION_AT:], "big")
    if version > FORMAT:
        raise StoreTooNew(path, version)
