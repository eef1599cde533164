"""A job's life: launched, waited for, stopped, finished, removed. All of it on the loop's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.endings import ask_to_end, deadline, failure, finished, judge
from batchai_scenario.emulator.cluster.executionlog import ExecutionLog
from batchai_scenario.emulator.cluster.launching import Launch, clean_up, stop_all, wait_for
from batchai_scenario.emulator.cluster.loop import RETRY
from batchai_scenario.emulator.cluster.model import ExecutionState
from batchai_scenario.emulator.cluster.mounts import file_folder
from batchai_scenario.emulator.cluster.records import Ending
from batchai_scenario.emulator.cluster.room import passing, problem_of
from batchai_scenario.emulator.cluster.transitions import JOB, JobEvent, NodeEvent
from batchai_scenario.emulator.engines.base import NODE_TAKEN
from batchai_scenario.emulator.errors import EngineUnavailable, NodeTaken
from batchai_scenario.schema.layout import STDOUTERR, output_places

if TYPE_CHECKING:
    from datetime import datetime

    from batchai_scenario.emulator.cluster.endings import Verdict
    from batchai_scenario.emulator.cluster.loop import Outcome, Timer
    from batchai_scenario.emulator.cluster.records import ClusterRecord, JobRecord, LogPlace
    from batchai_scenario.emulator.cluster.room import Room
    from batchai_scenario.emulator.cluster.scheduler import Assignment
    from batchai_scenario.emulator.engines.base import TaskEnd


class JobRunner:
    """Brings jobs to their end, one written step at a time.

    ``reconcile`` looks at what is on disk and begins what is missing; it is called after every change
    and after a restart alike, so a recovered job takes the very path of any other:

    - running, not launched: plan and start (starting is idempotent), unless it is to end anyway;
    - running, launched: wait for its tasks; stop them if it is to end;
    - finished: remove its tasks from the engine; then forget it, if it is being deleted.

    An engine that does not answer is asked again later: a job whose tasks may run is never given up. A job
    that this machine has no descriptors, memory or threads for right now is tried again, too.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._ends: dict[str, dict[str, TaskEnd]] = {}
        self._stopped: set[str] = set()
        self._held_back: set[str] = set()
        self._resting: set[str] = set()
        self._timed: dict[str, tuple[datetime, Timer]] = {}

    def pick(self, cluster: str, assignment: Assignment) -> None:
        """Give a queued job its nodes; written before anything is launched."""
        room = self._room
        now = room.clock.now()
        record = room.records.live_job(assignment.job)
        if record is None:
            return
        running = record.but(
            execution_state=JOB.move(record.job.execution_state, JobEvent.PICK),
            execution_changed_at=now,
            started_at=now,
            nodes=assignment.nodes,
        )
        moves = dict.fromkeys(assignment.nodes, NodeEvent.ASSIGN)
        with room.records.transaction():
            room.records.save_job(running)
            room.move_nodes(cluster, moves, assignment.job)
        room.look(assignment.job)

    def reconcile(self, job: str) -> None:
        """Begin what is missing for a job (by id); nothing if nothing is to be done with it."""
        record = self._room.records.jobs.get(job)
        if record is None:
            return
        state = record.job.execution_state
        if record.job.guid in self._resting:
            return
        if state.final or (state is ExecutionState.QUEUED and record.deleting):
            self._clear(record)
        elif state is not ExecutionState.QUEUED:
            self._go_on(record)

    def _go_on(self, record: JobRecord) -> None:
        room, guid = self._room, record.job.guid
        record = self._keep_time(record)
        if room.workers.busy(("launch", guid)) or room.workers.busy(("clean", guid)):
            pass
        elif not record.launched and record.ending is Ending.NONE:
            self._launch(record)
        elif not record.launched or len(self._ends.get(guid, {})) == len(record.tasks):
            self._finish(record)
            return
        else:
            for task in record.tasks:
                self._wait(record, task)
        if record.ending is not Ending.NONE:
            self._stop(record)

    def _keep_time(self, record: JobRecord) -> JobRecord:
        """End a job that runs for too long, or look again when it will."""
        room, limit = self._room, deadline(record.job)
        if record.ending is not Ending.NONE or limit is None:
            return record
        if limit <= room.clock.now():
            record = ask_to_end(record, Ending.TIMED_OUT, room.clock.now())
            room.records.save_job(record)
            self._journal(record).error("the job has run for longer than its maxWallClockTime")
        elif self._timed.get(record.job.guid, (None,))[0] != limit:
            self._untime(record)
            key = record.job.key.id
            self._timed[record.job.guid] = limit, room.loop.at(limit, lambda: room.look(key))
        return record

    def _launch(self, record: JobRecord) -> None:
        room, job = self._room, record.job
        key, owner, recovered = job.key.id, self._owner(record).cluster, bool(record.tasks)
        launch = Launch(
            job=job,
            cluster=owner,
            job_secrets=room.records.job_secrets(job.key),
            cluster_secrets=room.records.cluster_secrets(owner.key),
            engines=room.engines,
            shares=room.shares,
            clock=room.clock,
        )

        def planned(tasks: tuple[str, ...], log: LogPlace) -> bool:
            return room.loop.ask(lambda: self._planned(key, tasks, log))

        room.workers.begin(
            ("launch", job.guid),
            lambda: launch.run(planned),
            lambda outcome: self._launched(key, recovered, outcome),
        )

    def _planned(self, key: str, tasks: tuple[str, ...], log: LogPlace) -> bool:
        record = self._room.records.jobs[key]
        if record.ending is not Ending.NONE:
            return False
        self._room.records.save_job(record.but(tasks=tasks, log=log))
        return True

    def _launched(self, key: str, recovered: bool, outcome: Outcome[bool]) -> None:  # noqa: FBT001
        room = self._room
        record = room.records.jobs[key]
        self._stopped.discard(record.job.guid)  # a stop that came too early is said again
        if outcome is True:
            room.records.save_job(record.but(launched=True))
        elif isinstance(outcome, Exception) and record.ending is Ending.NONE:
            if isinstance(outcome, NodeTaken):
                self._journal(record).error(outcome.problem.message)
                room.lose(record.job.cluster.lower(), [outcome.node])
                if room.records.jobs[key].ending is Ending.NONE:
                    self._rest(record)
            elif why := passing(outcome):
                self._hold_back(record, why)
            elif recovered and isinstance(outcome, EngineUnavailable):
                self._rest(record)  # an earlier emulator may have started it: nobody can tell now
            else:
                self._end(record, failure(problem_of(outcome, f"launching job {key}"), room.clock.now()))
            return
        room.look(key)

    def _hold_back(self, record: JobRecord, why: str) -> None:
        """Try to launch a job again when what kept it from starting may have passed."""
        if record.job.guid not in self._held_back:
            self._held_back.add(record.job.guid)
            text = f"the job waits, and is tried again every {RETRY.seconds} seconds; it cannot be started"
            self._journal(record).notice(f"{text} now: {why}")
        self._rest(record)

    def _wait(self, record: JobRecord, task: str) -> None:
        room, key, guid = self._room, record.job.key.id, record.job.guid
        if task in self._ends.get(guid, {}):
            return
        engine = self._owner(record).cluster.engine
        room.workers.begin(
            ("wait", task),
            lambda: wait_for(room.engines, engine, task, room.clock),
            lambda outcome: self._ended(key, guid, task, outcome),
        )

    def _ended(self, key: str, guid: str, task: str, outcome: Outcome[TaskEnd]) -> None:
        record = self._room.records.jobs[key]
        if isinstance(outcome, Exception):
            self._journal(record).error(
                f"the engine does not answer: {problem_of(outcome, f'waiting for job {key}').message}"
            )
            self._rest(record)
            return
        self._ends.setdefault(guid, {})[task] = outcome
        node = record.job.nodes[record.tasks.index(task)]
        if outcome.problem is not None and outcome.problem.code == NODE_TAKEN:
            self._room.lose(record.job.cluster.lower(), [node])
            record = self._room.records.jobs[key]
        journal = ExecutionLog(record.log, self._room.clock, node)
        journal.info(f"{outcome.phase} ended with exit code {outcome.exit_code}")
        if outcome.problem is not None:
            journal.error(outcome.problem.message)
        for _, text in outcome.details:
            journal.error(text)
        if len(self._ends[guid]) < len(record.tasks) and (task == record.tasks[0] or outcome.exit_code != 0):
            self._stop(record)  # the master ended, or a node failed: the others end with it
        self._room.look(key)

    def _stop(self, record: JobRecord) -> None:
        room, job = self._room, record.job
        if job.guid in self._stopped or not record.tasks or room.workers.busy(("stop", job.guid)):
            return  # a stop that goes on now comes back here when it is done
        self._stopped.add(job.guid)
        engine, tasks = self._owner(record).cluster.engine, record.tasks
        room.workers.begin(
            ("stop", job.guid),
            lambda: stop_all(room.engines, engine, tasks),
            lambda outcome: self._did_stop(job.key.id, job.guid, outcome),
        )

    def _did_stop(self, key: str, guid: str, outcome: Outcome[None]) -> None:
        record = self._room.records.jobs.get(key)
        if record is None or record.job.guid != guid:
            return  # it is over and was deleted
        if isinstance(outcome, Exception):
            self._stopped.discard(record.job.guid)
            self._rest(record)
        self._room.look(key)

    def _finish(self, record: JobRecord) -> None:
        """Every task of the job ended, or none was launched and none shall be."""
        ends = [end for task in record.tasks if (end := self._ends.get(record.job.guid, {}).get(task))]
        if record.ending is Ending.REQUEUED or (record.tasks and not record.launched):
            self._clean(record)  # nothing of it may run any more; then it goes on in _cleaned
            return
        self._end(record, judge(record, ends, self._room.clock.now()))

    def _end(self, record: JobRecord, verdict: Verdict) -> None:
        """Write the job's end and free its nodes, in one step."""
        room = self._room
        ended = finished(record, verdict)
        journal = self._journal(record)
        if record.launched:
            self._tell_untold(record, journal)
        code = "" if verdict.exit_code is None else f" with exit code {verdict.exit_code}"
        journal.info(f"the job {ended.job.execution_state.value}{code}")
        for problem in verdict.errors:
            journal.error(f"{problem.code}: {problem.message}")
        with room.records.transaction():
            room.records.save_job(ended)
            self._free_nodes(record)
        self._forget(record)
        self._room.look(record.job.key.id)
        room.settle(record.job.cluster.lower())

    def _tell_untold(self, record: JobRecord, journal: ExecutionLog) -> None:
        """Say how many outputs have names that no listing can tell: nobody would know of them."""
        outputs = [place.id for place in output_places(record.job.definition)]
        folders = [file_folder(record.job, record.mounts, directory) for directory in (STDOUTERR, *outputs)]
        untold = sum(self._room.shares.count_untold(*folder) for folder in set(folders) if folder)
        if untold:
            files = "1 output has a name" if untold == 1 else f"{untold} outputs have names"
            journal.notice(f"{files} that no listing can tell: not UTF-8, or with a control character")

    def _requeue(self, record: JobRecord) -> None:
        room = self._room
        queued = record.but(
            execution_state=JOB.move(record.job.execution_state, JobEvent.REQUEUE),
            execution_changed_at=room.clock.now(),
            started_at=None,
            nodes=(),
            tasks=(),
            launched=False,
            ending=Ending.NONE,
        )
        self._journal(record).info("the job's node is taken away: the job goes back to the queue")
        with room.records.transaction():
            room.records.save_job(queued)
            self._free_nodes(record)
        self._forget(record)

    def _free_nodes(self, record: JobRecord) -> None:
        cluster = record.job.cluster.lower()
        nodes = self._room.records.nodes[cluster]
        mine = [id_ for id_ in record.job.nodes if id_ in nodes and nodes[id_].job == record.job.key.id]
        self._room.move_nodes(cluster, dict.fromkeys(mine, NodeEvent.RELEASE), "")

    def _clear(self, record: JobRecord) -> None:
        """A job that is over: remove what the engine holds, then what we hold if it is to go."""
        if record.tasks:
            self._clean(record)
        elif record.deleting:
            self._room.records.remove_job(record)
            self._forget(record)
            self._room.settle(record.job.cluster.lower())

    def _clean(self, record: JobRecord) -> None:
        room, job = self._room, record.job
        if room.workers.busy(("stop", job.guid)):
            return  # it may end what has these tasks' names when the job runs again; it comes back here
        engine, tasks = self._owner(record).cluster.engine, record.tasks
        room.workers.begin(
            ("clean", job.guid),
            lambda: clean_up(room.engines, engine, tasks),
            lambda outcome: self._cleaned(job.key.id, outcome),
        )

    def _cleaned(self, key: str, outcome: Outcome[None]) -> None:
        room = self._room
        record = room.records.jobs[key]
        if isinstance(outcome, Exception):
            problem = problem_of(outcome, f"removing what job {key} left")
            self._journal(record).error(f"what the job left is not removed yet: {problem.message}")
            self._rest(record)
            return
        if record.job.execution_state.final:
            room.records.save_job(record.but(tasks=()))
        elif record.ending is Ending.REQUEUED:
            self._requeue(record)
        else:
            self._end(record.but(tasks=()), judge(record, [], room.clock.now()))
        room.look(key)
        room.settle(record.job.cluster.lower())

    def _rest(self, record: JobRecord) -> None:
        """Leave a job alone until it is time to ask its engine again."""
        guid, key = record.job.guid, record.job.key.id
        self._resting.add(guid)

        def wake() -> None:
            self._resting.discard(guid)
            self._room.look(key)

        self._room.loop.later(wake)

    def _forget(self, record: JobRecord) -> None:
        self._ends.pop(record.job.guid, None)
        self._stopped.discard(record.job.guid)
        self._held_back.discard(record.job.guid)
        self._untime(record)

    def _untime(self, record: JobRecord) -> None:
        timed = self._timed.pop(record.job.guid, None)
        if timed is not None:
            self._room.loop.cancel(timed[1])

    def _owner(self, record: JobRecord) -> ClusterRecord:
        return self._room.records.clusters[record.job.cluster.lower()]

    def _journal(self, record: JobRecord) -> ExecutionLog:
        return ExecutionLog(record.log, self._room.clock)
