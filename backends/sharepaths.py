"""Uploads and paths inside shares, checked before anything is sent: the same for every backend."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batchai_scenario.backends.base import Upload

LONGEST_NAME = 255
"""Characters of one name in Azure Files."""

_REFUSED = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]')


def check_uploads(files: Sequence[Upload]) -> None:
    """Check that every file can be read and has a path inside its share.

    Raises:
        UserError: ``field`` is the file or the path.
    """
    for file in files:
        inside_share(file.path, "upload")
        for name in file.path.split("/"):
            problem = name_problem(name)
            if problem:
                raise UserError(f"{file.path!r}: {problem}", field="upload")
        problem = file_problem(file.source)
        if problem:
            raise UserError(problem, field=str(file.source))


def name_problem(name: str) -> str:
    """Say why a file or folder of a share cannot have a name; empty if it can (Naming of shares, Files)."""
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return f"the name {os.fsencode(name)!r} is not UTF-8"
    refused = _REFUSED.search(name)
    if refused:
        return f"the name {name!r} holds {refused[0]!r}, which Azure Files does not allow"
    if len(name) > LONGEST_NAME:
        return f"the name {name[:20]!r}... is longer than {LONGEST_NAME} characters"
    return ""


def file_problem(file: Path) -> str:
    """Say why a file cannot be sent; empty if it can. A FIFO is not opened: that would wait for a writer."""
    try:
        kind = file.stat().st_mode
        if stat.S_ISREG(kind):
            with file.open("rb"):
                return ""
    except OSError as error:
        dangling = isinstance(error, FileNotFoundError) and file.is_symlink()
        return "the link leads nowhere" if dangling else f"cannot be read: {error.strerror}"
    return "it is neither a file nor a folder"


def inside_share(path: str, what: str = "path") -> str:
    """Give back a path that lies inside a share.

    Raises:
        UserError: it is empty, absolute, or climbs; ``field`` is ``what``.
    """
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise UserError(
            f"{path!r} is not a path inside a share", field=what, hint="use folder/file, without '.' or '..'"
        )
    return path
