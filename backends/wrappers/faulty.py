"""A backend that fails as it is told, and says what it did."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from batchai_scenario.backends.base import BatchAIError, ClusterSpec, JobState
from batchai_scenario.backends.errors import BackendError, NotFound, Unreachable
from batchai_scenario.backends.wrappers.base import Wrapper
from batchai_scenario.backends.wrappers.faults import (
    CLUSTER,
    FAULTS,
    MIDDLE,
    PROBLEMS,
    REQUEST,
    START,
    Rules,
    listed,
)
from batchai_scenario.backends.wrappers.requests import FaultyAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from requests.adapters import BaseAdapter

    from batchai_scenario.backends.base import Backend, Capabilities, ClusterStatus, JobSpec, JobStatus, Place

T = TypeVar("T")
TRIES = 5
"""How often a call is tried where there are no requests below which could be tried again."""

NO_NODES = {"manual": {"targetNodeCount": 0}}


@runtime_checkable
class SendsRequests(Protocol):
    """A backend whose requests can be met on their way."""

    def interpose(self, wrap: Callable[[BaseAdapter], BaseAdapter]) -> None:
        """Put something between the clients and the network, before the first request."""
        ...


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that was made: its kind, the id of the cluster or job in lower case, the nodes asked for."""

    kind: str
    id: str = ""
    nodes: int = 0

    @property
    def problem(self) -> BatchAIError:
        """What the service says of it; the details say that it was injected."""
        said = PROBLEMS[self.kind]
        return replace(said, details={"injected": f"fault {self.kind!r}: {FAULTS[self.kind]}"})


class FaultyBackend(Wrapper):
    """Fails as ``rules`` say.

    Faults of requests are made below the clients where there are any, whose retries must cope. What was made
    of a cluster or a job is kept in ``file``, so that another process sees the same (B8).
    """

    name = "faulty"

    def __init__(self, inner: Backend, rules: Rules, file: Path) -> None:
        super().__init__(inner)
        self._rules = rules
        self._file = file
        self._lock = threading.RLock()
        self._lines: list[str] = []
        self._kept = {it.id: it for it in _read(file)}
        self._below = isinstance(inner, SendsRequests)
        if isinstance(inner, SendsRequests) and rules.has(REQUEST):
            inner.interpose(lambda adapter: FaultyAdapter(adapter, rules, self._tell))

    def capabilities(self) -> Capabilities:
        """Say what the backend inside can do, and that faults can be made."""
        return replace(self.inner.capabilities(), faults=True)

    def details(self) -> Mapping[str, str]:
        """Say which faults were asked for."""
        asked = "; ".join(self._rules.texts) or "none"
        return {**super().details(), "faults": asked, "seed": str(self._rules.seed)}

    def faults(self) -> Mapping[str, str]:
        """List the faults that can be made."""
        return listed()

    def injected(self) -> list[str]:
        """Give a line for each fault that this process made, with its time."""
        with self._lock:
            return list(self._lines)

    def _tell(self, kind: str, what: str) -> None:
        with self._lock:
            self._lines.append(f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%fZ} {kind}: {what}")

    def _keep(self, found: Injected) -> None:
        """Write down what was made of a cluster or a job."""
        with self._lock:
            self._kept[found.id] = found
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": found.kind, "id": found.id, "nodes": found.nodes}) + "\n")
        self._tell(found.kind, found.id.rpartition("/providers/")[2] or found.id)

    # Requests --------------------------------------------------------------------------------------

    def around(self, call: str, arguments: tuple[Any, ...], work: Callable[[], T]) -> T:  # noqa: ARG002
        """Do a call; where no requests are below, it is a request itself, and tried again like one."""
        if self._below:
            return work()
        for _ in range(TRIES):
            kind = self._rules.strike(REQUEST)
            if not kind:
                return work()
            self._tell(kind, call)
        raise _refusal(kind, call)

    def reading(
        self, call: str, arguments: tuple[Any, ...], work: Callable[[], Iterator[bytes]]
    ) -> Iterator[bytes]:
        """Read; the request for the first bytes may be struck."""
        yield from self.around(call, arguments, work)

    # Clusters --------------------------------------------------------------------------------------

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        """Create a cluster; one that is struck is made without nodes."""
        try:
            return self.get_cluster(spec.place, spec.name)
        except NotFound:
            kind = self._rules.strike(CLUSTER)
        if not kind:
            return super().create_cluster(spec)
        nodes = int(spec.properties.get("scaleSettings", {}).get("manual", {}).get("targetNodeCount", 0))
        made = super().create_cluster(
            replace(spec, properties={**spec.properties, "scaleSettings": NO_NODES})
        )
        self._keep(Injected(kind, made.id.lower(), nodes))
        return self._cluster(made)

    def get_cluster(self, place: Place, name: str) -> ClusterStatus:
        """Read a cluster."""
        return self._cluster(super().get_cluster(place, name))

    def _cluster(self, status: ClusterStatus) -> ClusterStatus:
        found = self._kept.get(status.id.lower())
        if found is None:
            return status
        unusable = found.nodes if found.kind == "nodeprep" else 0
        return replace(
            status,
            allocation="steady",
            target=found.nodes,
            current=unusable,
            nodes={**status.nodes, "unusable": unusable},
            errors=(*status.errors, found.problem),
        )

    def delete_cluster(self, place: Place, name: str) -> None:
        """Delete a cluster, and forget what was made of it."""
        with suppress(NotFound):
            self._forget(super().get_cluster(place, name).id)
        super().delete_cluster(place, name)

    # Jobs ------------------------------------------------------------------------------------------

    def submit(self, spec: JobSpec) -> JobStatus:
        """Submit a job; one that is struck fails before its command: its preparation is made to fail."""
        kind = self._rules.strike(START) if self._rules.has(START) and not self._is_there(spec) else ""
        if not kind:
            return self._job(super().submit(spec))
        real = self.capabilities().real_time
        fails = {"jobPreparation": {"commandLine": "exit 1"}} if real else {}
        job = super().submit(replace(spec, properties={**spec.properties, **fails}))
        self._keep(Injected(kind, job.id.lower()))
        if not real:
            super().terminate(job.id)
            job = super().get_job(job.id)
        return self._job(job)

    def _is_there(self, spec: JobSpec) -> bool:
        tail = f"/jobs/{spec.name}".lower()
        try:
            return any(job.id.lower().endswith(tail) for job in super().list_jobs(spec.place))
        except NotFound:
            return False

    def get_job(self, job_id: str) -> JobStatus:
        """Read a job; one that runs may be struck."""
        status = super().get_job(job_id)
        if status.state is JobState.RUNNING and status.started_at and status.id.lower() not in self._kept:
            elapsed = (datetime.now(timezone.utc) - status.started_at).total_seconds()
            kind = self._rules.strike(MIDDLE, elapsed)
            if kind:
                self._keep(Injected(kind, status.id.lower()))
                super().terminate(job_id)
                status = super().get_job(job_id)
        return self._job(status)

    def list_jobs(self, place: Place) -> list[JobStatus]:
        """List the experiment's jobs by age."""
        return [self._job(job) for job in super().list_jobs(place)]

    def delete_job(self, job_id: str) -> None:
        """Delete a job, and forget what was made of it."""
        super().delete_job(job_id)
        self._forget(job_id)

    def _job(self, status: JobStatus) -> JobStatus:
        found = self._kept.get(status.id.lower())
        if found is None or status.state is not JobState.FAILED:
            return status
        return replace(status, exit_code=None, errors=(found.problem,))

    def _forget(self, resource: str) -> None:
        """Forget what was made of a resource: one of the same name is another one."""
        with self._lock:
            if self._kept.pop(resource.lower(), None) is not None:
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"kind": "", "id": resource.lower(), "nodes": 0}) + "\n")


def _read(file: Path) -> list[Injected]:
    """Read what was made of clusters and jobs, without what was forgotten."""
    found: dict[str, Injected] = {}
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            entry = Injected(**json.loads(line))
            found.pop(entry.id, None)
            if entry.kind:
                found[entry.id] = entry
    return list(found.values())


def _refusal(kind: str, call: str) -> BackendError:
    """Give the error of a call that was struck again and again."""
    if kind == "cut":
        return Unreachable(f"the connection was cut in {call} (an injected fault)")
    return BackendError(
        f"{call} was refused {TRIES} times (an injected fault)", "InjectedFault", int(kind), transient=True
    )
