"""Whose program is at the other end of a connection, as far as the kernel tells."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import asyncio

_SOCK_DIAG, _BY_FAMILY, _REQUEST, _ERROR = 4, 20, 1, 2
_HEADER = struct.Struct("=IHHII")
_QUERY = struct.Struct("=BBBBI")
_PORTS = struct.Struct("!HH")
_ANY_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_STATE_AT = _HEADER.size + 1
_OWNER = struct.Struct("=II")
_OWNER_AT = _HEADER.size + 4 + 48 + 12
_LISTENING = 10
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


NOT_YOURS = "This emulator belongs to another user of this machine, and answers programs of that user only."


class Peer(Enum):
    """Who is at the other end.

    ``OWN``: a program of the emulator's own user, or of root's. ``OTHER``: one of another user of this
    machine, or one that has gone. ``UNTOLD``: nobody tells; another machine, or a container with a network
    of its own.
    """

    OWN = "own"
    OTHER = "other"
    UNTOLD = "untold"


class Holder(NamedTuple):
    """Who holds a socket; ``inode`` is 0 once nobody does, and ``uid`` then says nothing."""

    uid: int
    inode: int


class Peers:
    """Tells peers by the owner of the client's socket; for one thread.

    The kernel is asked for that one socket (``sock_diag``), which costs the same however many there are;
    where it does not answer such questions its tables in ``/proc`` are read. Root gets in everywhere anyway.
    """

    def __init__(self, user: int | None = None) -> None:
        self._allowed = frozenset({os.geteuid() if user is None else user, 0})
        self._asking: socket.socket | None = None
        self._answers = False
        self._number = 0
        try:
            self._asking = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG)
            self._asking.settimeout(0)
        except OSError:
            self._asking = None

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.close()

    def of(self, transport: asyncio.BaseTransport) -> Peer:
        """Tell who is at the other end of a connection that was accepted."""
        return self.between(transport.get_extra_info("peername"), transport.get_extra_info("sockname"))

    def between(self, client: Any, server: Any) -> Peer:  # noqa: ANN401 - addresses of sockets, in any family
        """Tell who connected from ``client`` to ``server``: addresses as sockets give them."""
        if not isinstance(client, tuple) or not isinstance(server, tuple):
            return Peer.UNTOLD
        here, there = (_plain(client[0]), client[1]), (_plain(server[0]), server[1])
        try:
            holder = self._asked(here, there) or _looked_up(here, there)
        except OSError:
            return Peer.UNTOLD  # this kernel does not tell
        if holder is not None and holder.inode:
            return Peer.OWN if holder.uid in self._allowed else Peer.OTHER
        near = here[0].is_loopback or here[0] == there[0]
        return Peer.OTHER if near else Peer.UNTOLD

    def _asked(self, here: _Address, there: _Address) -> Holder | None:
        """Ask the kernel; None if it does not answer such questions."""
        if self._asking is None:
            return None
        family = socket.AF_INET if here[0].version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
        body = _QUERY.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
        body += _PORTS.pack(here[1], there[1]) + here[0].packed.ljust(16, b"\0")
        body += there[0].packed.ljust(16, b"\0") + _ANY_COOKIE
        self._number = (self._number + 1) & 0xFFFFFFFF
        head = _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, self._number, 0)
        try:
            self._asking.sendto(head + body, (0, 0))
            answer = self._asking.recv(4096)
            while _HEADER.unpack_from(answer)[3] != self._number:
                answer = self._asking.recv(4096)
        except OSError:
            return None
        if _HEADER.unpack_from(answer)[1] == _ERROR:
            code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
            # Also the answer of a kernel without the module: believed once it has answered something else.
            return Holder(0, 0) if code == errno.ENOENT and self._answers else None
        self._answers = True
        if answer[_STATE_AT] == _LISTENING:
            return Holder(0, 0)  # the connection has gone, and somebody listens on its port
        return Holder(*_OWNER.unpack_from(answer, _OWNER_AT))


_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_Address = tuple[_Ip, int]


def _plain(text: str) -> _Ip:
    address = ipaddress.ip_address(text.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _looked_up(here: _Address, there: _Address) -> Holder | None:
    """Find a socket in the kernel's tables; OSError if there is none of them."""
    read = 0
    for table in _TABLES:
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        read += 1
        for line in lines:
            columns = line.split()
            if _listed(columns[1]) == here and _listed(columns[2]) == there:
                return Holder(int(columns[7]), int(columns[9]))
    if not read:
        raise OSError(errno.ENOENT, "the kernel's tables of sockets cannot be read")
    return None


def _listed(text: str) -> _Address:
    """Read an address of the tables: words of four bytes in the machine's order, and a port."""
    digits, _, port = text.partition(":")
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    return _plain(str(ipaddress.ip_address(b"".join(struct.pack("=I", word) for word in words)))), int(
        port, 16
    )
