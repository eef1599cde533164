"""A job's files: from the job while the service knows it, and from the share afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import OutputFile
from batchai_scenario.backends.errors import BackendError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Backend

STANDARD = "stdouterr"


class JobFiles:
    """Lists and reads a job's output directories.

    Args:
        backend: Where the job is, or was.
        job_id: The job's id; empty if only the share is left.
        folders: Where each directory is, as (share, folder), for when the job is deleted.
    """

    def __init__(self, backend: Backend, job_id: str, folders: Mapping[str, tuple[str, str]]) -> None:
        self._backend = backend
        self._job_id = job_id
        self._folders = folders

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

    def walk(self, directory: str, path: str = "") -> Iterator[OutputFile]:
        """Give all files of a directory, with those of its folders."""
        for item in self.list(directory, path):
            if item.is_directory:
                yield from self.walk(directory, item.path)
            else:
                yield item

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

    def lines(self, directory: str, path: str) -> Iterator[str]:
        """Give a text file's lines, without their ends; what is no UTF-8 is replaced."""
        rest = b""
        for block in self.read(directory, path):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace").rstrip("\r")
        if rest:
            yield rest.decode("utf-8", "replace").rstrip("\r")

    def save(self, directory: str, file: OutputFile, target: Path) -> int:
        """Write a file to ``target``, whole or not at all; gives its size.

        Raises:
            BackendError: Fewer bytes came than the listing promised.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        size = 0
        try:
            with draft.open("wb") as stream:
                for block in self.read(directory, file.path):
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
    if any(piece in ("", ".", "..") or "\\" in piece or "\0" in piece for piece in pieces):
        raise BackendError(f"the name {'/'.join(parts)!r} is not safe to write to this machine")
    return folder.joinpath(*pieces)
