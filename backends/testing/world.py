"""What a check stands on: a place, a share and a folder of its own on a bench, and the usual moves."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from batchai_scenario.backends.base import ClusterSpec, JobSpec, JobState, Place, Upload
from batchai_scenario.backends.errors import NotFound, ScenarioError
from batchai_scenario.backends.testing.rules import NEEDS
from batchai_scenario.backends.testing.verdicts import BrokenRuleError, same
from batchai_scenario.backends.testing.vocabulary import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Backend, ClusterStatus, JobStatus
    from batchai_scenario.backends.testing.bench import Bench
    from batchai_scenario.backends.testing.probes import Probes

Seen = TypeVar("Seen")

CLUSTER = "nodes"
SECONDS = 300.0
"""How long a check waits for what must happen."""

QUICK = 0.02
"""Seconds after which a check looks again at first; then longer, up to what the backend asks for."""

LOOKS = 200
"""How often it looks where no time passes."""


class UnprobedError(Exception):
    """A check needs a look past the backend that this bench does not offer.

    ``look`` is its key in ``rules.LOOKS``. A bench that declared it absent is not asked for it.
    """

    def __init__(self, look: str) -> None:
        super().__init__(
            f"skipped without a declaration: the bench offers no {NEEDS[look].partition(' ')[2]}, and its "
            f"'unseen' says nothing of {look!r}"
        )
        self.look = look


@dataclass
class World:
    """A check's own part of a bench. Close it after the check: it deletes its place."""

    bench: Bench
    key: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    clients: list[Backend] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    @property
    def backend(self) -> Backend:
        """The backend under check."""
        return self.bench.main

    @property
    def probes(self) -> Probes | None:
        """What can be looked at past the backend."""
        return self.bench.probes

    @property
    def place(self) -> Place:
        """The check's own place."""
        return self.another_place("")

    @property
    def share(self) -> str:
        """The check's own share."""
        return f"contract-{self.key}"

    @property
    def folder(self) -> Path:
        """A folder for local files."""
        folder = self.bench.folder / f"files-{self.key}"
        folder.mkdir(exist_ok=True)
        return folder

    def another_place(self, suffix: str) -> Place:
        """Give a place beside the check's own, with a group of its own."""
        place = Place(f"contract-{self.key}{suffix}", "eastus", "workspace", "experiment")
        if place not in self.places:
            self.places.append(place)
        return place

    def client(self) -> Backend:
        """Open the backend once more, like another process."""
        self.clients.append(self.bench.open({}))
        return self.clients[-1]

    def close(self) -> None:
        """Delete the check's places and close its clients; what is broken stays, and is no news here."""
        for place in self.places:
            with suppress(ScenarioError):
                self.backend.delete_place(place)
        for client in self.clients:
            client.close()

    # Moves -----------------------------------------------------------------------------------------

    def file(self, name: str, content: bytes | str = "content") -> Path:
        """Make a local file."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def put(self, path: str, content: bytes | str = "content") -> None:
        """Bring a file to the share."""
        self.backend.ensure_share(self.share)
        self.backend.upload([Upload(self.file("put", content), self.share, path)])

    def cluster(self, nodes: int = 1) -> ClusterStatus:
        """Make a cluster with the share mounted, and wait until its nodes are idle."""
        self._make_cluster(nodes)
        return self.idle(nodes)

    def _make_cluster(self, nodes: int) -> None:
        self.backend.ensure_place(self.place)
        self.backend.ensure_share(self.share)
        self.backend.create_cluster(ClusterSpec(self.place, CLUSTER, self.cluster_body(nodes)))

    def some_nodes(self, wanted: int) -> int:
        """Make a cluster of so many nodes, or of fewer if there are no more; gives how many are idle."""
        wanted = min(wanted, self.backend.capabilities().max_nodes)
        self._make_cluster(wanted)

        def ready() -> int:
            status = self.backend.get_cluster(self.place, CLUSTER)
            done = status.allocation == "steady" and status.nodes["idle"] == status.current
            return status.current if done and (status.errors or status.current == wanted) else 0

        return self.until("idle nodes", ready)

    def idle(self, nodes: int = 1) -> ClusterStatus:
        """Wait until the cluster is steady with as many idle nodes."""

        def ready() -> bool:
            status = self.backend.get_cluster(self.place, CLUSTER)
            same(status.errors, (), "errors of the cluster")
            return status.allocation == "steady" and status.nodes["idle"] == status.current == nodes

        self.until(f"{nodes} idle nodes", ready)
        return self.backend.get_cluster(self.place, CLUSTER)

    def until(self, what: str, look: Callable[[], Seen]) -> Seen:
        """Look until something true comes, and give it."""
        hint = self.backend.wait_hint()
        pause, waited, looks = min(hint, QUICK), 0.0, 0
        while waited < SECONDS and (hint or looks < LOOKS):
            found = look()
            if found:
                return found
            self.bench.pause(pause)
            pause, waited, looks = min(hint, pause * 1.3), waited + pause, looks + 1
        raise BrokenRuleError(f"waited in vain for {what}")

    def submit(self, program: str, name: str = "", **more: object) -> JobStatus:
        """Submit a job that runs one of the programs; ``more`` replaces properties."""
        return self.backend.submit(self.job(program, name, **more))

    def job(self, program: str, name: str = "", **more: object) -> JobSpec:
        """Describe a job that runs one of the programs; ``more`` replaces properties."""
        body = {**self.job_body(program), **more}
        if self.bench.container is not None:
            body["containerSettings"] = self.bench.container
        return JobSpec(self.place, name or program, CLUSTER, body)

    def watch(self, job: JobStatus, done: Callable[[JobStatus], bool]) -> list[JobStatus]:
        """Look at a job until ``done``; gives everything that was seen."""
        seen = [job]

        def look() -> bool:
            if done(seen[-1]):
                return True
            seen.append(self.backend.get_job(job.id))
            return done(seen[-1])

        self.until(f"the job {job.id.rpartition('/')[2]} as wanted", look)
        return seen

    def end(self, job: JobStatus) -> JobStatus:
        """Wait for a job's end."""
        return self.watch(job, lambda seen: seen.state.final)[-1]

    def run(self, program: str, name: str = "", **more: object) -> JobStatus:
        """Run a job to its end."""
        return self.end(self.submit(program, name, **more))

    def running(self, program: str = "endless", name: str = "", **more: object) -> JobStatus:
        """Submit a job, and wait until it runs."""
        job = self.submit(program, name, **more)
        seen = self.watch(job, lambda look: look.state is JobState.RUNNING or look.state.final)
        same(seen[-1].state, JobState.RUNNING, "state of a job that goes on")
        return seen[-1]

    def speaking(self, program: str = "endless", name: str = "", **more: object) -> JobStatus:
        """Submit a job, and wait until it runs and has written."""
        job = self.running(program, name, **more)

        def begun() -> bool:
            with suppress(NotFound):
                return bool(self.text(job, "stdout.txt"))
            return False

        self.until("the first words of a running job", begun)
        return job

    def text(self, job: JobStatus, path: str, directory: str = "stdouterr", offset: int = 0) -> str:
        """Read an output file as text."""
        return b"".join(self.backend.read_output(job.id, directory, path, offset)).decode()

    def share_text(self, path: str) -> str:
        """Read a file of the share as text."""
        return b"".join(self.backend.read_share(self.share, path)).decode()

    def share_folder(self) -> Path:
        """Give the share's own folder.

        Raises:
            UnprobedError: there is nothing to look at.
        """
        folder = self.probes.share_folder(self.share) if self.probes else None
        if folder is None:
            raise UnprobedError("folder")
        return folder

    # Bodies ----------------------------------------------------------------------------------------

    def cluster_body(self, nodes: int = 1) -> dict[str, Any]:
        """Give a cluster with the share mounted."""
        share = {
            "accountName": "$STORAGE_ACCOUNT",
            "azureFileUrl": f"$STORAGE_URL/{self.share}",
            "credentials": {"accountKey": "$STORAGE_KEY"},
            "relativeMountPath": "files",
        }
        return {
            "vmSize": "STANDARD_NC6",
            "scaleSettings": {"manual": {"targetNodeCount": nodes}},
            "userAccountSettings": {"adminUserName": "admin", "adminUserPassword": SECRET},
            "nodeSetup": {"mountVolumes": {"azureFileShares": [share]}},
        }

    def job_body(self, program: str) -> dict[str, Any]:
        """Give a job of one node that runs one of the programs."""
        return {
            "nodeCount": 1,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
            "inputDirectories": [{"id": "DATA", "path": "$AZ_BATCHAI_MOUNT_ROOT/files/data"}],
            "outputDirectories": [
                {"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files", "pathSuffix": "Models"}
            ],
            "customToolkitSettings": {"commandLine": self.bench.commands[program]},
        }


def codes(job: JobStatus) -> list[str]:
    """Give the codes of a job's errors."""
    return [problem.code for problem in job.errors]


def variables(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Write environment variables, or secrets, as a job's body has them."""
    return [{"name": name, "value": value} for name, value in values.items()]
