"""The emulator behind the backend ``local``: found serving, or started in this process.

While somebody else's emulator serves the home folder, a standby thread watches its lock. When that
process dies the emulator is started here, on the same port, and requests that are being retried go on.
"""

from __future__ import annotations

import fcntl
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import requests

from backends.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

READY_SECONDS = 20.0
"""Seconds that another process may take from locking the home to answering."""

LOOK_SECONDS = 0.1
"""Seconds between two looks at the lock."""

HEALTH_TIMEOUT = 2.0
START_TRIES = 5


class Serving(Protocol):
    """What this module needs of an emulator in this process."""

    def close(self) -> None:
        """Stop serving and free the home."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """An emulator that serves: its address and what its health page says."""

    url: str
    pid: int
    started_at: str
    version: str
    health: Mapping[str, object]


def start_emulator(
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    engine: str = "auto",
    gpus: str = "auto",
    strict: bool = False,
) -> tuple[Serving, str]:
    """Start the emulator of a home in this process; gives it and its URL once it answers.

    Raises:
        MachineError: the home or the port is taken, or the state cannot be read.
        HomeTakenError: another emulator serves this home.
    """
    from emulator.server import EmulatorServer, EmulatorSettings

    from emulator.errors import EmulatorError, HomeInUse
    from emulator.state.store import StoreTooNew

    settings = EmulatorSettings(home=root, host=host, port=port, engine=engine, gpus=gpus, strict=strict)
    tries = START_TRIES
    while True:
        server = EmulatorServer(settings)
        try:
            return server, str(server.start().url).rstrip("/")
        except HomeInUse as error:
            tries -= 1
            # Whoever looks whether the home is served holds its lock for a moment.
            if tries == 0 or is_served(root):
                raise HomeTakenError(str(error)) from error
            time.sleep(LOOK_SECONDS / 5)
        except (EmulatorError, StoreTooNew) as error:
            raise MachineError(str(error)) from error
        except OSError as error:
            raise MachineError(f"the emulator cannot be started: {error}") from error


class HomeTakenError(MachineError):
    """Another emulator serves this home folder."""


def is_served(root: Path) -> bool:
    """Tell whether some process holds the home's lock; a killed one does not."""
    from emulator.state.home import Home

    try:
        with Home(root).lock_file.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the home's lock, so that no emulator starts there meanwhile.

    Raises:
        HomeTakenError: one serves it.
    """
    from emulator.state.home import Home

    home = Home(root)
    home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with home.lock_file.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeTakenError(f"an emulator serves {root}") from None
        yield


def find(root: Path) -> Found | None:
    """Find the emulator that serves a home; None if none does, or if it does not answer yet."""
    from emulator.state.home import Home

    if not is_served(root):
        return None
    try:
        address = json.loads(Home(root).address_file.read_text())
        url = str(address["url"]).rstrip("/")
        with requests.Session() as session:
            session.trust_env = False  # no proxy stands between us and ourselves
            answer = session.get(f"{url}/.emulator/health", timeout=HEALTH_TIMEOUT)
            health = cast("dict[str, object]", answer.json())
    except (OSError, ValueError, KeyError):  # RequestException is an OSError
        return None
    if health.get("pid", address.get("pid")) != address.get("pid"):
        return None  # an address of before: the port is somebody else's now
    return Found(
        url,
        int(address.get("pid", 0)),
        str(address.get("startedAt", "")),
        str(address.get("version", "")),
        health,
    )


class Host:
    """Sees to it that an emulator serves the home as long as this is open.

    ``start`` starts one in this process. ``url`` is where it answers; it may change on a takeover only
    if the old port was taken meanwhile.
    """

    def __init__(self, root: Path, start: Callable[[], tuple[Serving, str]]) -> None:
        self._root = root
        self._start = start
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server: Serving | None = None
        self._standby: threading.Thread | None = None
        self.url = ""

    @property
    def in_process(self) -> bool:
        """Tell whether the emulator runs in this process."""
        return self._server is not None

    def open(self) -> str:
        """Connect to the emulator of the home, or start it; gives its URL.

        Raises:
            MachineError: it cannot be started, or another process holds the home and does not answer.
        """
        deadline = time.monotonic() + READY_SECONDS
        while True:
            found = find(self._root)
            if found is not None:
                self.url = found.url
                break
            if not is_served(self._root) and self._take():
                return self.url
            if time.monotonic() > deadline:
                raise MachineError(
                    f"a process holds {self._root} and does not answer.",
                    remedy="End it ('scenario emulator stop'), or use another home folder (SCENARIO_HOME).",
                )
            self._closing.wait(LOOK_SECONDS)
        self._standby = threading.Thread(target=self._stand_by, name="emulator-standby", daemon=True)
        self._standby.start()
        return self.url

    def _take(self) -> bool:
        """Start the emulator here; False if another process was quicker."""
        with self._lock:
            if self._closing.is_set():
                return False
            try:
                self._server, self.url = self._start()
            except HomeTakenError:
                return False
            return True

    def _stand_by(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            if is_served(self._root):
                continue
            try:
                if self._take():
                    return
            except MachineError:
                continue  # requests end as Unreachable if this lasts; what is in the way may go away

    def close(self) -> None:
        """Stand by no more, and stop the emulator if it runs in this process (B10)."""
        self._closing.set()
        if self._standby is not None:
            self._standby.join()
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()
