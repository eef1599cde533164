"""Broken twins: backends with one fault each, around one that has none."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from batchai_scenario.backends.base import Backend, BatchAIError, JobState
from batchai_scenario.backends.errors import InvalidSpec, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import (
        Capabilities,
        ClusterSpec,
        ClusterStatus,
        JobSpec,
        JobStatus,
        OutputFile,
        Place,
    )
    from batchai_scenario.backends.powers import NodeLogin
    from batchai_scenario.backends.testing.bench import Bench


class Twin:
    """Does what the backend inside does. ``kept`` is shared by all clients of one bench."""

    def __init__(self, inner: Backend, kept: dict[str, Any], bench: Bench) -> None:
        self.inner = inner
        self.kept = kept
        self.bench = bench

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def seen(self, job: JobStatus) -> JobStatus:
        """Change what is said of a job."""
        return job

    def submit(self, spec: JobSpec) -> JobStatus:
        return self.seen(self.inner.submit(spec))

    def get_job(self, job_id: str) -> JobStatus:
        return self.seen(self.inner.get_job(job_id))

    def list_jobs(self, place: Place) -> list[JobStatus]:
        return [self.seen(job) for job in self.inner.list_jobs(place)]


class RunsOneJobAtATime(Twin):
    """Puts a job back when the next one runs."""

    def get_job(self, job_id: str) -> JobStatus:
        job = self.inner.get_job(job_id)
        if job.state is not JobState.RUNNING:
            return job
        latest = self.kept.get("latest", job_id)
        if latest != job_id and self.inner.get_job(latest).state is JobState.RUNNING and job_id in self.kept:
            return replace(job, state=JobState.QUEUED, started_at=None)
        self.kept["latest"] = self.kept[job_id] = job_id
        return job

    def delete_place(self, place: Place) -> None:
        self.inner.delete_place(place)
        self.kept.clear()


class TakesOneNodeOfTwo(Twin):
    def submit(self, spec: JobSpec) -> JobStatus:
        plain = "customToolkitSettings" in spec.properties and "jobPreparation" not in spec.properties
        wide = spec.properties.get("nodeCount") == 2 and plain
        given = {**spec.properties, "nodeCount": 1} if wide else spec.properties
        return super().submit(replace(spec, properties=given))


class BlamesTheMachineForWideJobs(Twin):
    def submit(self, spec: JobSpec) -> JobStatus:
        job = super().submit(spec)
        self.kept[job.id] = spec.properties.get("nodeCount")
        return job

    def seen(self, job: JobStatus) -> JobStatus:
        blamed = self.kept.get(job.id) == 2 and job.state is JobState.FAILED
        return replace(job, errors=(BatchAIError("InternalError", "a node was lost"),)) if blamed else job


class PreparesOneNodeOfTwo(Twin):
    def submit(self, spec: JobSpec) -> JobStatus:
        alone = {"nodeCount": 1} if "jobPreparation" in spec.properties else {}
        return super().submit(replace(spec, properties={**spec.properties, **alone}))


class ForgetsTheSetupTask(Twin):
    """Keeps setup tasks that fail: those it would be found out by at once."""

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        setup = {**spec.properties.get("nodeSetup", {})}
        if "exit" not in setup.get("setupTask", {}).get("commandLine", "exit"):
            del setup["setupTask"]
        return self.inner.create_cluster(replace(spec, properties={**spec.properties, "nodeSetup": setup}))


class SaysNothingOfUnusableNodes(Twin):
    def get_cluster(self, place: Place, name: str) -> ClusterStatus:
        return replace(self.inner.get_cluster(place, name), errors=())


class ChangesBounds(Twin):
    def bounds(self, scale: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        scale = spec.properties["scaleSettings"]
        if "autoScale" in scale:
            scale = {"autoScale": self.bounds(scale["autoScale"])}
        return self.inner.create_cluster(
            replace(spec, properties={**spec.properties, "scaleSettings": scale})
        )


class GrowsBeyondTheMaximum(ChangesBounds):
    def bounds(self, scale: dict[str, Any]) -> dict[str, Any]:
        return {**scale, "maximumNodeCount": scale["maximumNodeCount"] + 1}


class KeepsNodesThatNothingNeeds(ChangesBounds):
    def bounds(self, scale: dict[str, Any]) -> dict[str, Any]:
        return {**scale, "minimumNodeCount": scale["initialNodeCount"]}


class WipesDisksWithTheirCluster(Twin):
    def create_file_server(self, place: Place, name: str, properties: Mapping[str, Any]) -> Any:
        self.kept[name] = properties
        return cast("Any", self.inner).create_file_server(place, name, properties)

    def delete_cluster(self, place: Place, name: str) -> None:
        self.inner.delete_cluster(place, name)
        for server, properties in self.kept.items():
            cast("Any", self.inner).delete_file_server(place, server)
            cast("Any", self.inner).create_file_server(place, server, properties)


class MountsNothingForAMissingServer(Twin):
    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        try:
            return self.inner.create_cluster(spec)
        except InvalidSpec as error:
            if "fileServers" not in error.field:
                raise
            return self.inner.create_cluster(replace(spec, properties={**spec.properties, "nodeSetup": {}}))


class KeepsDeletedFileServers(Twin):
    def delete_file_server(self, place: Place, name: str) -> None:
        cast("Any", self.inner).get_file_server(place, name)


class GivesOneDoorToAllNodes(Twin):
    def remote_logins(self, place: Place, cluster: str) -> list[NodeLogin]:
        found = cast("Any", self.inner).remote_logins(place, cluster)
        return [replace(login, port=22) for login in found]


class FailsPreemptedJobs(Twin):
    def preempt_node(self, place: Place, cluster: str) -> str:
        node: str = cast("Any", self.inner).preempt_node(place, cluster)
        for job in self.inner.list_jobs(place):
            self.inner.terminate(job.id)
        return node


class PreemptsAnyNode(Twin):
    def preempt_node(self, place: Place, cluster: str) -> str:
        try:
            return cast("str", cast("Any", self.inner).preempt_node(place, cluster))
        except UserError:
            return "tvm-1"


class LosesTheExitCode(Twin):
    def seen(self, job: JobStatus) -> JobStatus:
        return replace(job, exit_code=None)


class DropsTheLastLogLine(Twin):
    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        content = b"".join(self.inner.read_output(job_id, directory_id, path, offset))
        if path == "stdout.txt" and self.inner.get_job(job_id).state.final:
            content = b"".join(content.splitlines(keepends=True)[:-1])
        yield content


class ReportsSuccessEarly(Twin):
    LOOKS = 2

    def get_job(self, job_id: str) -> JobStatus:
        job = self.inner.get_job(job_id)
        if job.state is not JobState.RUNNING:
            return job
        looks = self.kept[job_id] = self.kept.get(job_id, 0) + 1
        early = replace(job, state=JobState.SUCCEEDED, exit_code=0, ended_at=job.started_at)
        return early if looks > self.LOOKS else job


class ForgetsToCancel(Twin):
    def seen(self, job: JobStatus) -> JobStatus:
        if job.id not in self.kept:
            return job
        problem = BatchAIError("JobTerminated", "The specified job has been terminated by the user")
        return replace(job, state=JobState.FAILED, ended_at=job.started_at, exit_code=None, errors=(problem,))

    def terminate(self, job_id: str) -> None:
        if self.inner.get_job(job_id).state is JobState.RUNNING:
            self.kept[job_id] = True
        else:
            self.inner.terminate(job_id)


class LeaksASecret(Twin):
    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        self.kept["password"] = str(spec.properties["userAccountSettings"]["adminUserPassword"])
        return self.inner.create_cluster(spec)

    def details(self) -> Mapping[str, str]:
        return {**self.inner.details(), **self.kept}


class ReturnsOutputsOfAnotherJob(Twin):
    def _other(self, job_id: str) -> str:
        """Give the oldest job of the same experiment."""
        experiment = job_id.rpartition("/")[0]
        return cast("str", self.kept.setdefault(experiment, job_id))

    def submit(self, spec: JobSpec) -> JobStatus:
        job = self.inner.submit(spec)
        self._other(job.id)
        return job

    def delete_place(self, place: Place) -> None:
        self.inner.delete_place(place)
        self.kept.clear()

    def list_outputs(self, job_id: str, directory_id: str, path: str = "") -> list[OutputFile]:
        wanted = self._other(job_id) if directory_id != "stdouterr" else job_id
        return self.inner.list_outputs(wanted, directory_id, path)

    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        wanted = self._other(job_id) if directory_id != "stdouterr" else job_id
        return self.inner.read_output(wanted, directory_id, path, offset)


class AcceptsABadName(Twin):
    def submit(self, spec: JobSpec) -> JobStatus:
        return self.inner.submit(replace(spec, name=re.sub(r"[^-\w]", "-", spec.name, flags=re.ASCII)))


class FinishesTwice(Twin):
    def get_job(self, job_id: str) -> JobStatus:
        job = self.inner.get_job(job_id)
        if job.ended_at is None:
            return job
        looks = self.kept[job_id] = self.kept.get(job_id, -1) + 1
        return replace(job, ended_at=job.ended_at + timedelta(milliseconds=looks))


class LeavesFilesOfAnotherUser(Twin):
    """Gives a job's files to another user: to root on a machine where this is not root's own suite."""

    STRANGER = 65534

    def get_job(self, job_id: str) -> JobStatus:
        job = self.inner.get_job(job_id)
        if job.state.final and job.segment:
            for folder in self._folders(job.segment):
                for path in folder.rglob("*"):
                    os.chown(path, self.STRANGER, self.STRANGER, follow_symlinks=False)
        return job

    def _folders(self, segment: str) -> list[Path]:
        return list((self.bench.folder / "home" / "storage").glob(f"*/*/{segment}"))


class CountsGpusInWords(Twin):
    SAID = b"several"

    def capabilities(self) -> Capabilities:
        return replace(self.inner.capabilities(), gpus=True)

    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        yield (
            self.SAID
            if path == "gpus"
            else b"".join(self.inner.read_output(job_id, directory_id, path, offset))
        )


class TellsOfMoreGpusThanCudaSees(CountsGpusInWords):
    SAID = b"2"


class GivesOneGpuToAllNodes(CountsGpusInWords):
    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        told = {"has": b"1", "own": b"GPU-1\n", "gpus": b"0"}
        whole = self.inner.read_output(job_id, directory_id, path, offset)
        yield told[path] if path in told else b"".join(whole)


class ForgetsAServersFiles(Twin):
    def list_outputs(self, job_id: str, directory_id: str, path: str = "") -> list[OutputFile]:
        found = self.inner.list_outputs(job_id, directory_id, path)
        return [file for file in found if file.path != "stdout-ps-1.txt"]


class SpoilsWhatIsTold(Twin):
    FILE, OLD, NEW = "", b"", b""

    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        content = b"".join(self.inner.read_output(job_id, directory_id, path, offset))
        yield content.replace(self.OLD, self.NEW) if path == self.FILE else content


class CountsWorkersOnEachNode(SpoilsWhatIsTold):
    FILE, OLD, NEW = "stdout-wk-2.txt", b'"index": 2', b'"index": 0'


class StartsARankTwice(SpoilsWhatIsTold):
    FILE, OLD, NEW = "stdout-2.txt", b"index=2", b"index=1"


class SendsARankElsewhere(SpoilsWhatIsTold):
    FILE, OLD, NEW = "stdout-1.txt", b"place=", b"place=elsewhere"


class StartsOneProcessMore(Twin):
    def submit(self, spec: JobSpec) -> JobStatus:
        settings = spec.properties.get("pyTorchSettings", {"processCount": 1})
        more = {} if "processCount" in settings else {"pyTorchSettings": {**settings, "processCount": 3}}
        return super().submit(replace(spec, properties={**spec.properties, **more}))


class SpoilsAnUpload(Twin):
    def read_share(self, share: str, path: str, offset: int = 0) -> Iterator[bytes]:
        for number, block in enumerate(self.inner.read_share(share, path, offset)):
            yield block[:-1] + b"?" if number == 0 and len(block) > 4_000_000 else block


def broken(bench: Bench, twin: type[Twin]) -> Bench:
    """Put a twin in the place of a bench's backend."""
    whole: Callable[[Mapping[str, str]], Backend] = bench.open
    kept: dict[str, Any] = {}
    bench.open = lambda more: cast("Backend", twin(whole(more), kept, bench))
    return bench
