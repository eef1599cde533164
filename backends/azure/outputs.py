"""Output files of jobs: listed by the service, read through the links that it gives."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import requests

from batchai_scenario.backends.azure.clients import without_warnings
from batchai_scenario.backends.azure.errors import service_errors
from batchai_scenario.backends.base import OutputFile
from batchai_scenario.backends.errors import BackendError, InvalidSpec, NotFound, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchai_scenario.backends.azure.clients import Clients
    from batchai_scenario.backends.azure.ids import JobId

LINK_MINUTES = 60
"""Minutes for which a link is asked."""

LINK_USED_SECONDS = (LINK_MINUTES - 10) * 60
"""Seconds after which a link is asked for again."""

BLOCK = 256 * 1024
TIMEOUT = (10.0, 120.0)

Key = tuple[str, str, str]
"""Job id, directory id, path: what a link belongs to."""


class Outputs:
    """The output files of jobs. Links are kept while they are good: following a log is one request a look."""

    def __init__(self, clients: Clients, pause: Callable[[float], None] = time.sleep) -> None:
        self._clients = clients
        self._pause = pause
        self._lock = threading.Lock()
        self._links: dict[Key, tuple[str, float]] = {}

    def list(self, job: JobId, directory_id: str, path: str = "") -> list[OutputFile]:
        """List one level of an output directory, sorted by path.

        Raises:
            NotFound: no such job or directory id.
        """
        with without_warnings():
            from azure.mgmt.batchai.models import JobsListOutputFilesOptions

        options = JobsListOutputFilesOptions(
            outputdirectoryid=directory_id,
            directory=path or ".",
            linkexpiryinminutes=LINK_MINUTES,
            max_results=1000,
        )
        try:
            with service_errors(f"list {directory_id!r} of the job {job.name!r}"):
                items = list(
                    self._clients.batchai.jobs.list_output_files(
                        job.group,
                        job.workspace,
                        job.experiment,
                        job.name,
                        options,
                        retry_on_methods=frozenset({"GET", "POST"}),  # GET: the next pages
                    )
                )
        except InvalidSpec as refused:
            raise NotFound(refused.message) from refused
        files = [_output_file(item, path) for item in items]
        asked = time.monotonic()
        with self._lock:
            for file in files:
                if file.url:
                    self._links[job.id.lower(), directory_id, file.path] = (file.url, asked)
        return sorted(files, key=lambda file: file.path)

    def read(self, job: JobId, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file from ``offset`` to what is its end now; a broken connection is taken up where it broke.

        Raises:
            NotFound: no such job, directory id or file; raised when the first bytes are asked for.
        """
        tries = self._clients.retries.tries
        fresh = False
        while True:
            link = self._link(job, directory_id, path, fresh=fresh)
            try:
                for block in self._get(link, path, offset):
                    offset += len(block)
                    tries = self._clients.retries.tries
                    yield block
            except _LinkRefusedError:
                if fresh:
                    raise NotFound(f"{path!r} of {directory_id!r} of the job {job.name!r} is gone") from None
                fresh = True
            except requests.RequestException as error:
                tries -= 1
                if tries <= 0:
                    raise _unread(path, error) from None
                self._pause(self._clients.retries.pause)
            else:
                return

    def _link(self, job: JobId, directory_id: str, path: str, *, fresh: bool) -> str:
        key = (job.id.lower(), directory_id, path)
        with self._lock:
            url, asked = self._links.get(key, ("", 0.0))
            if fresh or time.monotonic() - asked > LINK_USED_SECONDS:
                url = ""
                self._links.pop(key, None)
        if not url:
            self.list(job, directory_id, path.rpartition("/")[0])
            with self._lock:
                url, _ = self._links.get(key, ("", 0.0))
        if not url:
            raise NotFound(f"the job {job.name!r} has no file {path!r} in {directory_id!r}")
        return url

    def _get(self, url: str, path: str, offset: int) -> Iterator[bytes]:
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with self._clients.web.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            status = answer.status_code
            if status == requests.codes.requested_range_not_satisfiable:
                return  # nothing new
            if status in (requests.codes.forbidden, requests.codes.not_found, requests.codes.unauthorized):
                raise _LinkRefusedError
            if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
                raise requests.HTTPError(f"status {status}")
            if status not in (requests.codes.ok, requests.codes.partial_content):
                raise BackendError(f"could not read {path!r}: answer {status}", status=status)
            skip = offset if status == requests.codes.ok else 0  # a server without ranges sends everything
            for block in answer.iter_content(BLOCK):
                kept = block[skip:]
                skip = max(0, skip - len(block))
                if kept:
                    yield kept


class _LinkRefusedError(Exception):
    """A link is not good any more."""


def _unread(path: str, error: requests.RequestException) -> BackendError:
    """Say that a file could not be read, without the link: it would let anybody read."""
    if isinstance(error, requests.HTTPError):
        return BackendError(f"could not read {path!r}: {error}", transient=True)
    return Unreachable(f"could not read {path!r}: {type(error).__name__}")


def _output_file(item: Any, folder: str) -> OutputFile:  # noqa: ANN401 - the SDK's File
    name = str(item.name).rstrip("/").rpartition("/")[2]
    path = f"{folder}/{name}" if folder else name
    if item.file_type == "directory":
        return OutputFile(path, None)
    return OutputFile(path, int(item.content_length or 0), item.last_modified, item.download_url or "")
