"""Logging in to nodes: ports that are listened on, and sessions that are held open on nodes.

A node's port is opened when somebody first asks how to log in, and closed when the node leaves. Who logs in
sees what the job (or setup task) on the node sees; on an idle node a task of our own holds its view open
until the last session ends, or something else is to run there.
"""

from __future__ import annotations

import dataclasses
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from batchai_scenario.emulator.cluster.model import LoginAccount, LoginNode, NodeState, RemoteLogin
from batchai_scenario.emulator.cluster.mounts import CLUSTER_VOLUMES, volumes
from batchai_scenario.emulator.engines.base import Need
from batchai_scenario.emulator.engines.entering import BUSY, LOGIN, tasks_on_node
from batchai_scenario.emulator.engines.nodes import engine_of
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.launch.layout import mount_root

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from batchai_scenario.emulator.cluster.model import Cluster, ClusterKey, Node
    from batchai_scenario.emulator.cluster.ports import FileShares
    from batchai_scenario.emulator.cluster.sshdoor import SshDoor
    from batchai_scenario.emulator.engines.base import Engine, Entered, Terminal
    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home

FIRST_PORT = 50000
"""Port of a cluster's first node (recorded traffic), where it is free."""

PUBLIC_ADDRESS = "127.0.0.1"
"""The address that all nodes of a cluster share, as they do on the service."""

_TRIES, _MOMENT = 100, 0.1

_HOLD = "while sleep 3600; do :; done"


@dataclass(slots=True)
class _Holder:
    task: str = ""
    sessions: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Logins:
    """Opens ports for nodes, and sessions on them. Its methods may be called from any thread.

    Args:
        home: whose nodes these are.
        engines: gives an engine by name.
        shares: turns volumes into folders.
        cluster: reads a cluster as it is now; None if it is gone.
        secrets: opens a cluster's secrets.
        is_stranger: whether a program of another user is at the other end of a connection, by its two ends.
    """

    def __init__(  # noqa: PLR0917 - what it stands between
        self,
        home: Home,
        engines: Callable[[str], Engine],
        shares: FileShares,
        cluster: Callable[[ClusterKey], Cluster | None],
        secrets: Callable[[ClusterKey], Mapping[str, str]],
        is_stranger: Callable[[object, object], bool],
    ) -> None:
        self._is_stranger = is_stranger
        self._home = home
        self._engines = engines
        self._shares = shares
        self._cluster = cluster
        self._secrets = secrets
        self._lock = threading.Lock()
        self._door: SshDoor | None = None
        self._is_closed = False
        self._holders: dict[LoginNode, _Holder] = {}

    def port(self, cluster: Cluster, node: str, preferred: int) -> int:
        """Give the port of a node, listening from now on; ``preferred`` where nobody else has it."""
        from batchai_scenario.emulator.cluster.sshdoor import SshDoor

        where = LoginNode(cluster.key, cluster.guid, node)
        settings = cluster.definition["userAccountSettings"]
        password = self._secrets(cluster.key).get("/userAccountSettings/adminUserPassword", "")
        account = LoginAccount(
            str(settings["adminUserName"]), password, str(settings.get("adminUserSshPublicKey") or "")
        )
        with self._lock:
            if self._is_closed:
                return preferred
            if self._door is None:
                self._door = SshDoor(
                    self._home.login_key, self.enter, self.leave, self.is_there, self._is_stranger
                )
            return self._door.open(where, account, preferred)

    def close(self) -> None:
        """Close all ports and end all sessions."""
        with self._lock:
            self._is_closed = True
            door, self._door = self._door, None
        if door is not None:
            door.close()

    def forget_left(self) -> None:
        """End what an emulator that was killed held open on nodes."""
        for folder in self._home.nodes.glob(f"*/*/control/{LOGIN}*"):
            with suppress(EngineError):
                engine = self._engines(engine_of(folder.parent.parent))
                engine.stop(folder.name, 0.0)
                engine.remove(folder.name)

    def is_there(self, where: LoginNode) -> bool:
        """Tell whether a node may be logged in to: its cluster has it, and keeps it."""
        found = self._cluster(where.cluster)
        if found is None or found.guid != where.guid:
            return False
        return any(node.id == where.node and node.state is not NodeState.LEAVING for node in found.nodes)

    def enter(self, where: LoginNode, command: str, terminal: Terminal | None) -> Entered:
        """Run a command on a node, or a log-in shell if it is empty; ``leave`` when it has ended.

        Raises:
            EngineError: it cannot be entered now.
        """
        found = self._cluster(where.cluster)
        if found is None:
            raise EngineError(Problem("ClusterNotFound", f"Node {where.node} is gone."))
        engine = self._engines(found.engine)
        holder = self._holders.setdefault(where, _Holder())
        with holder.lock:
            holder.sessions += 1
            try:
                return self._enter_when_ready(engine, holder, found, where, command, terminal)
            except BaseException:
                self._left(engine, holder)
                raise

    def _enter_when_ready(  # noqa: PLR0917 - enter's own
        self,
        engine: Engine,
        holder: _Holder,
        cluster: Cluster,
        where: LoginNode,
        command: str,
        terminal: Terminal | None,
    ) -> Entered:
        """Enter a node; between two of its tasks wait for a moment."""
        moment = threading.Event()
        for tries in range(_TRIES, -1, -1):
            try:
                tasks = tasks_on_node(self._home, where.guid, where.node)
                task = next((task for task in tasks if not task.startswith(LOGIN)), holder.task)
                if task not in tasks:
                    self._drop(engine, holder)
                    task = self._hold(engine, holder, cluster, where.node)
                return engine.enter(where.guid, task, command, terminal)
            except EngineError as error:
                if error.problem.code != BUSY or not tries:
                    raise
            moment.wait(_MOMENT)
        raise AssertionError("the last try raises")

    def leave(self, where: LoginNode) -> None:
        """End what held the node's view open, if this was its last session."""
        found, holder = self._cluster(where.cluster), self._holders[where]
        with holder.lock:
            self._left(None if found is None else self._engines(found.engine), holder)

    def _left(self, engine: Engine | None, holder: _Holder) -> None:
        holder.sessions -= 1
        if not holder.sessions and engine is not None:
            self._drop(engine, holder)

    def _drop(self, engine: Engine, holder: _Holder) -> None:
        task, holder.task = holder.task, ""
        if task:
            engine.stop(task, 0.0)
            engine.remove(task)

    def _hold(self, engine: Engine, holder: _Holder, cluster: Cluster, node: str) -> str:
        task = self._plan(engine, cluster, node)
        need = Need(task.toolkit, task.environment_program, task.image, task.node_image)
        engine.obtain(need, lambda _: None, lambda *_: None)
        engine.start(task, lambda _: None)
        holder.task = task.id
        self._await(task)
        return task.id

    def _await(self, task: NodeTask) -> None:
        """Wait until a task that was started is seen to run."""
        moment = threading.Event()
        for _ in range(_TRIES):
            if task.id in tasks_on_node(self._home, task.cluster, task.node):
                return
            moment.wait(_MOMENT)
        raise EngineError(Problem(BUSY, f"Node {task.node} did not answer in time."))

    def _plan(self, engine: Engine, cluster: Cluster, node: str) -> NodeTask:
        from batchai_scenario.emulator.launch.setup import plan_setup

        secrets = dict(self._secrets(cluster.key))
        place = engine.place_node(cluster.guid, node)
        mounted = [
            (volume.path, volume.source(self._shares, mount_root(place.root)))
            for volume in volumes(cluster.definition, CLUSTER_VOLUMES, secrets)
        ]
        setup = {"commandLine": _HOLD, "stdOutErrPathPrefix": str(place.root / "startup")}
        definition = {**cluster.definition, "nodeSetup": {"setupTask": setup}}
        task = plan_setup(place, definition, {}, suffix="login", mounts=mounted, gpus="none")
        return dataclasses.replace(task, id=f"{LOGIN}{uuid4().hex[:16]}")


def remote_logins(
    cluster: Cluster, wanted: Collection[str] | None, logins: Logins | None
) -> list[RemoteLogin]:
    """List how to log in to nodes of a cluster, and open what is listed.

    ``wanted``: ids of nodes, None: all; ``logins`` None: nobody listens.
    """

    def port(node: Node, preferred: int) -> int:
        if logins is None or node.state is NodeState.LEAVING:
            return preferred
        return logins.port(cluster, node.id, preferred)

    return [
        RemoteLogin(node.id, PUBLIC_ADDRESS, port(node, FIRST_PORT + number))
        for number, node in enumerate(cluster.nodes)
        if wanted is None or node.id in wanted
    ]
