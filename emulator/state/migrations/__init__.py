"""How a store of an earlier version becomes one of the next: one numbered file for each step.

A step is never changed once a release wrote stores with it; a change of the layout, or of what a document
holds, is a new file here and its line in ``MIGRATIONS``. A new store goes through all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.state.migrations import m0001_documents, m0002_nodes, m0003_older

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    m0001_documents.apply,
    m0002_nodes.apply,
    m0003_older.apply,
)
"""Step n makes version n from version n - 1, inside a transaction of the store's."""
