"""Networks of the process engine: a namespace for each node, joined by a bridge in one of the cluster's.

The outside world comes through ``slirp4netns``, which needs no rights of this machine: root and other users
have the same. Nothing of this machine's own network is changed. A namespace lives as long as the process that
holds it; these processes carry the cluster's marker, so every later process of this home finds them, and
whoever removes a cluster's marked processes removes its network. Without the programs, or where the kernel
refuses, nodes have loopback addresses of their own in this machine's network.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.proc import NETWORK, end, lives, marked
from batchai_scenario.emulator.engines.subnets import LOOPBACK, PREFERRED, gateway
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.launch.layout import host_name
from batchai_scenario.emulator.lazy import LazyProperty

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchai_scenario.emulator.engines.proc import RunningProcess
    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home

_SCRIPT = Path(__file__).with_name("network.sh")
_PROGRAMS = {"ip": "iproute2", "nsenter": "util-linux", "slirp4netns": "slirp4netns"}
_OUTSIDE = "outside"
_SECONDS = 20.0
_LOOPBACK_SERVER = re.compile(r"(?m)^nameserver\s+(127\.\S+|::1)")
_LOOPBACK_HOST = re.compile(r"(://(?:[^/@]*@)?)(?:localhost|127\.[0-9.]+|\[::1\])(:|/|$)")


def host_files(task: NodeTask, known: Mapping[str, Any]) -> dict[str, str]:
    """Give the files of a task's node that tell names: its own and its peers', and the name servers'.

    ``known``: what is noted of the node.

    A name server of this machine's loopback is reached through slirp4netns' own.
    """
    subnet = str(known["subnet"])
    names = {member.name: member.address for member in (task.gang.members if task.gang else ())}
    names.setdefault(host_name(task.node), str(known["address"]))
    lines = "".join(f"{address}\t{name}\n" for name, address in names.items())
    files = {"/etc/hosts": _text("/etc/hosts") + lines}
    resolvers = _text("/etc/resolv.conf")
    if not subnet.startswith(LOOPBACK) and _LOOPBACK_SERVER.search(resolvers):
        server = f"nameserver {ipaddress.IPv4Network(subnet).network_address + 3}"
        files["/etc/resolv.conf"] = _LOOPBACK_SERVER.sub(server, resolvers)
    return files


def seen_from_nodes(proxy: str, subnet: str) -> str:
    """Write a proxy's URL as nodes reach it: loopback is somewhere else for them."""
    if subnet.startswith(LOOPBACK):
        return proxy
    return _LOOPBACK_HOST.sub(rf"\g<1>{gateway(subnet)}\g<2>", proxy)


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        return ""


class NodeNetworks:
    """Makes, enters and removes networks of clusters.

    A process that holds a network is looked for among all of this machine once, and then at its own place.

    Args:
        home: whose clusters these are.
        look: finds processes by their marker, empty: all that have one, and its variable.
    """

    def __init__(self, home: Home, look: Callable[[str, str], Sequence[RunningProcess]] = marked) -> None:
        self._home = home
        self._look = look
        self._lock = threading.Lock()
        self._known: dict[str, RunningProcess] = {}

    @LazyProperty
    def missing(self) -> str:
        """Say why nodes have no network of their own here; empty if they have. Tries it for real, once."""
        for program, package in _PROGRAMS.items():
            if shutil.which(program, path=_path()) is None:
                return f"the command {program} is not installed (package {package})"
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            return "/dev/net/tun cannot be opened"
        probe = f"probe-{os.getpid()}"
        try:
            self.join(probe, "node", "10.0.0.4", PREFERRED)
        except EngineError as error:
            return error.problem.message
        finally:
            self.leave(probe, "node", last=True)
        return ""

    def join(self, cluster: str, node: str, address: str, subnet: str) -> None:
        """See to it that a node is on its cluster's network."""
        with self._lock:
            hub, outside, own = (self._marker(cluster, what) for what in ("", _OUTSIDE, node))
            if all(self._lives(marker) for marker in (hub, outside, own)):
                return
            held = [item for item in self._look("", NETWORK) if item.marker.startswith(hub)]
            self._known |= {item.marker: item for item in held}
            found = {item.marker: item.pid for item in held}
            if hub not in found:
                end(held)  # of a network that is gone
                found = {hub: _make_hub(hub)}
            if outside not in found:
                _make_outside(found[hub], outside, subnet)
            if own not in found:
                _make_node(found[hub], own, address, subnet)

    def enter(self, cluster: str, node: str) -> list[str]:
        """Give the words before a command that is to run in a node's network."""
        marker = self._marker(cluster, node)
        if not self._lives(marker):
            found = self._look(marker, NETWORK)
            if not found:
                raise _failed(f"the network of node {node} is gone")
            self._known[marker] = found[0]
        return _enter(self._known[marker].pid)

    def _lives(self, marker: str) -> bool:
        known = self._known.get(marker)
        return known is not None and lives(known)

    def leave(self, cluster: str, node: str, *, last: bool) -> None:
        """Take a node off its network, and with the last one the network away."""
        mine = {self._marker(cluster, node)}
        if last:
            mine |= {self._marker(cluster), self._marker(cluster, _OUTSIDE)}
        end([item for item in self._look("", NETWORK) if item.marker in mine])
        for marker in mine:
            self._known.pop(marker, None)

    def _marker(self, cluster: str, what: str = "") -> str:
        return f"{self._home.root.resolve()}:{cluster}:{what}"


def _make_hub(marker: str) -> int:
    """Make the cluster's bridge."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return _hold(["unshare", *user, "--net", "--", "/bin/sh", str(_SCRIPT), "hub"], marker)


def _make_outside(hub: int, marker: str, subnet: str) -> None:
    """Make the way out of the cluster's network."""
    ready, told = os.pipe()
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(
                ["slirp4netns", f"--cidr={subnet}", "--mtu=1500", f"--ready-fd={told}", str(hub), "tap0"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=_environment(marker),
                pass_fds=[told],
                start_new_session=True,
            )
        finally:
            os.close(told)
        with os.fdopen(ready, "rb") as answer:
            if answer.read(1) != b"1":
                process.wait(_SECONDS)
                log.seek(0)
                raise _failed(f"slirp4netns: {log.read().decode(errors='replace').strip()}")
    _reap(process)
    _run([*_enter(hub), "/bin/sh", str(_SCRIPT), "uplink"])


def _make_node(hub: int, marker: str, address: str, subnet: str) -> None:
    """Make a node's namespace and join it to the bridge."""
    network = ipaddress.IPv4Network(subnet)
    number = int(ipaddress.IPv4Address(address)) - int(network.network_address)
    inside = _enter(hub)
    pid = _hold([*inside, "unshare", "--net", "--", "/bin/sh", str(_SCRIPT), "stay"], marker)
    try:
        _run([*inside, "/bin/sh", str(_SCRIPT), "plug", str(number), str(pid)])
        ours = f"{address}/{network.prefixlen}"
        _run([*_enter(pid), "/bin/sh", str(_SCRIPT), "node", ours, gateway(subnet)])
    except EngineError:
        end(marked(marker, NETWORK))
        raise


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _environment(marker: str) -> dict[str, str]:
    return {"PATH": _path(), NETWORK: marker}


def _enter(pid: int) -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", f"--target={pid}", *user, "--net", "--"]


def _hold(command: Sequence[str], marker: str) -> int:
    """Start a process that holds a namespace, in a session of its own; give its pid when it is ready."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(marker),
        cwd="/",
        start_new_session=True,
    )
    text = process.stdout.readline() if process.stdout else b""
    if text != b"ready\n":
        more = process.communicate(timeout=_SECONDS)[0]
        raise _failed((text + more).decode(errors="replace").strip())
    _reap(process)
    return process.pid


def _reap(process: subprocess.Popen[bytes]) -> None:
    threading.Thread(target=process.communicate, name=f"reap {process.pid}", daemon=True).start()


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"PATH": _path()},
            timeout=_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise _failed(error.stderr.decode(errors="replace").strip()) from error
    except subprocess.TimeoutExpired as error:
        raise _failed(str(error)) from error


def _failed(reason: str) -> EngineError:
    return EngineError(Problem("InternalError", f"The node's network cannot be made: {reason}"))
