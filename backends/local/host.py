"""The emulator behind the backend ``local``: found serving, or started in this process.

While somebody else's emulator serves the home folder, a standby thread watches its lock. When that
process ends the emulator is started here, on the same port, and requests that are being retried go on.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from batchai_scenario import __version__
from batchai_scenario.backends.errors import MachineError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from batchai_scenario.emulator.api import Address, Credentials, EmulatorSettings, RunBook

READY_SECONDS = 20.0
"""Seconds that another process may take from locking the home to answering."""

LOOK_SECONDS = 0.1
"""Seconds between two looks at the lock."""


class Serving(Protocol):
    """What is needed of an emulator in this process."""

    def serve_forever(self) -> None:
        """Wait until ``close`` was called, or the request to stop came."""
        ...

    def close(self) -> None:
        """Stop serving and free the home."""
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """An emulator in this process, where it answers, and what was not right with its home and was mended."""

    server: Serving
    url: str
    notices: tuple[str, ...] = ()


class HomeTakenError(MachineError):
    """Another emulator serves this home folder."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to serve a home, as users say it.

    ``port`` 0 takes any, the previous one if it is free. ``strict`` keeps the service's own pace
    (``Retry-After: 15``). ``accounts`` (``NAME:KEY``) and ``clients`` (``ID:SECRET``) are known besides the
    home's own credentials, and so are the published ones with ``development_credentials``. ``only``
    ``files``: storage alone. ``https``: over TLS, too. ``copy_seconds``: how long copies of files stay
    pending. ``share_days``: how long deleted shares can be had back; 0: not at all. ``runs``: the home's
    runs, for its page.
    """

    host: str = "127.0.0.1"
    port: int = 0
    engine: str = "auto"
    gpus: str = "auto"
    strict: bool = False
    accounts: Sequence[str] = ()
    clients: Sequence[str] = ()
    development_credentials: bool = False
    only: str = ""
    https: bool = False
    copy_seconds: float = 0.0
    share_days: int = 0
    runs: RunBook | None = None

    def credentials(self) -> Credentials:
        """Read the accounts and clients; UserError if that cannot be."""
        from batchai_scenario.emulator.api import Credentials, CredentialsInvalid

        try:
            return Credentials.read(self.accounts, self.clients)
        except CredentialsInvalid as error:
            raise UserError(error.reason, field=error.option) from None

    def settings(self, root: Path) -> EmulatorSettings:
        """Give the emulator's own settings; UserError if an account or a client cannot be read."""
        from batchai_scenario.emulator.api import EmulatorSettings

        return EmulatorSettings(
            home=root,
            host=self.host,
            port=self.port,
            engine=self.engine,
            gpus=self.gpus,
            strict=self.strict,
            credentials=self.credentials(),
            development_credentials=self.development_credentials,
            only=self.only,
            https=self.https,
            copy_seconds=self.copy_seconds,
            share_days=self.share_days,
            runs=self.runs,
        )


AS_IT_COMES = ServeOptions()


def start_emulator(root: Path, options: ServeOptions = AS_IT_COMES) -> Started:
    """Start the emulator of a home in this process; returns once it answers.

    Raises:
        UserError: an account or a client cannot be read.
        HomeTakenError: another emulator serves this home.
        MachineError: the port is taken, the address cannot be reached, or the state cannot be read.
    """
    from batchai_scenario.emulator.api import EmulatorError, EmulatorServer, HomeInUse

    server = EmulatorServer(options.settings(root))
    try:
        url = server.start().url
    except HomeInUse as error:
        raise HomeTakenError(str(error)) from error
    except EmulatorError as error:
        raise MachineError(str(error)) from error
    except OSError as error:
        raise MachineError(
            f"the emulator of {root} cannot be started: {error}.",
            remedy="Give it another address ('scenario emulator serve --host ADDRESS --port NUMBER'), or "
            "name another home with SCENARIO_HOME.",
        ) from error
    try:
        _knock(url)
    except OSError as error:
        server.close()
        raise MachineError(
            f"the emulator of {root} serves at {url} and cannot be reached there: {error}.",
            remedy="Is the loopback interface up ('ip link set lo up')? Does a filter refuse connections?",
        ) from error
    return Started(server, url, server.notices)


def _knock(url: str) -> None:
    """Connect to an address once; OSError."""
    at = urlsplit(url)
    with socket.create_connection((str(at.hostname), at.port or 80), timeout=READY_SECONDS):
        pass


def is_served(root: Path) -> bool:
    """Tell whether some process holds the home's lock; one that was killed does not."""
    try:
        with locked(root):
            return False
    except HomeTakenError:
        return True


def found_address(root: Path) -> Address:
    """Find the emulator that serves a home.

    Raises:
        MachineError: none does, or the one that does says nothing.
    """
    from batchai_scenario.emulator.api import Home, read_address

    found = read_address(Home(root))
    if found is not None:
        return found
    if is_served(root):
        raise silent(root)
    raise MachineError(f"no emulator serves {root}.", remedy="Start one with 'scenario emulator serve'.")


def silent(root: Path) -> MachineError:
    """Say that an emulator holds a home and does not answer (it hangs, or was stopped), and how to end it."""
    from batchai_scenario.emulator.api import Home, holder

    process = holder(Home(root))
    by = f"process {process}" if process else f"its id stands in {Home(root).address_file}"
    return MachineError(
        f"an emulator holds {root} ({by}) and does not answer.",
        remedy=f"If it is not just starting, end it with 'kill -9 {process or 'ID'}': its jobs go on, and "
        "the next emulator takes them over.",
    )


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the home's lock, so that no emulator starts there meanwhile; nothing if there is no home yet.

    Raises:
        HomeTakenError: an emulator serves it.
    """
    from batchai_scenario.emulator.api import Home, HomeInUse, HomeLock

    lock = HomeLock(Home(root))
    try:
        lock.take(0.0, make=False)
    except FileNotFoundError:
        yield
        return
    except HomeInUse:
        raise HomeTakenError(f"an emulator serves {root}.") from None
    try:
        yield
    finally:
        lock.release()


def other_version(version: str) -> tuple[str, ...]:
    """Say that an emulator runs on after an upgrade, as what it was; nothing if it is of this version."""
    if version == __version__:
        return ()
    text = (
        f"the emulator that serves this home is version {version}, started before {__version__} was "
        "installed: end it with 'scenario emulator stop', and the next run starts the new one"
    )
    return (text,)


class Host:
    """Sees to it that an emulator serves the home as long as this is open.

    ``start`` starts one in this process, on a port (0: any). ``url`` is where it answers; ``notices`` say
    what was not right with the home when it was started here, or that it is another version that serves it.
    """

    def __init__(self, root: Path, start: Callable[[int], Started]) -> None:
        self._root = root
        self._start = start
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server: Serving | None = None
        self._standby: threading.Thread | None = None
        self.url = ""
        self.notices: tuple[str, ...] = ()

    @property
    def in_process(self) -> bool:
        """Tell whether the emulator runs in this process."""
        return self._server is not None

    def open(self) -> str:
        """Connect to the emulator of the home, or start it; gives its URL.

        Raises:
            MachineError: it cannot be started, or another process holds the home and does not answer.
        """
        from batchai_scenario.emulator.api import Home, read_address

        deadline = time.monotonic() + READY_SECONDS
        while True:
            found = read_address(Home(self._root))
            if found is not None:
                self.url, self.notices = found.url, other_version(found.version)
                break
            if self._take(0):
                return self.url
            if time.monotonic() > deadline:
                raise silent(self._root)
            self._closing.wait(LOOK_SECONDS)
        self._standby = threading.Thread(target=self._stand_by, name="emulator-standby", daemon=True)
        self._standby.start()
        return self.url

    def _take(self, port: int) -> bool:
        """Start the emulator here; False if another process was quicker."""
        with self._lock:
            if self._closing.is_set():
                return False
            try:
                started = self._start(port)
            except HomeTakenError:
                return False
            self._server, self.url, self.notices = started.server, started.url, started.notices
            return True

    def _stand_by(self) -> None:
        # Whoever takes over takes the same port: the clients of the one that ended know no other.
        port = urlsplit(self.url).port or 0
        while not self._closing.wait(LOOK_SECONDS):
            if not is_served(self._root) and self._take_over(port):
                return

    def _take_over(self, port: int) -> bool:
        try:
            return self._take(port)
        except MachineError:
            return False  # what is in the way may go away; if it stays, requests end as Unreachable

    def close(self) -> None:
        """Stand by no more, and stop the emulator if it runs in this process (B10)."""
        self._closing.set()
        if self._standby is not None:
            self._standby.join()
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()
