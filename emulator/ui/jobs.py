"""One job or cluster as the page shows it: its definition, its files, its logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.cluster.model import ProvisioningState
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.launch.environment import service_variables
from batchai_scenario.emulator.launch.layout import JobLayout
from batchai_scenario.emulator.ui.measuring import Allowance, MeasuredFiles
from batchai_scenario.emulator.ui.views import (
    cluster_key,
    cluster_summary,
    job_key,
    job_summary,
    when,
    with_secrets_named,
)
from batchai_scenario.schema.eventfiles import reader_of
from batchai_scenario.schema.layout import STDOUTERR

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.model import Cluster, Job
    from batchai_scenario.emulator.cluster.window import Window
    from batchai_scenario.emulator.storage.volumes import Volumes

MOST_FILES, MOST_ENTRIES, DEEPEST = 50, 2000, 4
"""Files of metrics of an output directory that are read; entries and levels of folders that are looked at."""

SETUP = "setup"
"""Stands for the folder of a cluster's setup task where a job's output directories are named."""


class Details:
    """Looks at one job or cluster; everything may block, and be called from any thread.

    ServiceError 404 says that there is no such thing, or not any more.
    """

    def __init__(self, window: Window, volumes: Volumes) -> None:
        self._window = window
        self._volumes = volumes
        self._measured = MeasuredFiles()

    def job(self, id_: str) -> dict[str, Any]:
        """Tell all about a job."""
        job = self._job(id_)
        definition = with_secrets_named(job.definition, self._window.job_secret_names(job.key))
        return {
            **job_summary(job, 0),
            "path": job.key.path,
            "definition": definition,
            "variables": _variables(job, [self._address(job, node) for node in job.nodes]),
            "directories": [
                STDOUTERR,
                *(str(entry["id"]) for entry in definition.get("outputDirectories") or ()),
            ],
            "times": [
                {"state": "queued", "at": when(job.created_at)},
                *([{"state": "running", "at": when(job.started_at)}] if job.started_at else []),
                *([{"state": job.execution_state.value, "at": when(job.ended_at)}] if job.ended_at else []),
            ],
            "deleting": job.provisioning_state is ProvisioningState.DELETING,
        }

    def cluster(self, id_: str) -> dict[str, Any]:
        """Tell all about a cluster."""
        cluster = self._cluster(id_)
        folder = self._window.setup_folder(cluster)
        return {
            **cluster_summary(cluster),
            "path": cluster.key.path,
            "definition": with_secrets_named(
                cluster.definition, self._window.cluster_secret_names(cluster.key)
            ),
            "setup": [entry for entry in self._listed(folder) if not entry["directory"]] if folder else [],
            "hasSetup": "setupTask" in (cluster.definition.get("nodeSetup") or {}),
        }

    def files(self, id_: str, directory: str, path: str = "") -> list[dict[str, Any]]:
        """List a folder of a job's output directory; empty if there is nothing yet."""
        found = self._job_folder(id_, directory)
        return self._listed((found[0], found[1], _below(found[2], path)))

    def metrics(self, id_: str) -> tuple[list[dict[str, Any]], bool]:
        """Read what a job wrote of its metrics into its output directories; tell if more is to come."""
        found: list[dict[str, Any]] = []
        allowed = Allowance()
        for directory in (
            str(entry["id"]) for entry in self._job(id_).definition.get("outputDirectories") or ()
        ):
            for path in self._metric_files(id_, directory):
                try:
                    fd = self.open_file(id_, directory, path)
                except ServiceError:
                    continue  # it was removed meanwhile
                series = self._measured.read(id_, f"{directory}/{path}", path, fd, allowed)
                found += [{**one, "job": directory} for one in series]
        return found, allowed.more

    def _metric_files(self, id_: str, directory: str) -> list[str]:
        """Find files of metrics in an output directory and the folders in it, a few levels deep."""
        found: list[str] = []
        folders, looked = [("", 0)], 0
        while folders and len(found) < MOST_FILES and looked < MOST_ENTRIES:
            path, depth = folders.pop(0)
            for entry in self.files(id_, directory, path):
                looked += 1
                below = f"{path}/{entry['name']}".lstrip("/")
                if entry["directory"] and depth < DEEPEST:
                    folders.append((below, depth + 1))
                elif not entry["directory"] and reader_of(below) is not None:
                    found.append(below)
        return found[:MOST_FILES]

    def open_file(self, id_: str, directory: str, path: str) -> int:
        """Open a file of a job, or of a cluster's setup task (``setup``): a descriptor to be closed."""
        if directory == SETUP:
            cluster = self._cluster(id_)
            place = self._window.setup_folder(cluster)
            if place is None:
                raise ServiceError(404, "NotFound", "This cluster has no setup task with output on a share.")
        else:
            place = self._job_folder(id_, directory)
        return self._volumes.open_file(place[0], place[1], _below(place[2], path))

    def _listed(self, folder: tuple[str, str, str]) -> list[dict[str, Any]]:
        return [
            {
                "name": entry.name,
                "directory": entry.is_directory,
                "size": entry.size,
                "modified": when(entry.modified),
            }
            for entry in self._volumes.list_folder(*folder)
        ]

    def _job_folder(self, id_: str, directory: str) -> tuple[str, str, str]:
        job = self._job(id_)
        try:
            found = self._window.job_folder(job, directory)
        except KeyError:
            text = f"The job has no output directory '{directory[:100]}'."
            raise ServiceError(404, "OutputDirectoryNotFound", text, "directory") from None
        if found is None:
            text = f"The output directory '{directory[:100]}' is on no mounted share or container."
            raise ServiceError(404, "OutputDirectoryNotOnMountRoot", text, "directory")
        return found

    def _job(self, id_: str) -> Job:
        found = self._window.job(job_key(id_))
        if found is None:
            raise ServiceError(404, "JobNotFound", "There is no such job (any more).", "id")
        return found

    def _cluster(self, id_: str) -> Cluster:
        found = self._window.cluster(cluster_key(id_))
        if found is None:
            raise ServiceError(404, "ClusterNotFound", "There is no such cluster (any more).", "id")
        return found

    def _address(self, job: Job, node: str) -> str:
        cluster = self._window.cluster(cluster_key(job.cluster))
        known = {one.id: one.address for one in cluster.nodes} if cluster else {}
        return known.get(node) or node


def _below(folder: str, path: str) -> str:
    return "/".join(part for part in (*folder.split("/"), *path.split("/")) if part)


def _variables(job: Job, addresses: list[str]) -> dict[str, str]:
    """Give the service's variables and the job's own; GPUs are the engine's to count, and left out here."""
    where = job.key.experiment
    layout = JobLayout.of(job.definition, where.workspace.workspace, where.name, job.key.name)
    try:
        found = service_variables(job.definition, job.segment, layout, addresses)
    except ServiceError:
        return {}  # a job that could not be started because of its paths
    for name in [name for name in found if name.startswith("AZ_BATCHAI_NUM_GPUS")]:
        del found[name]
    own = {
        str(entry["name"]): str(entry.get("value") or "")
        for entry in job.definition.get("environmentVariables") or ()
    }
    hidden = {
        str(entry["name"]): f"<secret {entry['name']}>" for entry in job.definition.get("secrets") or ()
    }
    return {**found, **own, **hidden}
