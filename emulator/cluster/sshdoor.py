"""The server that people log in to nodes with: asyncssh, on loopback ports, in a thread of its own."""

from __future__ import annotations

import asyncio
import hmac
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import asyncssh

from batchai_scenario.emulator.engines.base import Terminal
from batchai_scenario.emulator.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from typing import Any, TypeVar

    from batchai_scenario.emulator.cluster.model import LoginAccount, LoginNode
    from batchai_scenario.emulator.engines.base import Entered

    T = TypeVar("T")

    Process = asyncssh.SSHServerProcess[bytes]

_LOOPBACK = "127.0.0.1"
_LOOK_SECONDS = 0.5
"""How often nodes are looked for that have left."""

_CANNOT = 255
_BLOCK = 65536


@dataclass(slots=True)
class _Port:
    number: int
    acceptor: asyncssh.SSHAcceptor
    connections: set[asyncssh.SSHServerConnection]


class _Visitor(asyncssh.SSHServer):
    """Lets in who has the account's password or key."""

    def __init__(
        self,
        account: LoginAccount,
        connections: set[asyncssh.SSHServerConnection],
        is_there: Callable[[], bool],
        is_stranger: Callable[[object, object], bool],
    ) -> None:
        self._strangers = is_stranger
        self._is_stranger = True
        self._account = account
        self._connections = connections
        self._is_there = is_there
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)
        ends = conn.get_extra_info("peername"), conn.get_extra_info("sockname")
        self._is_stranger = self._strangers(*ends)
        if self._is_stranger:
            asyncio.get_running_loop().call_soon(
                conn.abort
            )  # takes no descriptor while it asks for a password

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's
        if self._connection is not None:
            self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - everybody has to show something
        return True

    def password_auth_supported(self) -> bool:
        return bool(self._account.password)

    def validate_password(self, username: str, password: str) -> bool:
        ours = (self._account.user.encode(), self._account.password.encode())
        same = [
            hmac.compare_digest(*pair)
            for pair in zip(ours, (username.encode(), password.encode()), strict=True)
        ]
        return all(same) and bool(self._account.password) and self._lets_in()

    def public_key_auth_supported(self) -> bool:
        return bool(self._account.key)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        try:
            known = asyncssh.import_public_key(self._account.key)
        except asyncssh.KeyImportError:
            return False
        return username == self._account.user and key == known and self._lets_in()

    def _lets_in(self) -> bool:
        return not self._is_stranger and self._is_there()


class SshDoor:
    """Listens for nodes. ``enter`` and ``leave`` are called from threads of sessions.

    Args:
        key_file: the key (0600) by which the server is known, made on demand: the same for all nodes.
        enter: begins a command on a node.
        leave: is called when what was begun has ended.
        is_there: whether a node is to be listened for; looked at again and again.
        is_stranger: whether a program of another user is at the other end of a connection, by its two ends.
    """

    def __init__(
        self,
        key_file: Path,
        enter: Callable[[LoginNode, str, Terminal | None], Entered],
        leave: Callable[[LoginNode], None],
        is_there: Callable[[LoginNode], bool],
        is_stranger: Callable[[object, object], bool],
    ) -> None:
        self._is_stranger = is_stranger
        self._key_file = key_file
        self._enter = enter
        self._leave = leave
        self._is_there = is_there
        self._ports: dict[LoginNode, _Port] = {}
        self._sessions: set[threading.Thread] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="logins", daemon=True)
        self._thread.start()
        self._ask(self._begin())

    def open(self, where: LoginNode, account: LoginAccount, preferred: int) -> int:
        """Listen for a node, on a free port where the preferred one is taken; give the port."""
        return self._ask(self._open(where, account, preferred))

    def close(self) -> None:
        """Stop listening, and end sessions with all that runs in them."""
        self._ask(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _ask(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _begin(self) -> None:
        self._key = await asyncio.to_thread(_own_key, self._key_file)
        self._looking = asyncio.create_task(self._look())

    async def _open(self, where: LoginNode, account: LoginAccount, preferred: int) -> int:
        if where in self._ports:
            return self._ports[where].number
        connections: set[asyncssh.SSHServerConnection] = set()
        listen = partial(
            asyncssh.create_server,
            lambda: _Visitor(account, connections, lambda: self._is_there(where), self._is_stranger),
            _LOOPBACK,
            server_host_keys=[self._key],
            process_factory=partial(self._serve, where),
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            gss_host=None,
        )
        try:
            acceptor = await listen(port=preferred)
        except OSError:
            acceptor = await listen(port=0)
        self._ports[where] = _Port(acceptor.get_port(), acceptor, connections)
        return self._ports[where].number

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for where in list(self._ports):
                if not await asyncio.to_thread(self._is_there, where):
                    await self._shut(where)

    async def _shut(self, where: LoginNode) -> None:
        port = self._ports.pop(where)
        port.acceptor.close()
        for connection in list(port.connections):
            connection.abort()
        await port.acceptor.wait_closed()

    async def _end(self) -> None:
        self._looking.cancel()
        with suppress(asyncio.CancelledError):
            await self._looking
        for where in list(self._ports):
            await self._shut(where)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_default_executor()

    async def _serve(self, where: LoginNode, process: Process) -> None:
        kind = process.term_type
        columns, rows, *_ = process.term_size
        terminal = Terminal(kind, columns, rows) if kind else None
        command = process.command
        try:
            entered = await asyncio.to_thread(self._enter, where, _text(command), terminal)
        except EngineError as error:
            process.stderr.write(f"{error.problem.message}\n".encode())
            process.exit(_CANNOT)
            return
        over: asyncio.Future[None] = self._loop.create_future()
        reader = threading.Thread(target=self._read, args=(process, entered, over), daemon=True)
        reader.start()
        feeding = asyncio.create_task(_feed(process, entered, kind))
        closing = asyncio.create_task(process.channel.wait_closed())
        await asyncio.wait([over, closing], return_when=asyncio.FIRST_COMPLETED)
        code = await asyncio.to_thread(entered.end)
        await over
        feeding.cancel()
        await asyncio.to_thread(self._leave, where)
        process.exit(code)
        await closing
        await asyncio.gather(feeding, return_exceptions=True)

    def _read(self, process: Process, entered: Entered, over: asyncio.Future[None]) -> None:
        """Pass output on, at the pace of who reads it."""
        while (got := entered.read()) is not None:
            sent = asyncio.run_coroutine_threadsafe(_send(process, *got), self._loop)
            with suppress(Exception):  # nobody is there any more
                sent.result()
        self._loop.call_soon_threadsafe(over.set_result, None)


async def _send(process: Process, stream: int, data: bytes) -> None:
    writer = process.stdout if stream == 1 else process.stderr
    writer.write(data)
    await writer.drain()


async def _feed(process: Process, entered: Entered, kind: str | None) -> None:
    """Pass on what is typed, and the terminal's size."""
    while True:
        try:
            data = await process.stdin.read(_BLOCK)
        except asyncssh.TerminalSizeChanged as changed:
            entered.resize(Terminal(kind or "", changed.width, changed.height))
            continue
        except asyncssh.BreakReceived:
            continue
        except asyncssh.SignalReceived:
            data = b"\x03" if kind else b""
        if not data:
            await asyncio.to_thread(entered.close_input)
            return
        await asyncio.to_thread(entered.write, data)


def _text(command: str | bytes | None) -> str:
    return command.decode("utf-8", "surrogateescape") if isinstance(command, bytes) else command or ""


def _own_key(file: Path) -> asyncssh.SSHKey:
    """Read the server's key; one that is not there, or damaged, is made."""
    with suppress(FileNotFoundError, asyncssh.KeyImportError):
        return asyncssh.import_private_key(file.read_bytes())
    made = asyncssh.generate_private_key("ssh-ed25519")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as written:
        written.write(made.export_private_key())
    draft.replace(file)
    return made
