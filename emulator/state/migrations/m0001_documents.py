"""Version 1: documents by kind and id."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_DOCUMENTS = """
CREATE TABLE IF NOT EXISTS documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    parent TEXT NOT NULL,
    body   TEXT NOT NULL,
    sealed BLOB,
    UNIQUE (kind, id)
)
"""
_BY_PARENT = "CREATE INDEX IF NOT EXISTS by_parent ON documents (kind, parent, number)"


def apply(db: sqlite3.Connection) -> None:
    """Make the table."""
    db.execute(_DOCUMENTS)
    db.execute(_BY_PARENT)
