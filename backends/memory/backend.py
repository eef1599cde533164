"""The reference model as a backend: rules B1 to B10 in their simplest form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.base import (
    BatchAIError,
    Capabilities,
    ClusterStatus,
    JobState,
    JobStatus,
    OutputFile,
    ShareFile,
    UploadReport,
)
from batchai_scenario.backends.bodies import check_name
from batchai_scenario.backends.errors import InvalidSpec, NotFound, NotSupported
from batchai_scenario.backends.memory.reading import (
    MOUNT_ROOT,
    VALUES,
    commands_of,
    folders_of,
    inputs_of,
    mounted_shares,
    priority_of,
    read_body,
)
from batchai_scenario.backends.memory.world import MemoryCluster, MemoryJob, MemoryWorld, ProgramCall, Result
from batchai_scenario.backends.sharepaths import check_uploads, inside_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from batchai_scenario.backends.base import ClusterSpec, JobSpec, Place, Upload

CLUSTER_DELETED = BatchAIError(
    "ClusterDeleted", "The cluster of the specified job was deleted before the job ended"
)
MAX_NODES = 100
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


class MemoryBackend:
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
        return Capabilities(max_nodes=MAX_NODES, gpus=False, resize=True, real_time=False, urls=False)

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
            for job_id in [key for key, job in world.jobs.items() if _workspace(job.place) == workspace]:
                del world.jobs[job_id]
            for key in [key for key in world.clusters if key[:2] == workspace]:
                del world.clusters[key]
            world.experiments = {key for key in world.experiments if key[:2] != workspace}
            world.workspaces.pop(workspace, None)
            if not any(group == place.group for group, _ in world.workspaces):
                world.groups.pop(place.group, None)

    # Shares ----------------------------------------------------------------------------------------

    def ensure_share(self, share: str) -> None:
        """Create the share if it is missing (B1)."""
        with self.world.lock:
            self.world.shares.setdefault(share, {})

    def upload(
        self, files: Sequence[Upload], progress: Callable[[str, int, int], None] | None = None
    ) -> UploadReport:
        """Bring files to their shares (B2)."""
        check_uploads(files)
        contents = [file.source.read_bytes() for file in files]
        sent = sent_bytes = unchanged = 0
        with self.world.lock:
            for file, content in zip(files, contents, strict=True):
                share = self._share(file.share)
                if share.get(file.path) == content:
                    unchanged += 1
                else:
                    share[file.path] = content
                    sent, sent_bytes = sent + 1, sent_bytes + len(content)
                if progress is not None:
                    progress(file.path, len(content), len(content))
        return UploadReport(sent, sent_bytes, unchanged)

    def list_share(self, share: str, path: str = "") -> list[ShareFile]:
        """List one folder of a share, sorted by path; NotFound if there is none."""
        with self.world.lock:
            level = _level(self._share(share), path and inside_share(path))
        if not level and path:
            raise NotFound(f"the share {share!r} has no folder {path!r}")
        return [ShareFile(name, size) for name, size in sorted(level.items())]

    def read_share(self, share: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of a share from ``offset`` to its end; NotFound if there is none."""
        with self.world.lock:
            content = self._share(share).get(inside_share(path))
        if content is None:
            raise NotFound(f"the share {share!r} has no file {path!r}")
        yield from _rest(content, offset)

    def _share(self, share: str) -> dict[str, bytes]:
        if share not in self.world.shares:
            raise NotFound(f"there is no share {share!r}", "ShareNotFound", 404)
        return self.world.shares[share]

    # Clusters --------------------------------------------------------------------------------------

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        """Create a cluster (B1); its nodes are there at once."""
        check_name(spec.name)
        properties = read_body("Cluster", spec.properties)
        manual = properties.get("scaleSettings", {}).get("manual", {})
        nodes = _node_count(int(manual.get("targetNodeCount", 0)))
        world, place = self.world, spec.place
        with world.lock:
            if _workspace(place) not in world.workspaces:
                raise NotFound(
                    f"The specified workspace {place.workspace} is not found", "WorkspaceNotFound", 404
                )
            world.clusters.setdefault(
                (*_workspace(place), spec.name),
                MemoryCluster(
                    f"{_path(place)}/clusters/{spec.name}",
                    place,
                    nodes,
                    mounted_shares(properties.get("nodeSetup", {}).get("mountVolumes", {})),
                ),
            )
            return self.get_cluster(place, spec.name)

    def get_cluster(self, place: Place, name: str) -> ClusterStatus:
        """Read a cluster; NotFound."""
        with self.world.lock:
            cluster = self._cluster(place, name)
            busy = self.world.busy(cluster)
            counts = {
                "idle": max(0, cluster.nodes - busy),
                "running": busy,
                "preparing": 0,
                "unusable": 0,
                "leaving": 0,
            }
            return ClusterStatus(cluster.id, "steady", cluster.nodes, max(cluster.nodes, busy), counts)

    def _cluster(self, place: Place, name: str) -> MemoryCluster:
        cluster = self.world.clusters.get((*_workspace(place), name))
        if cluster is None:
            raise NotFound(f"The specified cluster {name} is not found", "ClusterNotFound", 404)
        return cluster

    def resize_cluster(self, place: Place, name: str, nodes: int) -> ClusterStatus:
        """Set the number of a cluster's nodes (R); those that run a job stay until it has ended."""
        with self.world.lock:
            self._cluster(place, name).nodes = _node_count(nodes)
            return self.get_cluster(place, name)

    def delete_cluster(self, place: Place, name: str) -> None:
        """Delete a cluster; its jobs that are not final fail (B7)."""
        with self.world.lock:
            cluster = self.world.clusters.pop((*_workspace(place), name), None)
            for job in self.world.jobs.values():
                if job.cluster is cluster:
                    self.world.terminate(job, CLUSTER_DELETED)

    # Jobs ------------------------------------------------------------------------------------------

    def submit(self, spec: JobSpec) -> JobStatus:
        """Submit a job (B3): queued, with its program found or refused."""
        check_name(spec.name)
        place, world = spec.place, self.world
        named = {"id": f"{_path(place)}/clusters/{spec.cluster}"}
        if spec.properties.get("cluster", named) != named:
            said = "names another cluster than the job is submitted to"
            raise InvalidSpec(said, field="properties.cluster", hint="leave it out")
        properties = read_body("Job", {**spec.properties, "cluster": named})
        path = f"{_path(place)}/experiments/{place.experiment}/jobs/{spec.name}"
        with world.lock:
            if path.lower() in world.jobs:
                return world.jobs[path.lower()].status
            if (*_workspace(place), place.experiment) not in world.experiments:
                said = f"The specified experiment {place.experiment} is not found"
                raise NotFound(said, "ExperimentNotFound", 404)
            cluster = self._cluster(place, spec.cluster)
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
            if command not in self._programs:
                raise NotSupported(
                    f"the memory backend has no program for {command!r}",
                    field=where,
                    hint="it runs only Python functions that its maker hands in; use --backend local",
                )
        entries = (*properties.get("environmentVariables", ()), *properties.get("secrets", ()))
        mounts = {share: f"{MOUNT_ROOT}/{mount}" for mount, share in cluster.shares.items()}
        outputs = {key: f"{mounts.get(share, '')}/{path}" for key, (share, path) in folders.items()}
        environment = {
            "AZ_BATCHAI_MOUNT_ROOT": MOUNT_ROOT,
            **{f"AZ_BATCHAI_INPUT_{key}": path for key, path in inputs_of(properties).items()},
            **{f"AZ_BATCHAI_OUTPUT_{key}": path for key, path in outputs.items() if key != "stdouterr"},
            **{str(entry["name"]): str(entry.get("value", "")) for entry in entries},
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
            for command, where in commands:
                result = self._programs[command](ProgramCall(name, command, environment, read, look))
                if where.startswith("properties.jobPreparation") and result.exit_code:
                    said = "Job preparation failed with non-zero exit code"
                    return replace(result, problem=BatchAIError("JobPreparationFailed", said))
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
            level = _level(self.world.shares.get(share, {}), f"{folder}/{path}".rstrip("/"))
        return [OutputFile(name[len(folder) + 1 :], size) for name, size in sorted(level.items())]

    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of an output directory (B5)."""
        with self.world.lock:
            share, folder = self._directory(job_id, directory_id)
            content = self.world.shares.get(share, {}).get(f"{folder}/{path}")
        if content is None:
            raise NotFound(f"there is no file {path!r} in {directory_id!r}")
        yield from _rest(content, offset)

    def _directory(self, job_id: str, directory_id: str) -> tuple[str, str]:
        folders = self._job(job_id).folders
        if directory_id not in folders:
            raise NotFound(f"the job has no output directory {directory_id!r}")
        return folders[directory_id]


def _node_count(nodes: int) -> int:
    if not 0 <= nodes <= MAX_NODES:
        where = "properties.scaleSettings.manual.targetNodeCount"
        raise InvalidSpec(f"must be 0 to {MAX_NODES}", field=where)
    return nodes


def _workspace(place: Place) -> tuple[str, str]:
    return place.group, place.workspace


def _same_experiment(one: Place, other: Place) -> bool:
    return (_workspace(one), one.experiment) == (_workspace(other), other.experiment)


def _path(place: Place) -> str:
    return (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{place.group}"
        f"/providers/Microsoft.BatchAI/workspaces/{place.workspace}"
    )


def _level(files: Mapping[str, bytes], folder: str) -> dict[str, int | None]:
    """List one level below a folder: size by path, None for a folder."""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, int | None] = {}
    for path, content in files.items():
        if path.startswith(prefix):
            name, deeper, _ = path[len(prefix) :].partition("/")
            found[prefix + name] = None if deeper else len(content)
    return found


def _rest(content: bytes, offset: int) -> Iterator[bytes]:
    if content[offset:]:
        yield content[offset:]
