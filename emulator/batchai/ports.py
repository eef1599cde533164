"""What the provider needs from outside besides clusters: to look into output directories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class FolderEntry(Protocol):
    """A file or folder of a share; ``size`` in bytes."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        ...

    @property
    def is_directory(self) -> bool:
        """Whether it is a folder."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def modified(self) -> datetime:
        """When it was last written to."""
        ...


class OutputFiles(Protocol):
    """Lists folders of file shares and makes links to files in them."""

    def list_folder(self, account: str, share: str, path: str) -> Sequence[FolderEntry]:
        """List one level of a folder; empty if it does not exist (yet)."""
        ...

    def link(self, account: str, share: str, path: str, *, expires: datetime, base_url: str) -> str:
        """Make a URL that reads a file without credentials until it expires."""
        ...
