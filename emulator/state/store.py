"""The store: documents by kind and id in one SQLite file (WAL), safe from any thread."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.emulator.state.seal import Seal

FORMAT = 1
"""Version of the file's layout; a file of a newer version is refused, an older one is migrated."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    parent TEXT NOT NULL,
    body   TEXT NOT NULL,
    sealed BLOB,
    UNIQUE (kind, id)
);
CREATE INDEX IF NOT EXISTS by_parent ON documents (kind, parent, number);
"""


class StoreTooNew(Exception):
    """The file was written by a newer version of this program."""


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
    S3. ``list`` gives documents in order of creation; replacing a document keeps its number.
    S4. Secrets are stored sealed, are read with ``secrets`` only, and are kept by a ``put`` without any.
    """

    def __init__(self, path: Path, seal: Seal) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._seal = seal
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            self._db.close()
            raise StoreTooNew(f"{path} has format {version}, this program reads up to {FORMAT}: update it")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={FORMAT}")

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
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def put(
        self,
        kind: str,
        id: str,  # noqa: A002 - the field's own name
        body: Mapping[str, Any],
        *,
        parent: str = "",
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Create or replace a document (S1, S3); secrets are kept unless new ones are given (S4)."""
        text = json.dumps(body, separators=(",", ":"))
        sealed = None if secrets is None else self._seal.seal(secrets)
        with self._lock:
            if sealed is None:
                # The frequent case, and a third of the work of the general one: indexes stay as they are.
                replaced = self._db.execute(
                    "UPDATE documents SET body = ? WHERE kind = ? AND id = ? AND parent = ?",
                    (text, kind, id, parent),
                )
                if replaced.rowcount:
                    return
            self._db.execute(
                "INSERT INTO documents (kind, id, parent, body, sealed) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET parent = excluded.parent, body = excluded.body, "
                "sealed = COALESCE(excluded.sealed, sealed)",
                (kind, id, parent, text, sealed),
            )

    def get(self, kind: str, id: str) -> Document | None:  # noqa: A002
        """Read one document, or None."""
        with self._lock:
            row = self._db.execute(
                "SELECT kind, id, parent, body, number FROM documents WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        return None if row is None else _document(row)

    def list(self, kind: str, parent: str | None = None) -> list[Document]:
        """Read all documents of a kind, or those below one parent (S3)."""
        query = "SELECT kind, id, parent, body, number FROM documents WHERE kind = ?"
        values: tuple[str, ...] = (kind,)
        if parent is not None:
            query, values = query + " AND parent = ?", (kind, parent)
        with self._lock:
            rows = self._db.execute(query + " ORDER BY number", values).fetchall()
        return [_document(row) for row in rows]

    def delete(self, kind: str, id: str) -> bool:  # noqa: A002
        """Delete a document; False if there was none."""
        with self._lock:
            gone = self._db.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, id))
            return gone.rowcount > 0

    def secrets(self, kind: str, id: str) -> dict[str, str]:  # noqa: A002
        """Read a document's secrets; empty if it has none (S4)."""
        with self._lock:
            row = self._db.execute(
                "SELECT sealed FROM documents WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        return {} if row is None or row[0] is None else self._seal.open(row[0])


def _document(row: tuple[str, str, str, str, int]) -> Document:
    kind, id_, parent, body, number = row
    return Document(kind, id_, parent, json.loads(body), number)
