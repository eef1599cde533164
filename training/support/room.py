"""What to do about a full disk, wherever it is told: by pip, mmdebstrap, an engine, or the system."""

from __future__ import annotations

import tempfile
from pathlib import Path

_WORDS = ("no space left on device", "disk quota exceeded", "not enough free space", "enospc")


def no_room(said: str, *folders: Path | str) -> str:
    """Give the remedy if a text tells of a full disk, else nothing.

    ``folders``: where what was to be written would lie. Programs write for a while into the folder for temporary
    files, too.
    """
    if not any(word in said.lower() for word in _WORDS):
        return ""
    places = dict.fromkeys([*(str(folder) for folder in folders if str(folder)), tempfile.gettempdir()])
    return f"A disk is full: make room in {' and '.join(places)} (TMPDIR names another folder for temporary files)."
