"""What is done to nodes before they are idle: their volumes first, then the cluster's setup task.

Our decisions, because nothing is known: a setup task that does not end with 0 makes its node ``unusable``,
with ``SetupTaskFailed`` in the cluster's errors; so does one that runs for longer than ``LIMIT``, counted
from when its node was made, with ``SetupTaskTimedOut``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.executionlog import ExecutionLog, place_for
from batchai_scenario.emulator.cluster.model import NodeState
from batchai_scenario.emulator.cluster.mounts import CLUSTER_VOLUMES, volumes
from batchai_scenario.emulator.cluster.room import problem_in, problem_of, shortage
from batchai_scenario.emulator.cluster.transitions import NodeEvent
from batchai_scenario.emulator.engines.base import MountsByCommand
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem, ServiceError
from batchai_scenario.emulator.launch.layout import mount_root
from batchai_scenario.emulator.launch.volumes import outer_first, place_volumes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import PurePosixPath

    from batchai_scenario.emulator.cluster.loop import Outcome, Timer
    from batchai_scenario.emulator.cluster.model import Cluster
    from batchai_scenario.emulator.cluster.mounts import Volume
    from batchai_scenario.emulator.cluster.records import ClusterRecord
    from batchai_scenario.emulator.cluster.room import Room
    from batchai_scenario.emulator.engines.base import Engine, NodePlace, TaskEnd
    from batchai_scenario.emulator.launch.plan import NodeTask

LIMIT = timedelta(hours=1)
"""Longest run of a setup task."""

_Prepared = Mapping[tuple[Problem, ...], Sequence[str]]
"""What keeps nodes from being ready, and which they are; nothing does, if there is none."""

_COARSE = timedelta(seconds=1)
"""How coarse the time of a task's end may be: a node's clock may tell whole seconds only."""


class Preparation:
    """Prepares the nodes of clusters. On the loop's thread; what blocks is done by workers.

    It can begin anew at any time: a setup task is started once, whoever asks, and its end is the same for
    everybody until the node is given back.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._begun: dict[str, set[str]] = {}
        self._started: dict[str, Timer] = {}

    def reconcile(self, record: ClusterRecord) -> None:
        """Begin what is missing for the nodes of a cluster."""
        cluster, begun = record.cluster, self._begun.setdefault(record.cluster.guid, set())
        preparing = self._room.records.nodes[cluster.key.id].line(NodeState.PREPARING)
        if len(begun) != len(preparing):
            nodes = [node for node in preparing if node not in begun]
            begun.update(nodes)
            if nodes:
                self._mount(cluster, nodes)

    def ends(self, cluster: Cluster, node: str) -> bool:
        """Tell whether nothing of a leaving node's setup task runs here; if something does, end it."""
        self._begun.get(cluster.guid, set()).discard(node)
        if not self._room.workers.busy(("set up", cluster.guid, node)):
            return True
        if node in self._started:
            self._stop(cluster, node)
        return False

    def _mount(self, cluster: Cluster, nodes: Sequence[str]) -> None:
        room = self._room
        wanted = volumes(cluster.definition, CLUSTER_VOLUMES, room.records.cluster_secrets(cluster.key))

        def work() -> _Prepared:
            problems = (volume.problem(room.shares, mount_root()) for volume in wanted)
            found = tuple(problem for problem in problems if problem is not None)
            commands = [volume for volume in wanted if volume.command]
            if found or not commands:
                return {found: nodes}
            prepared: dict[tuple[Problem, ...], list[str]] = {}
            for node in nodes:
                prepared.setdefault(_try_mounts(room, cluster, node, commands), []).append(node)
            return prepared

        room.workers.begin(
            ("mount", cluster.guid, nodes[0]), work, lambda outcome: self._did_mount(cluster, nodes, outcome)
        )

    def _did_mount(self, cluster: Cluster, nodes: Sequence[str], outcome: Outcome[_Prepared]) -> None:
        if isinstance(outcome, EngineUnavailable) or (isinstance(outcome, Exception) and shortage(outcome)):
            self._room.loop.later(lambda: self._mount(cluster, nodes))
            return
        if isinstance(outcome, Exception):
            outcome = {(problem_of(outcome, f"mounting volumes of cluster {cluster.key.id}"),): nodes}
        for problems, of_them in outcome.items():
            if not problems and "setupTask" in cluster.definition.get("nodeSetup", {}):
                for node in of_them:
                    self._set_up(cluster, node)
            else:
                self._prepared(cluster, of_them, problems)

    def _set_up(self, cluster: Cluster, node: str) -> None:
        room = self._room
        if node not in self._preparing(cluster):
            return
        secrets = room.records.cluster_secrets(cluster.key)

        def work() -> TaskEnd | None:
            engine = room.engines(cluster.engine)
            place = engine.place_node(cluster.guid, node)
            task = _plan(room, cluster, place, secrets)
            journal = ExecutionLog(place_for(_folder(task), task.mounts, (node,)), room.clock)
            if not room.loop.ask(lambda: node in self._preparing(cluster)):
                return None
            return _run(engine, task, journal, lambda: room.loop.post(lambda: self._runs(cluster, node)))

        room.workers.begin(
            ("set up", cluster.guid, node), work, lambda outcome: self._did_set_up(cluster, node, outcome)
        )

    def _runs(self, cluster: Cluster, node: str) -> None:
        """The engine has started a node's setup task."""
        if node in self._started or not self._room.workers.busy(("set up", cluster.guid, node)):
            return
        self._started[node] = self._room.loop.at(_deadline(node), lambda: self._stop(cluster, node))
        self._room.settle(cluster.key.id)

    def _stop(self, cluster: Cluster, node: str) -> None:
        room = self._room

        def work() -> None:
            from batchai_scenario.emulator.launch.setup import setup_id

            engine = room.engines(cluster.engine)
            engine.stop(setup_id(engine.place_node(cluster.guid, node)))

        room.workers.begin(("stop set up", cluster.guid, node), work, lambda _: None)

    def _did_set_up(self, cluster: Cluster, node: str, outcome: Outcome[TaskEnd | None]) -> None:
        timer = self._started.pop(node, None)
        if timer is not None:
            self._room.loop.cancel(timer)
        if isinstance(outcome, EngineUnavailable) or (isinstance(outcome, Exception) and shortage(outcome)):
            self._room.loop.later(lambda: self._set_up(cluster, node))
        elif isinstance(outcome, Exception):
            self._prepared(cluster, [node], (problem_of(outcome, f"setting up node {node}"),))
        elif outcome is not None:
            problem = _judge(outcome, node)
            self._prepared(cluster, [node], () if problem is None else (problem,))
        self._room.settle(cluster.key.id)

    def _prepared(self, cluster: Cluster, nodes: Sequence[str], problems: tuple[Problem, ...]) -> None:
        """Write what became of nodes that are still being prepared."""
        key, records = cluster.key.id, self._room.records
        self._begun.get(cluster.guid, set()).difference_update(nodes)
        preparing = self._preparing(cluster)
        still = [node for node in nodes if node in preparing]
        if not still:
            return  # the cluster was deleted meanwhile, or the nodes are on their way out
        event = NodeEvent.UNPREPARED if problems else NodeEvent.PREPARED
        with records.transaction():
            self._room.move_nodes(key, dict.fromkeys(still, event))
            if problems:
                record = records.clusters[key]
                records.save_cluster(record.but(errors=(*record.cluster.errors, *problems)))
        self._room.settle(key)

    def _preparing(self, cluster: Cluster) -> Collection[str]:
        """Give the nodes of a cluster that are being prepared; none if it is another one now."""
        record = self._room.records.clusters.get(cluster.key.id)
        if record is None or record.cluster.guid != cluster.guid:
            return ()
        return self._room.records.nodes[cluster.key.id].line(NodeState.PREPARING)

    def forget(self, cluster: Cluster) -> None:
        """Forget a cluster that is gone."""
        self._begun.pop(cluster.guid, None)


def _try_mounts(room: Room, cluster: Cluster, node: str, wanted: Sequence[Volume]) -> tuple[Problem, ...]:
    """Try on a node what commands mount; EngineUnavailable: its engine does not answer."""
    engine = room.engines(cluster.engine)
    placed = place_volumes(mount_root(), [(volume.path, volume.command) for volume in wanted])
    try:
        if isinstance(engine, MountsByCommand):
            engine.try_mounts(cluster.guid, node, outer_first(placed)[1])
    except EngineUnavailable:
        raise
    except EngineError as error:
        if shortage(error):
            raise
        problem = problem_in(error)
        return (dataclasses.replace(problem, details=(*problem.details, ("nodeId", node))),)
    return ()


def forget_setup(engine: Engine, place: NodePlace) -> None:
    """See to it that nothing of a node's setup task runs, or is left on the engine."""
    from batchai_scenario.emulator.launch.setup import setup_id

    task = setup_id(place)
    engine.stop(task)
    engine.remove(task)


def _plan(room: Room, cluster: Cluster, place: NodePlace, secrets: dict[str, str]) -> NodeTask:
    from batchai_scenario.emulator.launch.setup import plan_setup

    suffix = cluster.setup_suffix
    mounted = [
        (volume.path, volume.source(room.shares, mount_root(place.root)))
        for volume in volumes(cluster.definition, CLUSTER_VOLUMES, secrets)
    ]
    try:
        return plan_setup(
            place, cluster.definition, secrets, suffix=suffix, mounts=mounted, gpus=cluster.gpus
        )
    except ServiceError as error:  # the door's validation let something pass
        raise EngineError(Problem(error.code, error.message)) from error


def _folder(task: NodeTask) -> PurePosixPath:
    assert task.main is not None  # noqa: S101 - a setup task is its main step
    return task.main.stdout.parent


def _run(engine: Engine, task: NodeTask, journal: ExecutionLog, started: Callable[[], None]) -> TaskEnd:
    """Start a setup task, or find it running, and wait for its end."""
    journal.info(f"the setup task begins on node {task.node}")
    try:
        engine.start(task, journal.notice)
        started()
        end = engine.wait(task.id)
    except EngineError as error:
        journal.error(problem_in(error).message)
        raise
    journal.info(f"the setup task ended with exit code {end.exit_code}")
    return end


def _deadline(node: str) -> datetime:
    """Tell until when a node's setup task may run; the node's id says when it was made."""
    made = node.removesuffix("-p").rpartition("-")[2]
    return datetime.strptime(made, "%Y%m%dt%H%M%Sz").replace(tzinfo=timezone.utc) + LIMIT


def _judge(end: TaskEnd, node: str) -> Problem | None:
    """Tell what is wrong with how a setup task ended."""
    details = (("nodeId", node), ("exitCode", str(end.exit_code)), *end.details)
    if end.problem is not None:
        return Problem(
            end.problem.code, end.problem.message, (*end.problem.details, *end.details, ("nodeId", node))
        )
    if end.exit_code == 0:
        return None
    if end.ended_at + _COARSE >= _deadline(node):
        text = f"The setup task ran for longer than {LIMIT}, which is all that it is given"
        return Problem("SetupTaskTimedOut", text, details)
    return Problem("SetupTaskFailed", "Node setup task failed with non-zero exit code", details)
