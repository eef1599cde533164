"""Open files for bodies on their way in, and for the notes of what is done with them."""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import NamedTuple

DRAFT, NOTE = "draft-", "note-"
"""What names of such files begin with."""


class Slot(NamedTuple):
    """Open files for one body on its way in: its draft, and the note of what is being done with it."""

    draft: int
    note: int
    name: str

    def close(self, folder: str) -> None:
        """Close and remove both."""
        for fd, kind in ((self.draft, DRAFT), (self.note, NOTE)):
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(f"{folder}/{kind}{self.name}")  # noqa: PTH108


def new_slot(folder: str) -> Slot:
    """Make the files of a slot."""
    name = uuid.uuid4().hex
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    draft = os.open(f"{folder}/{DRAFT}{name}", flags, 0o600)
    return Slot(draft, os.open(f"{folder}/{NOTE}{name}", flags, 0o600), name)
