"""The one client of Batch AI: the backend for Azure, and with other settings for the emulator."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.azure.clients import FIRST_LOOK, Clients, Retries
from batchai_scenario.backends.azure.errors import MISSING, service_errors, status_of
from batchai_scenario.backends.azure.files import CONNECTIONS, AzureShares
from batchai_scenario.backends.azure.ids import JobId
from batchai_scenario.backends.azure.outputs import Outputs
from batchai_scenario.backends.azure.status import cluster_status, file_server_status, job_status
from batchai_scenario.backends.base import Capabilities
from batchai_scenario.backends.bodies import check, check_name, filled
from batchai_scenario.backends.errors import BackendError, InvalidSpec, NotFound
from batchai_scenario.backends.powers import NodeLogin
from batchai_scenario.schema.common import MAX_NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from azure.core.credentials import TokenCredential
    from requests.adapters import BaseAdapter

    from batchai_scenario.backends.base import (
        ClusterSpec,
        ClusterStatus,
        JobSpec,
        JobStatus,
        OutputFile,
        Place,
        ShareFile,
        Upload,
        UploadReport,
    )
    from batchai_scenario.backends.powers import FileServerStatus
    from batchai_scenario.backends.settings import AzureSettings

API_VERSION = "2018-05-01"

SERVICE = Capabilities(
    max_nodes=MAX_NODES,
    gpus=True,
    resize=True,
    setup_tasks=True,
    auto_scale=True,
    file_servers=True,
    remote_login=True,
)
"""What the service could; it took nodes of low priority away when it liked, never on demand."""

GONE_SECONDS = 1800.0
"""Seconds after which a deletion or a termination that does not show is an error."""


class AzureBackend:
    """Batch AI through azure-mgmt-batchai, resource groups and Azure Files through their SDKs.

    ``cluster_headers`` go with requests that create clusters; ``adapter`` and ``credential`` replace
    network and sign-in (for plans and tests); ``connections`` carry one large file.
    """

    def __init__(
        self,
        settings: AzureSettings,
        *,
        name: str = "azure",
        capabilities: Capabilities | None = None,
        retries: Retries | None = None,
        cluster_headers: Mapping[str, str] | None = None,
        adapter: BaseAdapter | None = None,
        credential: TokenCredential | None = None,
        connections: int = CONNECTIONS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._settings = settings
        self._capabilities = capabilities or SERVICE
        self._cluster_headers = dict(cluster_headers or {})
        self._pause = pause
        self._clients = Clients(settings, retries or Retries(), adapter=adapter, credential=credential)
        self._shares = AzureShares(self._clients, connections)
        self._outputs = Outputs(self._clients, pause)

    def capabilities(self) -> Capabilities:
        """Say what this backend can do."""
        return self._capabilities

    def details(self) -> dict[str, str]:
        """Say where this is; never a secret."""
        settings = self._settings
        return {
            "resource_manager": settings.resource_manager,
            "subscription": settings.subscription_id,
            "storage": settings.storage_url,
            "api_version": API_VERSION,
        }

    def wait_hint(self) -> float:
        """Say how many seconds to wait between two looks at a job."""
        return self._settings.poll_seconds

    def close(self) -> None:
        """Close every connection (B10)."""
        self._clients.close()

    def interpose(self, wrap: Callable[[BaseAdapter], BaseAdapter]) -> None:
        """Put something between the clients and the network, before the first request."""
        self._clients.interpose(wrap)

    # Places ----------------------------------------------------------------------------------------

    def ensure_place(self, place: Place) -> bool:
        """Create group, workspace and experiment where missing; True if the group is new (B1)."""
        groups = self._clients.resources.resource_groups
        batchai = self._clients.batchai
        with service_errors(f"create the resource group {place.group!r}"):
            new = not groups.check_existence(place.group)
            if new:
                groups.create_or_update(place.group, {"location": place.location})
        with service_errors(f"create the workspace {place.workspace!r}"):
            names = (place.group, place.workspace)
            if new or _found(lambda: batchai.workspaces.get(*names)) is None:
                batchai.workspaces.begin_create(*names, {"location": place.location}).result()
        with service_errors(f"create the experiment {place.experiment!r}"):
            path = (*names, place.experiment)
            if _found(lambda: batchai.experiments.get(*path)) is None:
                batchai.experiments.begin_create(*path).result()
        return new

    def delete_place(self, place: Place) -> None:
        """Delete experiment and workspace with all in them, and the group if nothing else is in it."""
        batchai, resources = self._clients.batchai, self._clients.resources
        workspace = (place.group, place.workspace)
        experiment = (*workspace, place.experiment)
        self._delete(f"the experiment {place.experiment!r}", batchai.experiments, experiment)
        self._delete(f"the workspace {place.workspace!r}", batchai.workspaces, workspace)
        with service_errors(f"look into the resource group {place.group!r}"):
            held = _found(lambda: list(resources.resources.list_by_resource_group(place.group)))
        if held == []:
            self._delete(f"the resource group {place.group!r}", resources.resource_groups, (place.group,))

    def _delete(self, what: str, operations: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401 - SDK groups
        """Delete a resource and return when it is gone (B7)."""
        try:
            with service_errors(f"delete {what}"):
                operations.begin_delete(*names).result()
            self._until(f"{what} to be gone", lambda: _found(lambda: operations.get(*names)) is None)
        except NotFound:
            return

    def _until(self, what: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + GONE_SECONDS
        pause = FIRST_LOOK if self._settings.on_loopback else self._settings.poll_seconds
        with service_errors(f"wait for {what}"):
            while not reached():
                if time.monotonic() > deadline:
                    raise BackendError(f"waited {GONE_SECONDS:.0f} s for {what}", transient=True)
                self._pause(pause)
                pause = min(self._settings.poll_seconds, pause * 1.5)

    # Shares ----------------------------------------------------------------------------------------

    def ensure_share(self, share: str) -> None:
        """Create the share if it is missing (B1)."""
        self._shares.ensure(share)

    def upload(
        self, files: Sequence[Upload], progress: Callable[[str, int, int], None] | None = None
    ) -> UploadReport:
        """Bring files to their shares, directories included (B2)."""
        return self._shares.upload(files, progress)

    def list_share(self, share: str, path: str = "") -> list[ShareFile]:
        """List one folder of a share, sorted by path; NotFound if there is none."""
        return self._shares.list(share, path)

    def read_share(self, share: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of a share from ``offset`` to its end; NotFound if there is none."""
        return self._shares.read(share, path, offset)

    # Clusters --------------------------------------------------------------------------------------

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        """Create a cluster (B1); what exists is kept."""
        check_name(spec.name)
        names = (spec.place.group, spec.place.workspace, spec.name)
        body = {"properties": self._body("Cluster", spec.properties)}
        clusters = self._clients.batchai.clusters
        with service_errors(f"create the cluster {spec.name!r}"):
            found = _found(lambda: clusters.get(*names))
            if found is None:
                found = clusters.begin_create(*names, body, headers=self._cluster_headers).result()
            return cluster_status(found)

    def get_cluster(self, place: Place, name: str) -> ClusterStatus:
        """Read a cluster; NotFound."""
        with service_errors(f"read the cluster {name!r}"):
            return cluster_status(self._clients.batchai.clusters.get(place.group, place.workspace, name))

    def resize_cluster(self, place: Place, name: str, nodes: int) -> ClusterStatus:
        """Set the number of a cluster's nodes (R)."""
        body = {"properties": {"scaleSettings": {"manual": {"targetNodeCount": nodes}}}}
        with service_errors(f"resize the cluster {name!r}"):
            clusters = self._clients.batchai.clusters
            found = clusters.update(
                place.group, place.workspace, name, body, retry_on_methods=frozenset({"PATCH"})
            )
            return cluster_status(found)

    def delete_cluster(self, place: Place, name: str) -> None:
        """Delete a cluster, ending what runs on it (B7)."""
        names = (place.group, place.workspace, name)
        self._delete(f"the cluster {name!r}", self._clients.batchai.clusters, names)

    def remote_logins(self, place: Place, cluster: str) -> list[NodeLogin]:
        """List the logins of a cluster's nodes (L); NotFound."""
        clusters = self._clients.batchai.clusters
        with service_errors(f"list the logins of the cluster {cluster!r}"):
            found = clusters.list_remote_login_information(
                place.group, place.workspace, cluster, retry_on_methods=frozenset({"POST"})
            )
            return [NodeLogin(str(it.node_id), str(it.ip_address), int(it.port)) for it in found]

    # File servers ----------------------------------------------------------------------------------

    def create_file_server(self, place: Place, name: str, properties: Mapping[str, Any]) -> FileServerStatus:
        """Create a file server (V); what exists is kept."""
        check_name(name)
        body = {"properties": self._body("FileServer", properties)}
        with suppress(NotFound):
            return self.get_file_server(place, name)
        with service_errors(f"create the file server {name!r}"):
            servers = self._clients.batchai.file_servers
            servers.begin_create(place.group, place.workspace, name, body).result()
        return self.get_file_server(place, name)

    def get_file_server(self, place: Place, name: str) -> FileServerStatus:
        """Read a file server; NotFound."""
        with service_errors(f"read the file server {name!r}"):
            return file_server_status(self._file_servers().get(self._server(place, name)))

    def delete_file_server(self, place: Place, name: str) -> None:
        """Delete a file server and its disk (V)."""
        self._delete(f"the file server {name!r}", self._file_servers(), (self._server(place, name),))

    def _file_servers(self) -> SimpleNamespace:
        """Give what reads and deletes file servers by id: this SDK of Batch AI creates them, and no more."""
        found = self._clients.resources.resources
        return SimpleNamespace(
            get=partial(found.get_by_id, api_version=API_VERSION),
            begin_delete=partial(found.begin_delete_by_id, api_version=API_VERSION),
        )

    def _server(self, place: Place, name: str) -> str:
        """Give the id of a file server."""
        path = f"/subscriptions/{self._settings.subscription_id}/resourceGroups/{place.group}"
        return f"{path}/providers/Microsoft.BatchAI/workspaces/{place.workspace}/fileServers/{name}"

    # Jobs ------------------------------------------------------------------------------------------

    def submit(self, spec: JobSpec) -> JobStatus:
        """Submit a job (B3); one of this name that is there already is given back as it is."""
        check_name(spec.name)
        place = spec.place
        names = (place.group, place.workspace, place.experiment, spec.name)
        cluster = (
            f"/subscriptions/{self._settings.subscription_id}/resourceGroups/{place.group}"
            f"/providers/Microsoft.BatchAI/workspaces/{place.workspace}/clusters/{spec.cluster}"
        )
        if spec.properties.get("cluster", {"id": cluster}) != {"id": cluster}:
            raise InvalidSpec(
                "names another cluster than the job is submitted to",
                field="properties.cluster",
                hint="leave it out",
            )
        body = {"properties": self._body("Job", {**spec.properties, "cluster": {"id": cluster}})}
        jobs = self._clients.batchai.jobs
        with service_errors(f"submit the job {spec.name!r}"):
            found = _found(lambda: jobs.get(*names))
            if found is None:
                found = jobs.begin_create(*names, body).result()
            return job_status(found)

    def get_job(self, job_id: str) -> JobStatus:
        """Read a job; NotFound."""
        job = JobId.parse(job_id)
        with service_errors(f"read the job {job.name!r}"):
            return job_status(self._clients.batchai.jobs.get(*job.names))

    def list_jobs(self, place: Place) -> list[JobStatus]:
        """List the experiment's jobs by age."""
        names = (place.group, place.workspace, place.experiment)
        with service_errors(f"list the jobs of the experiment {place.experiment!r}"):
            listed = [job_status(job) for job in self._clients.batchai.jobs.list_by_experiment(*names)]
        return sorted(listed, key=lambda job: job.created_at)

    def terminate(self, job_id: str) -> None:
        """End a job and return when it is final (B6)."""
        job = JobId.parse(job_id)
        with service_errors(f"terminate the job {job.name!r}"):
            self._clients.batchai.jobs.begin_terminate(
                *job.names, retry_on_methods=frozenset({"GET", "POST"})
            ).result()
        self._until(f"the end of the job {job.name!r}", lambda: self.get_job(job_id).state.final)

    def delete_job(self, job_id: str) -> None:
        """Delete a job, ending it first if it runs (B7)."""
        try:
            job = JobId.parse(job_id)
        except NotFound:
            return
        self._delete(f"the job {job.name!r}", self._clients.batchai.jobs, job.names)

    def list_outputs(self, job_id: str, directory_id: str, path: str = "") -> list[OutputFile]:
        """List one level of an output directory (B5)."""
        return self._outputs.list(JobId.parse(job_id), directory_id, path)

    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of an output directory from ``offset`` to what is its end now (B5)."""
        return self._outputs.read(JobId.parse(job_id), directory_id, path, offset)

    def _body(self, kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        settings = self._settings
        values = {
            "ACCOUNT": settings.storage_account,
            "KEY": settings.storage_key,
            "URL": settings.storage_url,
        }
        check(kind, properties)
        return filled(properties, values)


def _found(get: Callable[[], Any]) -> Any:  # noqa: ANN401 - any of the SDK's models
    """Get a resource, None if there is none; every error but 404 is raised."""
    try:
        return get()
    except Exception as error:
        if status_of(error) != MISSING:
            raise
    return None
