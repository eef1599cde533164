"""Where things are kept: the one place that knows the layout of the home folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The folders and files of one emulator, all below ``root`` (``SCENARIO_HOME``)."""

    root: Path

    @property
    def address_file(self) -> Path:
        """JSON with the address of the emulator that serves this home."""
        return self.root / "emulator.json"

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
    def authority(self) -> Path:
        """The local certificate authority: ``ca.key`` (0600), and ``ca.pem``, which clients trust."""
        return self.root / "emulator" / "authority"

    @property
    def users_file(self) -> Path:
        """Locked (flock, shared) by commands that an emulator was started for: it ends after them."""
        return self.root / "emulator.users"

    @property
    def storage(self) -> Path:
        """Root of emulated storage: ``<account>/<share>/`` are ordinary folders."""
        return self.root / "storage"

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

    def make(self) -> None:
        """Create the folders that must exist, readable by their owner only."""
        for folder in (self.root, self.database.parent, self.storage, self.nodes, self.cache):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
