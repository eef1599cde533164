"""What worker threads do in the loop's stead, because it blocks. They never touch the store."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.endings import of_node
from batchai_scenario.emulator.cluster.executionlog import ExecutionLog, place_for
from batchai_scenario.emulator.cluster.mounts import CLUSTER_VOLUMES, JOB_VOLUMES, volumes
from batchai_scenario.emulator.cluster.room import problem_in
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem, ServiceError
from batchai_scenario.emulator.launch.layout import JobLayout
from batchai_scenario.schema.sizes import slots_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import PurePosixPath

    from batchai_scenario.emulator.cluster.model import Cluster, Job
    from batchai_scenario.emulator.cluster.mounts import Volume
    from batchai_scenario.emulator.cluster.ports import FileShares
    from batchai_scenario.emulator.cluster.records import LogPlace
    from batchai_scenario.emulator.engines.base import Engine, NodePlace, TaskEnd
    from batchai_scenario.emulator.launch.plan import LaunchPlan, NodeTask
    from batchai_scenario.emulator.launch.volumes import VolumeSource
    from batchai_scenario.emulator.state.clock import Clock

_AT_ONCE = 16
"""Engine calls at the same time for one job; each may hold a connection."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Starts a job's tasks."""

    job: Job
    cluster: Cluster
    job_secrets: Mapping[str, str] = field(repr=False)
    cluster_secrets: Mapping[str, str] = field(repr=False)
    engines: Callable[[str], Engine]
    shares: FileShares
    clock: Clock

    def run(self, planned: Callable[[tuple[str, ...], LogPlace], bool]) -> bool:
        """Plan the job and start its tasks; False if ``planned`` said that nothing is to be started.

        Args:
            planned: told the ids of the tasks, and where the log goes, before anything is started.

        Raises:
            EngineError: a volume, the image or the machine. Tasks that ``planned`` was told of may run.
        """
        engine = self.engines(self.cluster.engine)
        places = [engine.place_node(self.cluster.guid, node) for node in self.job.nodes]
        of_cluster = volumes(self.cluster.definition, CLUSTER_VOLUMES, self.cluster_secrets)
        of_job = volumes(self.job.definition, JOB_VOLUMES, self.job_secrets)
        try:
            plan = self._plan(places, of_cluster, of_job)
        except EngineError as error:
            raise _not_prepared(error, places[0]) from error
        place = _log_place(plan)
        if not planned(tuple(task.id for task in plan.tasks), place):
            return False
        journal = ExecutionLog(place, self.clock)
        self._describe(journal, places, [*of_cluster, *of_job])
        try:
            _all_at_once([partial(self._start, engine, task, place) for task in plan.tasks])
        except EngineError as error:
            journal.error(f"the job could not be started: {problem_in(error).message}")
            raise
        journal.info("the job's processes run")
        return True

    def _start(self, engine: Engine, task: NodeTask, place: LogPlace) -> None:
        """Start one of the job's tasks; what is said of it stands in its node's log."""
        try:
            engine.start(task, ExecutionLog(place, self.clock, task.node).notice)
        except EngineError as error:
            raise dataclasses.replace(error, problem=of_node(error.problem, task.node, self.job)) from error

    def _plan(
        self, places: Sequence[NodePlace], of_cluster: Sequence[Volume], of_job: Sequence[Volume]
    ) -> LaunchPlan:
        # only a job needs it; an emulator starts without
        from batchai_scenario.emulator.launch.build import JobToPlan, node_system, plan_job

        key = self.job.key
        workspace, experiment = key.experiment.workspace.workspace, key.experiment.name
        layout = JobLayout.of(self.job.definition, workspace, experiment, key.name, places[0].root)
        machine = self.cluster.definition.get("virtualMachineConfiguration") or {}
        try:
            return plan_job(
                JobToPlan(
                    job_guid=self.job.guid,
                    workspace=workspace,
                    experiment=experiment,
                    job=key.name,
                    segment=self.job.segment,
                    definition=self.job.definition,
                    secrets=self.job_secrets,
                    nodes=places,
                    cluster_mounts=self._sources(of_cluster, layout.mount_root),
                    job_mounts=self._sources(of_job, layout.job_mount_root),
                    gpus=self.cluster.gpus,
                    system=node_system(machine.get("imageReference") or {}),
                    slots=slots_of(str(self.cluster.definition.get("vmSize") or ""), len(places[0].gpus)),
                )
            )
        except ServiceError as error:  # the door's validation let something pass
            raise EngineError(Problem(error.code, error.message)) from error

    def _sources(self, mounted: Iterable[Volume], root: PurePosixPath) -> list[tuple[str, VolumeSource]]:
        return [(volume.path, volume.source(self.shares, root)) for volume in mounted]

    def _describe(
        self, journal: ExecutionLog, places: Iterable[NodePlace], mounted: Iterable[Volume]
    ) -> None:
        journal.info(f"job {self.job.key.name} was picked up by cluster {self.cluster.key.name}")
        for node in places:
            journal.info(f"node {node.node} at {node.address}, engine {self.cluster.engine}")
        for volume in mounted:
            journal.info(f"mounted {volume.told} at {volume.path}")
        container = self.job.definition.get("containerSettings") or {}
        image = (container.get("imageSourceRegistry") or {}).get("image")
        if image:
            journal.info(f"image asked for: {image}")
        if self.job.definition.get("jobPreparation"):
            journal.info("job preparation comes first")


def _not_prepared(error: EngineError, place: NodePlace) -> EngineError:
    """Add to a mount's failure what the service added (issue thread of 2021)."""
    problem = problem_in(error)
    if problem.code not in ("AZFMountError", "BFSMountError"):
        return error
    info = (
        "Failed to setup runtime for job execution: Job environment preparation failed on "
        f"{place.address} with err exit status 1."
    )
    return EngineError(dataclasses.replace(problem, details=(*problem.details, ("Info", info))))


def _log_place(plan: LaunchPlan) -> LogPlace:
    first = plan.tasks[0]
    step = first.main or first.preparation
    if step is None:
        raise EngineError(Problem("InternalError", "The job's launch plan has no step."))
    nodes = tuple(task.node for task in plan.tasks) if len(plan.tasks) > 1 else ()
    return place_for(step.stdout.parent, (*first.mounts, *first.commands), nodes)


def wait_for(engines: Callable[[str], Engine], name: str, task: str, clock: Clock) -> TaskEnd:
    """Wait for a task's end, in the clock's own time; what the engine cannot tell is an end with a problem.

    Raises:
        EngineUnavailable: the engine does not answer; the task may run on.
    """
    try:
        end = engines(name).wait(task)
        began, ended = clock.of_machine(end.started_at), clock.of_machine(end.ended_at)
        return dataclasses.replace(end, started_at=began, ended_at=ended)
    except EngineUnavailable:
        raise
    except EngineError as error:
        problem = problem_in(error)
    from batchai_scenario.emulator.engines.base import TaskEnd

    now = clock.now()
    return TaskEnd("main", None, now, now, problem)


def clean_up(engines: Callable[[str], Engine], name: str, tasks: Iterable[str]) -> None:
    """See to it that nothing of these tasks runs or is left on the engine."""
    engine = engines(name)

    def clean(task: str) -> None:
        engine.stop(task)
        engine.remove(task)

    _all_at_once([partial(clean, task) for task in tasks])


def stop_all(engines: Callable[[str], Engine], name: str, tasks: Iterable[str]) -> None:
    """Stop these tasks; their ends are still to be read."""
    engine = engines(name)
    _all_at_once([partial(engine.stop, task) for task in tasks])


def _all_at_once(calls: Sequence[Callable[[], None]]) -> None:
    """Make engine calls at the same time; then raise what the first of them raised, if one did."""
    if len(calls) <= 1:
        for call in calls:
            call()
        return
    with ThreadPoolExecutor(max_workers=min(len(calls), _AT_ONCE)) as pool:
        done = [pool.submit(call) for call in calls]
    for future in done:
        future.result()
