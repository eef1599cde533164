"""File servers' disks: a folder of the home for each, mounted by clusters and jobs and kept when these go."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.state import beneath

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.emulator.state.home import Home

MIGRATED = "migrated-"
"""What the workspaces begin with in which resources of the flat API versions live."""

_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)/providers/microsoft\.batchai"
    r"(?:/workspaces/(?P<workspace>[^/]+))?/fileservers/(?P<name>[^/]+)/?",
    re.IGNORECASE,
)


def server_names(server_id: str) -> tuple[str, str, str, str] | None:
    """Take a file server's id apart: subscription, group, workspace (or empty), name; None if it is none."""
    match = _ID.fullmatch(server_id)
    return (match["subscription"], match["group"], match["workspace"] or "", match["name"]) if match else None


class ServerDisks:
    """The disks of a home's file servers, known by the servers' ids, in any of their spellings.

    Jobs write what is on a disk, so links there are not followed.

    One that a flat API version names and one in that version's own workspace are the same.
    """

    def __init__(self, home: Home) -> None:
        self._home = home

    def make(self, server_id: str) -> None:
        """Make an empty disk; what a server of this id left before is deleted."""
        self.drop(server_id)
        self._folder(server_id).mkdir(mode=0o777, parents=True)
        self._folder(server_id).chmod(0o777)

    def drop(self, server_id: str) -> None:
        """Delete a disk with all that is on it."""
        folder = self._folder(server_id)
        if folder.parent.is_dir():
            beneath.remove_path(folder)

    def find(self, server_id: str, directory: str) -> Path:
        """Find a folder of a server's disk, to be mounted.

        Raises:
            EngineError: ``FileServerMountError`` (our decision): no such server, or no such folder on it.
        """
        folder = self._folder(server_id)
        if not folder.is_dir():
            raise _failed(server_id, directory, "there is no such file server")
        parts = [part for part in directory.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise _failed(server_id, directory, f"it has no folder '{directory}'")
        try:
            with beneath.opened(folder, parts):
                return folder.joinpath(*parts)
        except OSError:
            raise _failed(server_id, directory, f"it has no folder '{directory}'") from None

    def _folder(self, server_id: str) -> Path:
        names = server_names(server_id.lower()) or ("", "", "", server_id.lower())
        subscription, group, workspace, name = names
        known = (subscription, group, "" if workspace.startswith(MIGRATED) else workspace, name)
        return self._home.servers / hashlib.sha256("/".join(known).encode()).hexdigest()[:20]


def _failed(server_id: str, directory: str, why: str) -> EngineError:
    info = f"Could not mount '{directory or '/'}' of file server {server_id.rsplit('/', 1)[-1]}: {why}."
    return EngineError(Problem("FileServerMountError", "Unable to mount file server", (("Info", info),)))
