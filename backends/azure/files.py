"""Shares through azure-storage-file: uploads that send only what changed, listings, reading."""

from __future__ import annotations

import base64
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from batchai_scenario.backends.azure.errors import MISSING, service_errors, status_of
from batchai_scenario.backends.base import ShareFile, Upload, UploadReport
from batchai_scenario.backends.errors import BackendError, UserError
from batchai_scenario.backends.sharepaths import check_uploads, inside_share

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from azure.storage.file import FileService

    from batchai_scenario.backends.azure.clients import Clients

CONNECTIONS = 4
"""Connections over which one file is sent."""

CHUNK = 4 * 1024 * 1024
"""Bytes read from a share with one request."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A file as the share holds it; ``md5`` is empty until all of it was sent."""

    size: int
    md5: str


class AzureShares:
    """The shares of the storage account.

    A file's Content-MD5 is set after its last byte: a file without it, or with another size, was left
    half sent and is sent again (B2).
    """

    def __init__(self, clients: Clients, connections: int = CONNECTIONS) -> None:
        self._clients = clients
        self._connections = connections
        self._lock = threading.Lock()
        self._folders: set[tuple[str, str]] = set()

    @property
    def _service(self) -> FileService:
        return self._clients.files

    def ensure(self, share: str) -> None:
        """Create the share if it is missing."""
        with service_errors(f"create the share {share!r}"):
            self._service.create_share(share, fail_on_exist=False)

    def upload(
        self, files: Sequence[Upload], progress: Callable[[str, int, int], None] | None = None
    ) -> UploadReport:
        """Send the files whose content differs, in order; ``progress`` hears (path, bytes, of bytes).

        Raises:
            UserError: a file or a path is unusable (nothing was sent), or a file changed underneath.
        """
        check_uploads(files)
        sent = sent_bytes = unchanged = 0
        for file in files:
            size = self._bring(file, progress or _nobody)
            if size is None:
                unchanged += 1
            else:
                sent, sent_bytes = sent + 1, sent_bytes + size
        return UploadReport(sent, sent_bytes, unchanged)

    def _bring(self, file: Upload, progress: Callable[[str, int, int], None]) -> int | None:
        """Send a file unless the share holds it; gives the bytes sent, None for unchanged."""
        before = file.source.stat()
        with service_errors(f"upload {file.path!r}"):
            held = self._held(file)
            if held is not None and held.md5 and held.size == before.st_size:
                progress(file.path, 0, held.size)
                if held.md5 == _md5(file.source):
                    progress(file.path, held.size, held.size)
                    return None
            self._send(file, before, progress)
        return before.st_size

    def _held(self, file: Upload) -> _Held | None:
        folder, name = _split(file.path)
        try:
            properties = self._service.get_file_properties(file.share, folder, name).properties
        except Exception as error:
            if status_of(error) != MISSING:
                raise
            return None
        return _Held(int(properties.content_length), properties.content_settings.content_md5 or "")

    def _send(self, file: Upload, before: os.stat_result, progress: Callable[[str, int, int], None]) -> None:
        from azure.storage.file.models import ContentSettings, SMBProperties

        folder, name = _split(file.path)
        self._ensure_folder(file.share, folder)
        written = datetime.fromtimestamp(before.st_mtime, timezone.utc).replace(tzinfo=None)
        with ThreadPoolExecutor(1) as aside:
            digest = aside.submit(_md5, file.source)
            self._service.create_file_from_path(
                file.share,
                folder,
                name,
                str(file.source),
                max_connections=self._connections if before.st_size > CHUNK else 1,
                progress_callback=lambda done, total: progress(file.path, done, total),
                # Its default is one object for all files, filled in by the first of them.
                smb_properties=SMBProperties(last_write_time=written),
            )
            md5 = digest.result()
        after = file.source.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise UserError("the file changed while it was sent", field=str(file.source), hint="try again")
        self._service.set_file_properties(
            file.share,
            folder,
            name,
            ContentSettings(content_type="application/octet-stream", content_md5=md5),
            smb_properties=SMBProperties(),
        )

    def _ensure_folder(self, share: str, folder: str | None) -> None:
        """Create a folder and its parents; each at most once in a backend's life, unless it went away."""
        if folder is None:
            return
        path = PurePosixPath(folder)
        for parent in [*reversed(path.parents[:-1]), path]:
            key = (share, str(parent))
            with self._lock:
                known = key in self._folders
            if not known:
                self._service.create_directory(share, str(parent), fail_on_exist=False)
                with self._lock:
                    self._folders.add(key)

    def list(self, share: str, path: str = "") -> list[ShareFile]:
        """List one folder, sorted by path.

        Raises:
            NotFound: there is no such share or folder.
        """
        from azure.storage.file.models import File

        folder = inside_share(path) if path else ""
        with service_errors(f"list {folder or 'the root'!r} of the share {share!r}"):
            entries = list(self._service.list_directories_and_files(share, folder or None))
        listed = [
            ShareFile(
                f"{folder}/{entry.name}" if folder else entry.name,
                int(entry.properties.content_length) if isinstance(entry, File) else None,
            )
            for entry in entries
        ]
        return sorted(listed, key=lambda file: file.path)

    def read(self, share: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file from ``offset`` to what was its end when the reading began.

        Raises:
            NotFound: there is no such file; raised when the first bytes are asked for.
        """
        folder, name = _split(inside_share(path))
        with service_errors(f"read {path!r} of the share {share!r}"):
            held = self._service.get_file_properties(share, folder, name).properties
        size = int(held.content_length)
        while offset < size:
            end = min(offset + CHUNK, size) - 1
            with service_errors(f"read {path!r} of the share {share!r}"):
                part = self._service.get_file_to_bytes(
                    share, folder, name, start_range=offset, end_range=end, max_connections=1
                )
            if not part.content:
                raise BackendError(f"{path!r} of the share {share!r} became shorter while it was read")
            offset += len(part.content)
            yield part.content


def _nobody(_path: str, _done: int, _total: int) -> None:
    """Hear of progress and say nothing."""


def _split(path: str) -> tuple[str | None, str]:
    """Split a path into folder (None: the root) and name."""
    folder, _, name = path.rpartition("/")
    return folder or None, name


def _md5(path: Path) -> str:
    """Give a file's MD5 as the Content-MD5 property writes it: base64."""
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while block := file.read(1024 * 1024):
            digest.update(block)
    return base64.b64encode(digest.digest()).decode()
