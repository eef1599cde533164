"""Requests that fail: what the log says of them, and what the machine has to do with it."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import HomeDamaged, ServiceError
from batchai_scenario.emulator.state.store import os_error

if TYPE_CHECKING:
    from starlette.types import Scope

LONGEST = 300
"""Characters of a path, or of a property's path, that stand in the log."""

CODE = "scenario_error"
"""Where a request's state keeps the code of its error."""

_USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_NO_ROOM = "The disk that holds the emulator's home is full: make room, then try again."
_NOT_WRITABLE = "The emulator's home cannot be written."
_DISK = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EROFS: _NOT_WRITABLE,
    errno.EACCES: _NOT_WRITABLE,
    errno.EPERM: _NOT_WRITABLE,
    errno.EBUSY: "The emulator's home is in use by another process for too long.",
}


def line_of(scope: Scope) -> str:
    """Name a request without its query, which may hold a signature."""
    path = scope.get("raw_path") or scope["path"].encode("utf-8", "backslashreplace")
    return f"{scope['method']} {ascii(path[:LONGEST])[2:-1]}"


def failed(scope: Scope, start: Any) -> str:  # noqa: ANN401 - an ASGI message
    """Tell of a request that failed: what was asked, the status, and the code of the error."""
    codes = [value for name, value in start.get("headers", ()) if name.lower() == b"x-ms-error-code"]
    code = codes[0].decode("latin-1") if codes else scope.get("state", {}).get(CODE, "")
    return f"{line_of(scope)} {int(start['status'])} {code}".rstrip()


def of_machine(error: Exception) -> ServiceError | None:
    """Say what the machine refuses; None if it is not that.

    409 for the disk, as to try again at once would not help; 503 for what may soon be free again.
    """
    if isinstance(error, HomeDamaged):
        return ServiceError(500, "InternalServerError", str(error))
    cause = os_error(error) if isinstance(error, sqlite3.OperationalError) else error
    number = cause.errno if isinstance(cause, OSError) else None
    if number in _USED_UP:
        text = "The emulator has no more descriptors or memory at the moment: try again."
        return ServiceError(503, "ServerBusy", text, headers={"Retry-After": "1"})
    reason = _DISK.get(number or 0)
    return None if reason is None else ServiceError(409, "InsufficientStorage", reason)
