"""What an emulator of this machine does, told as it changes: clusters and jobs, as its page hears of them."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.local.host import found_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchai_scenario.emulator.api import Address

SILENT_SECONDS = 40.0
"""Seconds without a word after which an emulator is gone; a quiet one speaks every 15."""


class BoardState:
    """Clusters and jobs as they are now: plain values, as ``docs/ui.md`` describes them."""

    def __init__(self) -> None:
        self.clusters: list[dict[str, Any]] = []
        self._jobs: dict[str, dict[str, Any]] = {}

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Give all jobs, the newest first."""
        return sorted(self._jobs.values(), key=lambda job: -int(job["number"]))

    def take(self, told: dict[str, Any]) -> None:
        """Take what changed."""
        if told.get("whole"):
            self._jobs.clear()
        self.clusters = told.get("clusters", self.clusters)
        for gone in told["gone"]:
            self._jobs.pop(gone, None)
        self._jobs.update((job["id"], job) for job in told["jobs"])


def watch_board(home: Path) -> Iterator[BoardState]:
    """Give clusters and jobs of the emulator that serves a home, at once and whenever something changed.

    Ends when the emulator ends.

    Raises:
        MachineError: none serves it, it has no clusters, or it does not answer.
    """
    found = found_address(home)
    state = BoardState()
    try:
        with closing(_connected(found)) as line:
            cookie = _cookie(line, found)
            if _asked(line, "overview", cookie)["board"] is None:
                raise MachineError(
                    "the emulator serves storage alone.", remedy="Start it without --only files."
                )
            for told in _boards(line, cookie):
                state.take(told)
                yield state
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise MachineError(
            f"the emulator (process {found.pid}) does not answer.",
            remedy="Look at 'scenario emulator logs'; 'scenario emulator stop' ends it.",
        ) from error


def _connected(found: Address) -> http.client.HTTPConnection:
    url = urlsplit(found.url)
    return http.client.HTTPConnection(url.hostname or "", url.port, timeout=SILENT_SECONDS)


def _cookie(line: http.client.HTTPConnection, found: Address) -> str:
    """Change the page's token for its cookie."""
    url = urlsplit(found.page_url)
    line.request("GET", f"{url.path}?{url.query}")
    answer = line.getresponse()
    answer.read()
    return answer.headers["Set-Cookie"].partition(";")[0]


def _asked(line: http.client.HTTPConnection, what: str, cookie: str) -> dict[str, Any]:
    line.request("GET", f"/ui/api/{what}", headers={"Cookie": cookie})
    found: dict[str, Any] = json.loads(line.getresponse().read())
    return found


def _boards(line: http.client.HTTPConnection, cookie: str) -> Iterator[dict[str, Any]]:
    """Read the stream of events; gives the data of those that tell of clusters and jobs."""
    line.request("GET", "/ui/api/events", headers={"Cookie": cookie})
    answer, event = line.getresponse(), ""
    while text := answer.readline().decode():
        field, _, value = text.rstrip("\n").partition(": ")
        if field == "event":
            event = value
        elif field == "data" and event == "board":
            yield json.loads(value)
