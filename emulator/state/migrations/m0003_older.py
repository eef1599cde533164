"""Version 3: what only older API versions know stands under ``older``, and names none of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_FIND = "SELECT number, body FROM documents WHERE kind IN ('cluster', 'job', 'file server')"
_LAYOUTS = {"2017-09-01-preview": "first", "2018-03-01": "flat", None: "workspaces"}
_NAMES = {"experimentName": "experiment", "credentialsInfo": "first_weeks"}


def apply(db: sqlite3.Connection) -> None:
    """Put ``older`` in the place of ``flat``: the layout of folders instead of the API version."""
    for number, text in db.execute(_FIND).fetchall():
        body = json.loads(text)
        flat = body["definition"].pop("flat", None) if "definition" in body else None
        if flat is None:
            continue
        layout = _LAYOUTS[flat.pop("apiVersion", None)]
        fields = {_NAMES.get(name, name): value for name, value in flat.items()}
        body["definition"]["older"] = {"layout": layout, **fields}
        written = json.dumps(body, separators=(",", ":"))
        db.execute("UPDATE documents SET body = ? WHERE number = ?", (written, number))
