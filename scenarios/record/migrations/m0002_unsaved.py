"""Format 2: a record names the output files that a download could not save.

In format 1 such a file ended the download, and its sentence stood among the reasons of a failed run; it stays
there.
"""

from __future__ import annotations

from typing import Any


def apply(record: dict[str, Any]) -> None:
    """Nothing was named yet."""
    record.setdefault("unsaved", [])
