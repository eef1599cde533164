"""Azure's answers: the wire of ``azure_wire`` in front of the reference model.

Neither the service nor the emulator is behind it: resources, jobs and shares are those of
``backends.memory``, whose jobs are Python functions; what a client sees of them is written here, after
recorded traffic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchai_scenario.backends.base import ClusterSpec, JobSpec, Place
from batchai_scenario.backends.errors import NotFound, UserError
from batchai_scenario.backends.memory import MemoryBackend, MemoryWorld
from batchai_scenario.backends.memory.clusters import SUBSCRIPTION
from batchai_scenario.backends.testing.vocabulary import PROGRAMS
from tests.parity import azure_wire
from tests.parity.azure_wire import FILES, WHEN, Wire, as_json, missing, refused

if TYPE_CHECKING:
    from datetime import datetime

    import requests

    from batchai_scenario.backends.base import BatchAIError, ClusterStatus, JobStatus, OutputFile
    from tests.parity.azure_wire import Answer

ENVIRONMENT = {**azure_wire.ENVIRONMENT, "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
KINDS = ("jobs", "clusters", "fileservers", "experiments", "workspaces")
LOCATION = "eastus"
OUTPUTS_PAGE = 1000
FILES_PAGE = 2500
Query = dict[str, list[str]]


class SharesAsFiles(MutableMapping[str, "bytes | None"]):
    """The model's shares as ``/share/folder/file``; None for a share or a folder."""

    def __init__(self, world: MemoryWorld) -> None:
        self._shares = world.shares
        self._folders: set[str] = set()

    def __getitem__(self, path: str) -> bytes | None:
        share, _, inside = path[1:].partition("/")
        files = self._shares[share]
        if inside in files:
            return files[inside]
        if inside and path not in self._folders and not any(it.startswith(f"{inside}/") for it in files):
            raise KeyError(path)
        return None

    def __setitem__(self, path: str, content: bytes | None) -> None:
        share, _, inside = path[1:].partition("/")
        if not inside:
            self._shares.setdefault(share, {})
        elif content is None:
            self._folders.add(path)
        else:
            self._shares[share][inside] = content

    def __delitem__(self, path: str) -> None:
        raise NotImplementedError(path)

    def __iter__(self) -> Iterator[str]:
        found = {*self._folders, *(f"/{share}" for share in self._shares)}
        for share, files in self._shares.items():
            for inside in files:
                path = f"/{share}/{inside}"
                while path and path not in found:
                    found.add(path)
                    path = path.rpartition("/")[0]
        return iter(found)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass
class Service(Wire):
    """Answers in the service's shape about a model that knows the programs of the checks."""

    file_page: int = FILES_PAGE
    model: MemoryBackend = field(default_factory=lambda: MemoryBackend(PROGRAMS, MemoryWorld()))

    def __post_init__(self) -> None:
        self.files = SharesAsFiles(self.model.world)

    def _resource(self, method: str, path: str, query: Query, body: dict[str, Any]) -> Answer:
        assert query["api-version"], "every request to the resource manager names its version"
        if "/operationresults/" in path:
            return self._operation(path)
        parts = path.strip("/").split("/")
        named = dict(zip([it.lower() for it in parts[0::2]], parts[1::2], strict=False))
        action = parts[-1].lower() if len(parts) % 2 else ""
        place = Place(
            named["resourcegroups"], LOCATION, named.get("workspaces", ""), named.get("experiments", "")
        )
        kind = next((it for it in KINDS if it in named), "groups")
        answer = getattr(self, f"_{action or kind}")
        with self.model.world.lock:
            try:
                name = "" if action else named.get(kind, "")
                found: Answer = answer(method, path, place, {**query, "name": name}, body)
            except NotFound as absent:
                return refused(404, absent.code or "ResourceNotFound", absent.message)
            except UserError as wrong:
                error = {"code": "InvalidRequestContent", "message": wrong.message}
                return as_json(400, {"error": {**error, "target": wrong.field}})
        return found

    # Places ----------------------------------------------------------------------------------------

    def _groups(self, method: str, path: str, place: Place, asked: Any, body: Any) -> Answer:
        groups = self.model.world.groups
        there = place.group in groups
        if method == "HEAD":
            return (204 if there else 404), {}, b""
        if method == "PUT":
            groups.setdefault(place.group, body["location"])
        elif not there:
            return missing(path)
        elif method == "DELETE":
            for workspace in [it for it in self.model.world.workspaces if it[0] == place.group]:
                self._drop(Place(*workspace, "", ""))
            del groups[place.group]
            status, headers, _ = self._accepted()
            return status, {name: it for name, it in headers.items() if name != "Azure-AsyncOperation"}, b""
        plain = {"id": path, "name": place.group, "location": groups[place.group]}
        done = {"properties": {"provisioningState": "Succeeded"}}
        return as_json(201 if method == "PUT" and not there else 200, {**plain, **done})

    def _resources(self, _method: str, path: str, place: Place, asked: Query, _body: Any) -> Answer:
        if place.group not in self.model.world.groups:
            return refused(
                404, "ResourceGroupNotFound", f"Resource group '{place.group}' could not be found."
            )
        base = f"{path.rpartition('/')[0]}/providers/Microsoft.BatchAI/workspaces"
        held = [name for group, name in self.model.world.workspaces if group == place.group]
        items = [{"id": f"{base}/{name}", "name": name, "location": LOCATION} for name in held]
        return self._paged(path, _query(asked), items)

    def _workspaces(self, method: str, path: str, place: Place, asked: Any, body: Any) -> Answer:
        there = (place.group, place.workspace) in self.model.world.workspaces
        if method == "PUT":
            if place.group not in self.model.world.groups:
                return refused(404, "ResourceGroupNotFound", f"Resource group '{place.group}' is not there.")
            self.model.world.workspaces.setdefault((place.group, place.workspace), body["location"])
        elif not there:
            return missing(path)
        elif method == "DELETE":
            self._drop(place)
            return self._accepted()
        return as_json(200, {**_plain(path, place.workspace), "location": LOCATION})

    def _experiments(self, method: str, path: str, place: Place, asked: Any, _body: Any) -> Answer:
        key, world = (place.group, place.workspace, place.experiment), self.model.world
        if method == "PUT":
            if key[:2] not in world.workspaces:
                return refused(404, "WorkspaceNotFound", f"The specified workspace {key[1]} is not found")
            world.experiments.add(key)
        elif key not in world.experiments:
            return missing(path)
        elif method == "DELETE":
            for job in self.model.list_jobs(place):
                self.model.delete_job(job.id)
            world.experiments.remove(key)
            return self._accepted()
        return as_json(200, _plain(path, place.experiment))

    def _drop(self, place: Place) -> None:
        """Delete a workspace with all that is in it."""
        world, key = self.model.world, (place.group, place.workspace)
        for job in [name for name, it in world.jobs.items() if (it.place.group, it.place.workspace) == key]:
            del world.jobs[job]
        for server in [it for it in world.servers if it[:2] == key]:
            self.model.delete_file_server(place, server[2])
        for cluster in [it for it in world.clusters if it[:2] == key]:
            del world.clusters[cluster]
        world.experiments = {it for it in world.experiments if it[:2] != key}
        world.workspaces.pop(key, None)

    # Clusters and jobs -----------------------------------------------------------------------------

    def _clusters(self, method: str, path: str, place: Place, asked: Any, body: Any) -> Answer:
        name, model = asked["name"], self.model
        there = (place.group, place.workspace, name) in model.world.clusters
        if method == "PUT" and not there:
            model.create_cluster(ClusterSpec(place, name, body["properties"]))
            return self._accepted()
        if not there:
            return missing(path)
        if method == "DELETE":
            model.delete_cluster(place, name)
            return self._accepted()
        if method == "PATCH":
            nodes = body["properties"]["scaleSettings"]["manual"]["targetNodeCount"]
            model.resize_cluster(place, name, nodes)
        return as_json(200, cluster_json(model.get_cluster(place, name)))

    def _fileservers(self, method: str, path: str, place: Place, asked: Any, body: Any) -> Answer:
        name, model = asked["name"], self.model
        there = (place.group, place.workspace, name) in model.world.servers
        if method == "PUT":
            model.create_file_server(place, name, body["properties"])
            return self._accepted()
        if not there:
            return missing(path)
        if method == "DELETE":
            model.delete_file_server(place, name)
            return self._accepted()
        found = _plain(path, name)
        found["id"] = model.get_file_server(place, name).id
        return as_json(200, found)

    def _listremotelogininformation(
        self, _method: str, path: str, place: Place, asked: Query, _body: Any
    ) -> Answer:
        logins = self.model.remote_logins(place, path.split("/")[-2])
        items = [{"nodeId": it.node, "ipAddress": it.address, "port": it.port} for it in logins]
        return self._paged(path, _query(asked), items)

    def _jobs(self, method: str, path: str, place: Place, asked: Any, body: Any) -> Answer:
        model = self.model
        if not asked["name"]:
            jobs = [job_json(job) for job in model.list_jobs(place)]
            return self._paged(path, _query(asked), jobs)
        if method == "PUT" and path.lower() not in model.world.jobs:
            cluster = body["properties"]["cluster"]["id"].rpartition("/")[2]
            model.submit(JobSpec(place, asked["name"], cluster, body["properties"]))
            return self._accepted()
        if path.lower() not in model.world.jobs:
            return missing(path)
        if method == "DELETE":
            model.delete_job(path)
            return self._accepted()
        return as_json(200, job_json(model.get_job(path)))

    def _terminate(self, _method: str, path: str, _place: Place, _asked: Any, _body: Any) -> Answer:
        job = path.rpartition("/")[0]
        final = self.model._job(job).status.state.final
        self.model.terminate(job)
        return (200, {}, b"") if final else self._accepted()

    def _listoutputfiles(self, _method: str, path: str, _place: Place, asked: Query, _body: Any) -> Answer:
        job, directory = path.rpartition("/")[0], asked["outputdirectoryid"][0]
        below = asked["directory"][0].removeprefix(".")
        files = self.model.list_outputs(job, directory, below)
        share, folder = self.model._directory(job, directory)
        items = [self._output(file, f"/{share}/{folder}/{file.path}") for file in files]
        return self._paged(path, _query(asked), items, min(OUTPUTS_PAGE, int(asked["maxresults"][0])))

    def _output(self, file: OutputFile, path: str) -> dict[str, Any]:
        name = file.path.rpartition("/")[2]
        if file.is_directory:
            return {"name": name, "fileType": "directory"}
        url = f"{FILES}{quote(path)}?sv=2016-05-31&sr=f&sig={_signature(path)}&sp=rl"
        properties = {"lastModified": WHEN, "contentLength": file.size}
        return {"name": name, "fileType": "file", "downloadUrl": url, "properties": properties}

    def _linked(self, path: str, request: requests.PreparedRequest) -> bytes:
        """Give the content of a link, which must be one that was given out and come without credentials."""
        assert f"sig={_signature(path)}" in str(request.url)
        assert "Authorization" not in request.headers
        return self.files[path] or b""


def _query(asked: Any) -> Query:
    return {name: value for name, value in asked.items() if name != "name"}


def _signature(path: str) -> str:
    return "hunter2-" + hashlib.sha256(path.encode()).hexdigest()[:16]


def _plain(path: str, name: str) -> dict[str, Any]:
    done = {"provisioningState": "succeeded", "creationTime": WHEN}
    return {"id": path, "name": name, "properties": done}


def _time(when: datetime | None) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ") if when else ""


def _errors(problems: tuple[BatchAIError, ...]) -> dict[str, Any]:
    listed = [{"code": it.code, "message": it.message, "details": []} for it in problems]
    return {"errors": listed} if listed else {}


def cluster_json(status: ClusterStatus) -> dict[str, Any]:
    """Write a cluster as the service does."""
    found = _plain(status.id, status.id.rpartition("/")[2])
    manual = {"targetNodeCount": status.target, "nodeDeallocationOption": "requeue"}
    found["properties"] |= {
        "vmSize": "STANDARD_NC6",
        "vmPriority": "dedicated",
        "scaleSettings": {"manual": manual},
        "allocationState": status.allocation,
        "allocationStateTransitionTime": WHEN,
        "currentNodeCount": status.current,
        "nodeStateCounts": {f"{state}NodeCount": count for state, count in status.nodes.items()},
        **_errors(status.errors),
    }
    return found


def job_json(job: JobStatus) -> dict[str, Any]:
    """Write a job as the service does: no ``executionInfo`` while it is queued."""
    found = _plain(job.id, job.id.rpartition("/")[2])
    info = {"startTime": _time(job.started_at), "endTime": _time(job.ended_at), "exitCode": job.exit_code}
    info = {name: value for name, value in info.items() if value not in ("", None)}
    found["properties"] |= {
        "creationTime": _time(job.created_at),
        "executionState": job.state.value,
        "executionStateTransitionTime": WHEN,
        "schedulingPriority": "normal",
        "jobOutputDirectoryPathSegment": job.segment,
        "constraints": {"maxWallClockTime": "P7D"},
    }
    if job.started_at:
        found["properties"]["executionInfo"] = {**info, **_errors(job.errors)}
    return found
