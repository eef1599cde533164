"""A job's files: from the job while the service knows it, and from the share afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import OutputFile
from batchai_scenario.backends.errors import BackendError, NotFound
from batchai_scenario.scenarios.run.pieces import pieces
from batchai_scenario.schema.layout import STDOUTERR

if TYPE_CHECKING:
    from builtins import list as List  # noqa: N812 - a method has its name
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.scenarios.run.pieces import Piece

STANDARD = STDOUTERR

MOST_ENTRIES = 1_000_000
"""Entries of one output directory that are listed."""

DEEPEST = 250
"""Folders that are entered one below the other: no path in Azure Files is deeper."""


def _go_on() -> None:
    """Let a walk go on."""


class JobFiles:
    """Lists and reads a job's output directories.

    ``cut`` names the directories of which a walk listed a part only, and why.

    Args:
        backend: Where the job is, or was.
        job_id: The job's id; empty if only the share is left.
        folders: Where each directory is, as (share, folder), for when the job is deleted.
        check: Called before every folder and every block; raises what ends the work (Ctrl-C).
    """

    def __init__(
        self,
        backend: Backend,
        job_id: str,
        folders: Mapping[str, tuple[str, str]],
        check: Callable[[], None] = _go_on,
    ) -> None:
        self._backend = backend
        self._job_id = job_id
        self._folders = folders
        self._check = check
        self.cut: dict[str, str] = {}

    def list(self, directory: str, path: str = "") -> list[OutputFile]:
        """List one level of a directory, sorted; empty if there is nothing (yet)."""
        if self._job_id:
            try:
                return self._backend.list_outputs(self._job_id, directory, path)
            except NotFound:  # the job is deleted, or has no such directory
                pass
        if directory not in self._folders:
            return []
        share, folder = self._folders[directory]
        try:
            found = self._backend.list_share(share, f"{folder}/{path}".strip("/"))
        except NotFound:
            return []
        return [OutputFile(file.path[len(folder) :].lstrip("/"), file.size) for file in found]

    def walk(self, directory: str, most: int = MOST_ENTRIES) -> Iterator[OutputFile]:
        """Give all files of a directory, with those of its folders, in the order of their paths.

        A folder that links lead back to is not listed again: whoever lists knows the way. Whatever a
        service lists, a walk has an end (``most`` entries, ``DEEPEST``).
        """
        seen = 0
        levels: List[Iterator[OutputFile]] = [iter(self._checked(directory, ""))]
        while levels:
            item = next(levels[-1], None)
            if item is None:
                levels.pop()
                continue
            seen += 1
            if seen > most:
                self.cut[directory] = f"it holds more than {most:,} files"
                return
            if not item.is_directory:
                yield item
            elif len(levels) < DEEPEST:
                levels.append(iter(self._checked(directory, item.path)))
            else:
                self.cut[directory] = f"it holds more than {DEEPEST} folders one below the other"

    def _checked(self, directory: str, path: str) -> List[OutputFile]:
        self._check()
        return self.list(directory, path)

    def read(self, directory: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file from ``offset`` to its present end; NotFound."""
        if self._job_id:
            try:
                yield from self._backend.read_output(self._job_id, directory, path, offset)
            except NotFound:
                if directory not in self._folders:
                    raise
            else:
                return
        if directory not in self._folders:
            raise NotFound(f"{directory}/{path} is not there")
        share, folder = self._folders[directory]
        yield from self._backend.read_share(share, f"{folder}/{path}", offset)

    def lines(self, directory: str, path: str) -> Iterator[Piece]:
        """Give a text file's lines, very long ones in pieces."""
        return pieces(self.blocks(directory, path))

    def blocks(self, directory: str, path: str) -> Iterator[bytes]:
        """Read a whole file as ``read``, and check before each block."""
        for block in self.read(directory, path):
            self._check()
            yield block

    def save(self, directory: str, file: OutputFile, target: Path) -> int:
        """Write a file to ``target``, whole or not at all; gives its size.

        Raises:
            BackendError: Fewer bytes came than the listing promised.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".part.{os.getpid()}")  # short: the name itself may be as long as can be
        size = 0
        try:
            with draft.open("wb") as stream:
                for block in self.blocks(directory, file.path):
                    stream.write(block)
                    size += len(block)
            if size < (file.size or 0):
                raise BackendError(f"{directory}/{file.path} ended after {size} of {file.size} bytes")
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return size


def safe_target(folder: Path, *parts: str) -> Path:
    """Join a local folder and names that came from elsewhere; BackendError if they climb out of it."""
    pieces = [piece for part in parts for piece in part.split("/")]
    foreign = {os.sep, os.altsep, "\0"} - {"/", None}
    if any(piece in ("", ".", "..") or any(mark in piece for mark in foreign if mark) for piece in pieces):
        raise BackendError(f"the name {'/'.join(parts)!r} is not safe to write to this machine")
    return folder.joinpath(*pieces)
