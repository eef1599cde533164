"""Who serves a home folder: its lock, and the address file that leads clients there. Cheap to import."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchai_scenario.emulator.errors import HomeInUse

if TYPE_CHECKING:
    from batchai_scenario.emulator.state.home import Home

_HEALTH_SECONDS = 2.0
_LOCK_SECONDS = 0.15
"""Somebody who only looks whether a home is served holds its lock for a moment: wait that long."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an emulator answers. ``instance`` is its own for ever; ``stop_key`` stops it over HTTP.

    ``page_token`` lets a browser see the page.
    ``proxy_port`` and ``passthrough_port`` are those of its proxies on 127.0.0.1: both stand in for Azure's
    hosts, the second lets other hosts through. ``blob_url`` is where containers are, at ``/ACCOUNT``: many
    clients take the path's first part for the account.
    """

    url: str
    host: str
    port: int
    pid: int
    started_at: str
    version: str
    instance: str
    stop_key: str = field(repr=False)
    proxy_port: int
    passthrough_port: int
    blob_url: str
    https_url: str = ""
    page_token: str = field(default="", repr=False)

    @property
    def page_url(self) -> str:
        """Give the address that opens the page, with the token that it needs."""
        return f"{self.url}/ui?token={self.page_token}"

    def to_json(self) -> dict[str, Any]:
        """Write the address file's content."""
        return {
            "url": self.url,
            "host": self.host,
            "port": self.port,
            "pid": self.pid,
            "startedAt": self.started_at,
            "version": self.version,
            "instance": self.instance,
            "stopKey": self.stop_key,
            "proxyPort": self.proxy_port,
            "passthroughPort": self.passthrough_port,
            "blobUrl": self.blob_url,
            "httpsUrl": self.https_url,
            "pageToken": self.page_token,
        }


def write_address(home: Home, address: Address) -> None:
    """Write the address file (0600), whole or not at all."""
    _write(home.address_file, address)


def _write(path: Path, address: Address) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(address.to_json(), file, indent=2)
    draft.replace(path)


def last_address(home: Home) -> Address | None:
    """Read the address file, whether or not anybody answers there; None if there is none."""
    return _read(home.address_file)


def last_ports(home: Home) -> Address | None:
    """Find the ports of the emulator before this one, however it ended; None if there was none."""
    return _read(home.address_file) or _read(home.ports_file)


def _read(path: Path) -> Address | None:
    try:
        found = json.loads(path.read_text())
        return Address(
            url=str(found["url"]),
            host=str(found["host"]),
            port=int(found["port"]),
            pid=int(found["pid"]),
            started_at=str(found["startedAt"]),
            version=str(found["version"]),
            instance=str(found["instance"]),
            stop_key=str(found["stopKey"]),
            proxy_port=int(found["proxyPort"]),
            passthrough_port=int(found["passthroughPort"]),
            blob_url=str(found.get("blobUrl", "")),
            https_url=str(found.get("httpsUrl", "")),
            page_token=str(found.get("pageToken", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_address(home: Home, instance: str) -> None:
    """Remove the address file if it is still this instance's; its ports are remembered, not its secrets."""
    found = last_address(home)
    if found is not None and found.instance == instance:
        with contextlib.suppress(OSError):  # a full disk: another port will do
            _write(home.ports_file, replace(found, stop_key="", page_token=""))
        home.address_file.unlink(missing_ok=True)


def read_address(home: Home) -> Address | None:
    """Find the emulator that serves a home; None if none answers, whatever a killed one left."""
    import http.client

    address = last_address(home)
    if address is None:
        return None
    where = urlsplit(address.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_HEALTH_SECONDS)
    try:
        connection.request("GET", "/.emulator/health")
        health = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return address if isinstance(health, dict) and health.get("instance") == address.instance else None


def holder(home: Home) -> int:
    """Find the process that holds a home's lock, as the kernel lists locks; 0 if that does not tell."""
    try:
        file = home.lock_file.stat()
        listed = Path("/proc/locks").read_text()
    except OSError:
        return 0
    mark = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    held = [line.split() for line in listed.splitlines()]  # 1: FLOCK ADVISORY WRITE 4711 fe:00:1234 0 EOF
    return next((int(lock[4]) for lock in held if lock[1] == "FLOCK" and lock[5] == mark), 0)


class HomeLock:
    """The lock on a home folder: held by the process that serves it, freed by the kernel when that dies."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._handle: int | None = None

    def take(self, seconds: float = _LOCK_SECONDS, *, make: bool = True) -> None:
        """Take the lock, waiting so long for whoever holds it.

        Raises:
            HomeInUse: another emulator holds it.
            FileNotFoundError: there is no such file, and it is not to be made.
        """
        flags = os.O_RDWR | os.O_CREAT if make else os.O_RDONLY
        handle = os.open(self._home.lock_file, flags | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + seconds
        while not _try_lock(handle):
            if time.monotonic() > deadline:
                os.close(handle)
                raise HomeInUse(str(self._home.root), self._holder())
            time.sleep(0.01)
        self._handle = handle

    def release(self) -> None:
        """Free the lock; nothing if it is not held."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.close(handle)

    def _holder(self) -> str:
        address = last_address(self._home)
        return "" if address is None else f"process {address.pid}, at {address.url}"


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
