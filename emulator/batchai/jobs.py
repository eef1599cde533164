"""Jobs over the wire, and their output files."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.batchai.answers import (
    check_name,
    check_same,
    conflict,
    entity,
    no_method,
    not_found,
    number,
    page,
    page_of,
)
from batchai_scenario.emulator.batchai.clusterids import cluster_names, flat_cluster_names
from batchai_scenario.emulator.batchai.clusters import logins
from batchai_scenario.emulator.batchai.fileservers import check_mounted_servers
from batchai_scenario.emulator.batchai.migrated import location_of
from batchai_scenario.emulator.batchai.mountcommands import check_mount_commands
from batchai_scenario.emulator.batchai.refusals import invalid_value
from batchai_scenario.emulator.batchai.tree import (
    EXPERIMENT,
    NAMESPACE,
    WORKSPACE,
    check_open,
    experiment_key,
)
from batchai_scenario.emulator.batchai.versions.registry import version_of
from batchai_scenario.emulator.cluster.model import (
    ClusterKey,
    ExperimentKey,
    JobKey,
    ProvisioningState,
    WorkspaceKey,
)
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.schema.layout import STDOUTERR, output_places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.arm.operations import Operations
    from batchai_scenario.emulator.batchai.mountcommands import MountRefusal
    from batchai_scenario.emulator.batchai.ports import FolderEntry, OutputFiles
    from batchai_scenario.emulator.batchai.tree import Tree
    from batchai_scenario.emulator.batchai.versions.base import ApiVersion
    from batchai_scenario.emulator.cluster.model import Cluster, Job
    from batchai_scenario.emulator.cluster.ports import ClusterService
    from batchai_scenario.emulator.state.clock import Clock


class Jobs:
    """Answers ``.../experiments/E/jobs[/J]``."""

    def __init__(
        self,
        tree: Tree,
        clusters: ClusterService,
        operations: Operations,
        *,
        files: OutputFiles,
        clock: Clock,
        find_flat: Callable[[str, str, str], Cluster | None],
        mount_refusal: MountRefusal,
    ) -> None:
        """Put the handler together; ``find_flat`` finds a cluster by subscription, group and name."""
        self._mount_refusal = mount_refusal
        self._tree = tree
        self._clusters = clusters
        self._operations = operations
        self._files = files
        self._clock = clock
        self._find_flat = find_flat
        operations.define("job stored", lambda _: True)
        operations.define("job final", self._final)
        operations.define("job gone", self._gone)

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request."""
        if request.action:
            actions = {
                "terminate": self._terminate,
                "listoutputfiles": self._list_files,
                "listremotelogininformation": self._logins,
            }
            action = actions.get(request.action.lower())
            if action is None:
                raise no_method(request)
            return action(request)
        verbs: dict[str, Callable[[ArmRequest], ArmResponse]] = {"GET": self._list}
        if request.types[2][1]:
            verbs = {"PUT": self._put, "GET": self._get, "DELETE": self._delete}
        if request.method not in verbs:
            raise no_method(request)
        return verbs[request.method](request)

    def _put(self, request: ArmRequest) -> ArmResponse:
        name = request.types[2][1]
        version = version_of(request)
        check_name(name, version.NAME)
        check_open(self._tree.workspace(request))
        experiment = self._tree.experiment(request)
        check_open(experiment)
        definition, secrets = version.read_job(request.body)
        key = JobKey(experiment_key(experiment), name)
        cluster_id = definition["cluster"]["id"]
        cluster = self._flat_cluster(cluster_id, key) if version.FLAT else self._cluster(cluster_id)
        definition["cluster"] = {"id": cluster.key.path}
        old = self._clusters.get_job(key)
        if old is None:
            mounts, where = definition.get("mountVolumes"), "properties.mountVolumes"
            check_mounted_servers(self._tree, mounts, where)
            check_mount_commands(self._mount_refusal, cluster.engine, mounts, where)
            if cluster.provisioning_state is ProvisioningState.DELETING:
                raise conflict(f"The cluster {cluster.key.name} is being deleted", "properties.cluster.id")
            job, created = self._clusters.create_job(key, cluster.key, definition, secrets)
            if created:
                return self._accepted("job stored", request, job)
            old = job
        if old.provisioning_state is ProvisioningState.DELETING:
            raise conflict(f"The job {name} is being deleted")
        check_same(f"job {name}", old.definition, definition)
        return _entity(request, old)

    def _flat_cluster(self, cluster_id: str, job: JobKey) -> Cluster:
        """Find the cluster of a job of a flat API version; both stand in the same location."""
        path = "properties.cluster.id"
        subscription, group, name = flat_cluster_names(cluster_id, path)
        found = self._find_flat(subscription, group, name)
        if found is None:
            raise not_found("Cluster", name)
        if location_of(found.key.workspace) != location_of(job.experiment.workspace):
            raise invalid_value(path, f"the cluster is in another location than the job, {name}")
        return found

    def _cluster(self, cluster_id: str) -> Cluster:
        subscription, group, workspace, name = cluster_names(cluster_id, "properties.cluster.id")
        key = WorkspaceKey(subscription, group, workspace)
        if self._tree.look(WORKSPACE, key.id) is None:
            raise not_found("Workspace", workspace)
        found = self._clusters.get_cluster(ClusterKey(key, name))
        if found is None:
            raise not_found("Cluster", name)
        return found

    def _get(self, request: ArmRequest) -> ArmResponse:
        found = self._find(request)
        self._clusters.seen([found.key.id])
        return _entity(request, found)

    def _delete(self, request: ArmRequest) -> ArmResponse:
        workspace = WorkspaceKey(request.subscription, request.group, request.types[0][1])
        key = JobKey(ExperimentKey(workspace, request.types[1][1]), request.types[2][1])
        if self._tree.look(WORKSPACE, workspace.id) is None:
            return ArmResponse(204)
        if self._tree.look(EXPERIMENT, key.experiment.id) is None:
            return ArmResponse(204)
        job = self._clusters.get_job(key)
        if job is None or not self._clusters.delete_job(job.key):
            return ArmResponse(204)
        return self._accepted("job gone", request, job)

    def _terminate(self, request: ArmRequest) -> ArmResponse:
        job = self._find(request)
        if job.execution_state.final:
            return ArmResponse(200)
        self._clusters.terminate_job(job.key)
        return self._accepted("job final", request, job)

    def _logins(self, request: ArmRequest) -> ArmResponse:
        job = self._find(request)
        subscription, group, workspace, name = cluster_names(job.definition["cluster"]["id"], "cluster.id")
        cluster = ClusterKey(WorkspaceKey(subscription, group, workspace), name)
        return logins(self._clusters.remote_logins(cluster, job.key))

    def _list(self, request: ArmRequest) -> ArmResponse:
        experiment = experiment_key(self._tree.experiment(request))
        write = version_of(request).write_job

        def shown(job: Job) -> dict[str, Any]:
            self._clusters.seen([job.key.id])
            return write(job)

        return page_of(request, partial(self._clusters.page_jobs, [experiment]), shown)

    def _list_files(self, request: ArmRequest) -> ArmResponse:
        job = self._find(request)
        directory_id = request.query.get("outputdirectoryid", "")
        if not directory_id:
            text = "The query parameter 'outputdirectoryid' is required."
            raise ServiceError(400, "MissingQueryParameter", text, "outputdirectoryid")
        version = version_of(request)
        minutes = number(request.query, "linkexpiryinminutes", low=5, high=600, default=60)
        if not version.FOLDERS and request.query.get("directory", ".") not in (".", ""):
            text = f"The query parameter 'directory' is not known in api-version {version.VERSION}."
            raise ServiceError(400, "InvalidQueryParameterValue", text, "directory")
        account, share, folder = self._folder(job, directory_id, request.query.get("directory", "."))
        expires = self._clock.now().replace(microsecond=0) + timedelta(minutes=minutes)

        def write(entry: FolderEntry) -> Mapping[str, Any]:
            url = ""
            if not entry.is_directory:
                path = f"{folder}/{entry.name}".lstrip("/")
                url = self._files.link(account, share, path, expires=expires, base_url=request.base_url)
            return version.write_file(entry, url)

        listed = sorted(self._files.list_folder(account, share, folder), key=lambda entry: entry.name)
        shown = _shown(version, listed)
        if directory_id.lower() == STDOUTERR:
            shown = [entry for entry in shown if version.shows_file(entry.name)]
        return page(request, [(entry.name, partial(write, entry)) for entry in shown])

    def _folder(self, job: Job, directory_id: str, directory: str) -> tuple[str, str, str]:
        """Find (account, share, path) of a folder in an output directory; ServiceError."""
        try:
            found = self._clusters.file_folder(job, directory_id)
        except KeyError:
            known = [STDOUTERR, *(place.id for place in output_places(job.definition))]
            text = f"The specified outputDirectoryId {directory_id} is not among {', '.join(known)}"
            raise ServiceError(404, "OutputDirectoryNotFound", text, "outputdirectoryid") from None
        if found is None:
            text = f"The specified outputDirectoryId {directory_id} is not present on a mount root"
            raise ServiceError(400, "OutputDirectoryNotOnMountRoot", text, "outputdirectoryid")
        account, share, folder = found
        parts = [part for part in directory.split("/") if part not in ("", ".")]
        if ".." in parts or "\x00" in directory:
            text = f"The query parameter 'directory' must be a path inside the directory, not '{directory}'."
            raise ServiceError(400, "InvalidQueryParameterValue", text, "directory")
        return account, share, "/".join([folder.strip("/"), *parts]).strip("/")

    def _find(self, request: ArmRequest) -> Job:
        experiment = experiment_key(self._tree.experiment(request))
        name = request.types[2][1]
        found = self._clusters.get_job(JobKey(experiment, name))
        if found is None:
            raise not_found("Job", name)
        return found

    def _accepted(self, condition: str, request: ArmRequest, job: Job) -> ArmResponse:
        workspace = self._tree.workspace(request)
        experiment = job.key.experiment
        operation = self._operations.begin(
            condition,
            {
                "subscription": experiment.workspace.subscription,
                "group": experiment.workspace.group,
                "workspace": experiment.workspace.workspace,
                "experiment": experiment.name,
                "name": job.key.name,
                "guid": job.guid,
            },
            subscription=request.subscription,
            provider=NAMESPACE,
            location=workspace.body["location"],
            names=version_of(request).job_names(job.key),
        )
        return self._operations.accepted(operation, request, version_of(request).FINAL)

    def _gone(self, target: Mapping[str, Any]) -> bool:
        return self._target(target) is None

    def _final(self, target: Mapping[str, Any]) -> bool:
        job = self._target(target)
        return job is None or job.execution_state.final

    def _target(self, target: Mapping[str, Any]) -> Job | None:
        workspace = WorkspaceKey(target["subscription"], target["group"], target["workspace"])
        found = self._clusters.get_job(JobKey(ExperimentKey(workspace, target["experiment"]), target["name"]))
        # A job of the same name that was made since is another one.
        return found if found is not None and found.guid == target["guid"] else None


def _entity(request: ArmRequest, job: Job) -> ArmResponse:
    return entity(version_of(request).write_job(job), job.changed_at)


def _shown(version: ApiVersion, listed: Sequence[FolderEntry]) -> list[FolderEntry]:
    """Leave out what a version did not list: folders, or empty files that stand for a container's folders."""
    if not version.FOLDERS:
        return [entry for entry in listed if not entry.is_directory]
    folders = set() if version.FOLDERS_TWICE else {entry.name for entry in listed if entry.is_directory}
    return [entry for entry in listed if entry.is_directory or entry.size or entry.name not in folders]
