"""Where things are kept: the one place that knows the layout of the home folder."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.errors import HomeDamaged

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_DATABASE = 504
"""Bytes that the path of the database may have: SQLite takes 512, with ``-journal``."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Home:
    """The folders and files of one emulator, all below ``root`` (``SCENARIO_HOME``)."""

    root: Path

    @property
    def address_file(self) -> Path:
        """JSON with the address of the emulator that serves this home."""
        return self.root / "emulator.json"

    @property
    def ports_file(self) -> Path:
        """JSON with the ports of the emulator that served this home last, for the next one."""
        return self.root / "emulator" / "ports.json"

    @property
    def lock_file(self) -> Path:
        """Locked (flock) by the process that serves this home, so it frees itself when that dies."""
        return self.root / "emulator.lock"

    @property
    def database(self) -> Path:
        """The SQLite file of resources and operations."""
        return self.root / "emulator" / "state.sqlite3"

    @property
    def seal_key(self) -> Path:
        """Key (0600) that seals secrets in the database and signs tokens."""
        return self.root / "emulator" / "seal.key"

    @property
    def credentials(self) -> Path:
        """The credentials of this home (0600), which our own clients read."""
        return self.root / "emulator" / "credentials.json"

    @property
    def copies(self) -> Path:
        """Copies of database, seal key and credentials: ``<time>-stop/`` and ``<time>-day/``."""
        return self.root / "emulator" / "copies"

    @property
    def damaged(self) -> Path:
        """What ``repair`` put aside, in a folder for each time."""
        return self.root / "emulator" / "damaged"

    @property
    def authority(self) -> Path:
        """The local certificate authority: ``ca.key`` (0600), and ``ca.pem``, which clients trust."""
        return self.root / "emulator" / "authority"

    @property
    def login_key(self) -> Path:
        """Key (0600) by which nodes are known to those who log in to them with ssh."""
        return self.root / "emulator" / "login_host_key"

    @property
    def log(self) -> Path:
        """The emulator's own log; an older part of it beside it, with ``.1`` at its end."""
        return self.root / "emulator" / "emulator.log"

    @property
    def users_file(self) -> Path:
        """Locked (flock, shared) by commands that an emulator was started for: it ends after them."""
        return self.root / "emulator.users"

    @property
    def storage(self) -> Path:
        """Root of emulated storage: ``<account>/<share>/`` are ordinary folders."""
        return self.root / "storage"

    @property
    def servers(self) -> Path:
        """Disks of emulated file servers, a folder each."""
        return self.root / "servers"

    @property
    def nodes(self) -> Path:
        """Local disks of emulated nodes: ``<cluster guid>/<node id>/``."""
        return self.root / "nodes"

    @property
    def cache(self) -> Path:
        """What can be made again: data sets, toolkit environments."""
        return self.root / "cache"

    @property
    def images_table(self) -> Path:
        """The user's own table of image substitutes (YAML)."""
        return self.root / "images.yaml"

    @property
    def limits_table(self) -> Path:
        """The user's own limits of what a job's container may take (YAML)."""
        return self.root / "limits.yaml"

    @property
    def sizes_table(self) -> Path:
        """The user's own table of how many GPUs sizes of virtual machines have (YAML)."""
        return self.root / "sizes.yaml"

    @property
    def slurm_settings(self) -> Path:
        """What the user says of a Slurm cluster (YAML)."""
        return self.root / "slurm.yaml"

    def make(self) -> list[str]:
        """Create the folders that must exist, readable by their owner only; a line for each that was looser.

        Raises:
            HomeDamaged: its path is too long, or others can put what they like into it, and we cannot change
                that.
        """
        length = len(os.fsencode(self.database))
        if length > LONGEST_DATABASE:
            text = f"its path is {length - LONGEST_DATABASE} bytes longer than the database allows"
            raise HomeDamaged(str(self.root), text, "Name a folder with a shorter path with SCENARIO_HOME.")
        notices = []
        for folder in (self.root, self.database.parent, self.storage, self.nodes, self.cache):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            notices += _made_private(folder)
        for file in (self.seal_key, self.credentials):
            if file.exists():
                notices += _made_private(file)
        return notices


def _made_private(path: Path) -> list[str]:
    """Shut others out of a folder or file; a line if they were not."""
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    ours = found.st_uid in (os.geteuid(), 0)
    if not mode & _OTHERS and ours:
        return []
    remedy = "Name a folder of your own with SCENARIO_HOME."
    if mode & stat.S_ISVTX:
        raise HomeDamaged(str(path), "it is a folder that users share, and no home", remedy)
    try:
        path.chmod(mode & ~_OTHERS)
    except OSError as error:
        if not ours or mode & (stat.S_IWGRP | stat.S_IWOTH):
            text = f"other users may change what is in it ({error.strerror})"
            raise HomeDamaged(str(path), text, remedy) from None
        return [f"{path} can be read by other users, and is not yours to close"]
    return [f"{path} was open to other users (mode {mode:04o}) and is not any more"] if mode & _OTHERS else []
