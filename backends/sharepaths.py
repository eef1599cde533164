"""Uploads and paths inside shares, checked before anything is sent: the same for every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.backends.base import Upload


def check_uploads(files: Sequence[Upload]) -> None:
    """Check that every file can be read and has a path inside its share.

    Raises:
        UserError: ``field`` is the file or the path.
    """
    for file in files:
        inside_share(file.path, "upload")
        try:
            with file.source.open("rb"):
                pass
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", field=str(file.source)) from None


def inside_share(path: str, what: str = "path") -> str:
    """Give back a path that lies inside a share.

    Raises:
        UserError: it is empty, absolute, or climbs; ``field`` is ``what``.
    """
    parts = path.split("/")
    if "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise UserError(
            f"{path!r} is not a path inside a share", field=what, hint="use folder/file, without '.' or '..'"
        )
    return path
