"""Version 2: marks, by which the jobs that are not over are found; nodes are documents of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

_MARK = "ALTER TABLE documents ADD COLUMN mark TEXT NOT NULL DEFAULT ''"
_BY_MARK = "CREATE INDEX by_mark ON documents (kind, mark, number) WHERE mark != ''"
_NODE = "INSERT INTO documents (kind, id, parent, body) VALUES ('node', ?, ?, ?)"


def apply(db: sqlite3.Connection) -> None:
    """Mark the jobs that are not over, and take the nodes out of their clusters, which may scale now."""
    db.execute(_MARK)
    db.execute(_BY_MARK)
    jobs = db.execute("SELECT number, body FROM documents WHERE kind = 'job'").fetchall()
    for number, text in jobs:
        if _live(json.loads(text)):
            db.execute("UPDATE documents SET mark = 'live' WHERE number = ?", (number,))
    clusters = db.execute("SELECT number, id, body FROM documents WHERE kind = 'cluster'").fetchall()
    for number, key, text in clusters:
        body = json.loads(text)
        for name, state, address, job in body.pop("nodes"):
            db.execute(
                _NODE,
                (
                    f"{key}/nodes/{name}",
                    key,
                    _text({"id": name, "state": state, "address": address, "job": job}),
                ),
            )
        body["wanted"] = 0
        db.execute("UPDATE documents SET body = ? WHERE number = ?", (_text(body), number))


def _live(job: dict[str, Any]) -> bool:
    final = job["execution"][0] in ("succeeded", "failed")
    return not final or bool(job["tasks"]) or job["provisioning"][0] == "deleting"


def _text(body: object) -> str:
    return json.dumps(body, separators=(",", ":"))
