"""``local`` and ``memory`` side by side: random histories, and everything that can be seen is compared.

The histories are the same in every run. ``SCENARIO_EXAMPLES=200`` makes more of them.
"""

from __future__ import annotations

import os
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from batchai_scenario.backends.base import BackendOptions, ClusterSpec, JobSpec, Place, Upload
from batchai_scenario.backends.errors import NotFound, ScenarioError, UserError
from batchai_scenario.backends.local import open_backend
from batchai_scenario.backends.memory import MemoryBackend
from batchai_scenario.backends.memory import MemoryWorld as Model
from batchai_scenario.backends.testing.bench import Bench
from batchai_scenario.backends.testing.vocabulary import PROGRAMS
from batchai_scenario.backends.testing.world import CLUSTER, World, codes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchai_scenario.backends.base import Backend, JobStatus

JOBS = st.sampled_from(("one", "two", "three"))
ENDED = frozenset({"JobTerminated", "ClusterDeleted"})
"""Errors of jobs that were ended at a moment that differs: what they had written is not compared."""

SECONDS = 60.0


class SideBySide(RuleBasedStateMachine):
    """Does the same with both backends, and waits until the same can be seen."""

    def __init__(self, real: Backend, folder: Path) -> None:
        super().__init__()
        model = MemoryBackend(PROGRAMS, Model())
        self.backends: tuple[Backend, Backend] = (model, real)
        self.world = World(Bench("both", folder, lambda _: model))
        self.place = Place(f"pair-{uuid.uuid4().hex[:8]}", "eastus", "workspace", "experiment")
        self.ids: dict[Backend, dict[str, str]] = {backend: {} for backend in self.backends}

    def both(self, act: Callable[[Backend], object]) -> None:
        """Act on both, and compare what comes back."""
        model, real = (_answer(act, backend) for backend in self.backends)
        assert model == real, f"memory answers {model}, local answers {real}"

    @initialize()
    def begin(self) -> None:
        self.both(lambda backend: backend.ensure_place(self.place))
        self.both(lambda backend: backend.ensure_share(self.world.share))

    @rule(nodes=st.integers(0, 1))
    def create_cluster(self, nodes: int) -> None:
        spec = ClusterSpec(self.place, CLUSTER, self.world.cluster_body(nodes))
        self.both(lambda backend: _nothing(backend.create_cluster(spec)))

    @rule()
    def delete_cluster(self) -> None:
        self.both(lambda backend: backend.delete_cluster(self.place, CLUSTER))

    @rule(name=JOBS, program=st.sampled_from(("succeed", "fail", "missing", "write", "endless", "copy")))
    def submit(self, name: str, program: str) -> None:
        spec = JobSpec(self.place, name, CLUSTER, self.world.job_body(program))

        def act(backend: Backend) -> None:
            self.ids[backend][name] = backend.submit(spec).id

        self.both(act)

    @rule(field=st.sampled_from(("nodeCounts", "cluster")))
    def submit_nonsense(self, field: str) -> None:
        body = {**self.world.job_body("succeed"), field: {"id": "elsewhere"}}
        self.both(lambda backend: _nothing(backend.submit(JobSpec(self.place, "nonsense", CLUSTER, body))))

    @precondition(lambda self: self.ids[self.backends[0]])
    @rule(name=JOBS)
    def terminate(self, name: str) -> None:
        self.both(lambda backend: backend.terminate(self.ids[backend].get(name, "no id at all")))

    @rule(name=JOBS)
    def delete_job(self, name: str) -> None:
        self.both(lambda backend: backend.delete_job(self.ids[backend].get(name, "no id at all")))

    @rule(
        path=st.sampled_from(("data/one.txt", "data/ü/two.txt", "../bad")), text=st.sampled_from(("", "text"))
    )
    def upload(self, path: str, text: str) -> None:
        source = self.world.file("upload.txt", text)
        self.both(lambda backend: backend.upload([Upload(source, self.world.share, path)]))

    @rule()
    def start_over(self) -> None:
        self.both(lambda backend: backend.delete_place(self.place))
        self.both(lambda backend: backend.ensure_place(self.place))

    @invariant()
    def same_is_seen(self) -> None:
        model, real = self.backends
        wanted = self.settled(model)
        deadline = time.monotonic() + SECONDS
        while (found := self.see(real)) != wanted:
            assert time.monotonic() < deadline, f"memory shows {wanted}, local shows {found}"
            time.sleep(real.wait_hint())

    def settled(self, model: Backend) -> dict[str, Any]:
        """Let the model make steps until they change nothing."""
        before: dict[str, Any] = {}
        while (seen := self.see(model)) != before:
            before = seen
            for job in model.list_jobs(self.place):
                model.get_job(job.id)
        return seen

    def see(self, backend: Backend) -> dict[str, Any]:
        """Tell everything that can be seen and should be alike."""
        cluster: object = None
        with suppress(NotFound):
            status = backend.get_cluster(self.place, CLUSTER)
            cluster = (status.target, status.current, status.nodes, codes_of(status))
        jobs = {}
        for job in backend.list_jobs(self.place):
            name = job.id.rpartition("/")[2]
            jobs[name] = (job.state.value, job.exit_code, codes(job), self.written(backend, job))
        return {"cluster": cluster, "jobs": jobs, "order": list(jobs), "share": self.shared(backend)}

    def written(self, backend: Backend, job: JobStatus) -> object:
        """Tell what a job wrote, once it has ended by itself."""
        if not job.state.final or ENDED & set(codes(job)):
            return None
        return {
            (directory, file.path): file.size
            for directory in ("stdouterr", "MODEL")
            for file in backend.list_outputs(job.id, directory)
            if file.path != "execution.log" and not _said_by_the_shell(job, file.path)
        }

    def shared(self, backend: Backend) -> object:
        """Tell what was uploaded."""
        with suppress(NotFound):
            return [(file.path, file.size) for file in backend.list_share(self.world.share, "data")]
        return None

    def teardown(self) -> None:
        self.backends[1].delete_place(self.place)


def _said_by_the_shell(job: JobStatus, path: str) -> bool:
    """Tell whether a shell's own words, which the model has not, stand in a file."""
    return path == "stderr.txt" and job.exit_code not in (0, 3)


def codes_of(status: Any) -> list[str]:
    return [problem.code for problem in status.errors]


def _nothing(_: object) -> None:
    """Leave out what differs by nature, such as ids and times."""


def _answer(act: Callable[[Backend], object], backend: Backend) -> object:
    try:
        return act(backend)
    except UserError as error:
        return ("UserError", error.field)
    except ScenarioError as error:
        return type(error).__name__


def test_local_and_memory_show_the_same(tmp_path: Path, exercise_process: None) -> None:
    real = open_backend(BackendOptions(tmp_path / "home", {"engine": "process", "gpus": "none"}))
    chosen = settings(
        max_examples=int(os.environ.get("SCENARIO_EXAMPLES", "8")),
        stateful_step_count=12,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=tuple(HealthCheck),
    )

    class Pair(SideBySide):
        def __init__(self) -> None:
            super().__init__(real, tmp_path)

    try:
        run_state_machine_as_test(Pair, settings=chosen)
    finally:
        real.close()
