"""The reference model as a backend: rules B1 to B10 in their simplest form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.base import Capabilities, JobState, JobStatus, OutputFile
from batchai_scenario.backends.bodies import check_name
from batchai_scenario.backends.errors import InvalidSpec, NotFound
from batchai_scenario.backends.memory.clusters import MemoryClusters, path_of, workspace_of
from batchai_scenario.backends.memory.reading import (
    MOUNT_ROOT,
    VALUES,
    addresses_of,
    commands_of,
    folders_of,
    given_variables,
    inputs_of,
    priority_of,
    processes_of,
    read_body,
)
from batchai_scenario.backends.memory.roles import each_node, each_process
from batchai_scenario.backends.memory.shares import level_of, rest_of
from batchai_scenario.backends.memory.world import MemoryJob, MemoryWorld, ProgramCall, Result
from batchai_scenario.schema.common import MAX_NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batchai_scenario.backends.base import JobSpec, Place
    from batchai_scenario.backends.memory.world import MemoryCluster


class MemoryBackend(MemoryClusters):
    """A backend without a service.

    ``programs`` maps a command to what it does: the command line of a custom toolkit or of a job
    preparation, else the file name of the toolkit's script. A job whose program is not among them is
    refused. Backends that share a ``world`` are like processes that share a service.
    """

    name = "memory"

    def __init__(
        self,
        programs: Mapping[str, Callable[[ProgramCall], Result]] | None = None,
        world: MemoryWorld | None = None,
    ) -> None:
        self._programs = dict(programs or {})
        self.world = world or MemoryWorld()

    def capabilities(self) -> Capabilities:
        """Say what this backend can do."""
        return Capabilities(
            max_nodes=MAX_NODES,
            gpus=False,
            resize=True,
            real_time=False,
            urls=False,
            setup_tasks=True,
            auto_scale=True,
            file_servers=True,
            remote_login=True,
            preempts=True,
        )

    def details(self) -> dict[str, str]:
        """Say where this is."""
        return {"storage": VALUES["URL"]}

    def wait_hint(self) -> float:
        """Say how long to wait between two looks: not at all, each look is a step."""
        return 0.0

    def close(self) -> None:
        """Let go (B10): there is nothing to let go."""

    # Places ----------------------------------------------------------------------------------------

    def ensure_place(self, place: Place) -> bool:
        """Create group, workspace and experiment where missing; True if the group is new (B1)."""
        with self.world.lock:
            new = place.group not in self.world.groups
            self.world.groups.setdefault(place.group, place.location)
            self.world.workspaces.setdefault((place.group, place.workspace), place.location)
            self.world.experiments.add((place.group, place.workspace, place.experiment))
            return new

    def delete_place(self, place: Place) -> None:
        """Delete experiment and workspace with all in them, and the group if nothing else is in it."""
        workspace = (place.group, place.workspace)
        world = self.world
        with world.lock:
            for job_id in [key for key, job in world.jobs.items() if workspace_of(job.place) == workspace]:
                del world.jobs[job_id]
            for key in [key for key in world.clusters if key[:2] == workspace]:
                del world.clusters[key]
            for key in [key for key in world.servers if key[:2] == workspace]:
                self.delete_file_server(place, key[2])
            world.experiments = {key for key in world.experiments if key[:2] != workspace}
            world.workspaces.pop(workspace, None)
            if not any(group == place.group for group, _ in world.workspaces):
                world.groups.pop(place.group, None)

    # Jobs ------------------------------------------------------------------------------------------

    def submit(self, spec: JobSpec) -> JobStatus:
        """Submit a job (B3): queued, with its program found or refused."""
        check_name(spec.name)
        place, world = spec.place, self.world
        named = {"id": f"{path_of(place)}/clusters/{spec.cluster}"}
        if spec.properties.get("cluster", named) != named:
            said = "names another cluster than the job is submitted to"
            raise InvalidSpec(said, field="properties.cluster", hint="leave it out")
        properties = read_body("Job", {**spec.properties, "cluster": named})
        path = f"{path_of(place)}/experiments/{place.experiment}/jobs/{spec.name}"
        with world.lock:
            if path.lower() in world.jobs:
                return world.jobs[path.lower()].status
            if (*workspace_of(place), place.experiment) not in world.experiments:
                said = f"The specified experiment {place.experiment} is not found"
                raise NotFound(said, "ExperimentNotFound", 404)
            cluster = self._cluster(place, spec.cluster)
            self._check_servers(properties.get("mountVolumes", {}), "properties")
            segment = f"{path.partition('/subscriptions/')[2]}/{world.guid()}"
            segment = segment.replace("/resourceGroups/", "/").replace("/providers/Microsoft.BatchAI/", "/")
            world.jobs[path.lower()] = MemoryJob(
                JobStatus(path, JobState.QUEUED, world.now(), segment=segment),
                place,
                spec.name,
                cluster,
                int(properties.get("nodeCount", 1)),
                priority_of(properties),
                folders := folders_of(properties, cluster, segment),
                self._program(spec.name, properties, cluster, folders),
            )
            return world.jobs[path.lower()].status

    def _program(
        self,
        name: str,
        properties: Mapping[str, Any],
        cluster: MemoryCluster,
        folders: Mapping[str, tuple[str, str]],
    ) -> Callable[[], Result]:
        """Find what a job does: its preparation, then its command."""
        commands = [(command, where) for command, where in commands_of(properties) if command]
        for command, where in commands:
            self._known(command, where)
        nodes = [f"node-{number}" for number in range(int(properties.get("nodeCount", 1)))]
        mounts = {share: f"{MOUNT_ROOT}/{mount}" for mount, share in cluster.shares.items()}
        outputs = {key: f"{mounts.get(share, '')}/{path}" for key, (share, path) in folders.items()}
        environment = {
            "AZ_BATCHAI_MOUNT_ROOT": MOUNT_ROOT,
            "AZ_BATCH_HOST_LIST": ",".join(addresses_of(properties)),
            **{f"AZ_BATCHAI_INPUT_{key}": path for key, path in inputs_of(properties).items()},
            **{f"AZ_BATCHAI_OUTPUT_{key}": path for key, path in outputs.items() if key != "stdouterr"},
            **given_variables(properties),
        }

        def read(share: str, path: str) -> bytes:
            return self.world.shares[share][path]

        def look(path: str) -> bytes:
            for share, mount in mounts.items():
                if path.startswith(f"{mount}/"):
                    return read(share, path[len(mount) + 1 :])
            raise KeyError(path)

        def run() -> Result:
            result = Result()
            shared: frozenset[str] = frozenset()
            for command, where in commands:
                if not where.startswith("properties.jobPreparation"):
                    return each_process(
                        ProgramCall(name, command, environment, read, look, nodes[0], shared),
                        processes_of(properties),
                        self._programs[command],
                    )
                call = ProgramCall(name, command, environment, read, look)
                result = each_node(call, nodes, self._programs[command])
                shared = result.shared
                if result.problem:
                    break
            return result

        return run

    def _job(self, job_id: str) -> MemoryJob:
        job = self.world.jobs.get(job_id.lower())
        if job is None:
            said = f"The specified job {job_id.rpartition('/')[2]} is not found"
            raise NotFound(said, "JobNotFound", 404)
        return job

    def get_job(self, job_id: str) -> JobStatus:
        """Read a job as it stands, then let the world make a step; NotFound."""
        with self.world.lock:
            status = self._job(job_id).status
            self.world.step()
            return status

    def list_jobs(self, place: Place) -> list[JobStatus]:
        """List the experiment's jobs by age, without a step."""
        with self.world.lock:
            found = [job.status for job in self.world.jobs.values() if _same_experiment(job.place, place)]
        return sorted(found, key=lambda status: status.created_at)

    def terminate(self, job_id: str) -> None:
        """End a job (B6); NotFound."""
        with self.world.lock:
            self.world.terminate(self._job(job_id))

    def delete_job(self, job_id: str) -> None:
        """Delete a job (B7)."""
        with self.world.lock:
            self.world.jobs.pop(job_id.lower(), None)

    def list_outputs(self, job_id: str, directory_id: str, path: str = "") -> list[OutputFile]:
        """List one level of an output directory (B5)."""
        with self.world.lock:
            share, folder = self._directory(job_id, directory_id)
            level = level_of(self.world.shares.get(share, {}), f"{folder}/{path}".rstrip("/"))
        return [OutputFile(name[len(folder) + 1 :], size) for name, size in sorted(level.items())]

    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of an output directory (B5)."""
        with self.world.lock:
            share, folder = self._directory(job_id, directory_id)
            content = self.world.shares.get(share, {}).get(f"{folder}/{path}")
        if content is None:
            raise NotFound(f"there is no file {path!r} in {directory_id!r}")
        yield from rest_of(content, offset)

    def _directory(self, job_id: str, directory_id: str) -> tuple[str, str]:
        folders = self._job(job_id).folders
        if directory_id not in folders:
            raise NotFound(f"the job has no output directory {directory_id!r}")
        return folders[directory_id]


def _same_experiment(one: Place, other: Place) -> bool:
    return (workspace_of(one), one.experiment) == (workspace_of(other), other.experiment)
