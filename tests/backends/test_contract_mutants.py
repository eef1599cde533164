"""The contract suite finds broken backends: each twin breaks one rule, and its check says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from backends.base import JobState, OutputFile
from backends.contract import CHECKS, PROGRAMS, BrokenRuleError, World
from backends.errors import NotFound, ScenarioError
from backends.memory import MemoryBackend
from backends.memory import World as Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from backends.base import ClusterSpec, ClusterStatus, JobSpec, JobStatus, Place, Upload, UploadReport


class ForgetsThatAPlaceExists(MemoryBackend):
    def ensure_place(self, place: Place) -> bool:
        super().ensure_place(place)
        return True


class IgnoresWhatItDoesNotKnow(MemoryBackend):
    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        known = {**spec.properties, "nodeSetup": {"mountVolumes": {}}}
        return super().create_cluster(replace(spec, properties=known))


class SendsEverythingAgain(MemoryBackend):
    def upload(
        self, files: Sequence[Upload], progress: Callable[[str, int, int], None] | None = None
    ) -> UploadReport:
        report = super().upload(files, progress)
        return replace(report, sent=report.sent + report.unchanged, unchanged=0)


class ComparesSizesOnly(MemoryBackend):
    def upload(
        self, files: Sequence[Upload], progress: Callable[[str, int, int], None] | None = None
    ) -> UploadReport:
        held = self.world.shares
        new = [
            file
            for file in files
            if not file.source.is_file()
            or len(held.get(file.share, {}).get(file.path, b"")) != file.source.stat().st_size
        ]
        report = super().upload(new, progress)
        return replace(report, unchanged=len(files) - len(new))


class ReplacesAJobOfTheSameName(MemoryBackend):
    def submit(self, spec: JobSpec) -> JobStatus:
        for job in self.list_jobs(spec.place):
            if job.id.endswith(f"/{spec.name}"):
                self.delete_job(job.id)
        return super().submit(spec)


class LosesTheExitCode(MemoryBackend):
    def get_job(self, job_id: str) -> JobStatus:
        return replace(super().get_job(job_id), exit_code=None)


class CallsEveryEndASuccess(MemoryBackend):
    def get_job(self, job_id: str) -> JobStatus:
        status = super().get_job(job_id)
        return replace(status, state=JobState.SUCCEEDED) if status.state.final else status


class ReportsSuccessEarly(MemoryBackend):
    def get_job(self, job_id: str) -> JobStatus:
        status = super().get_job(job_id)
        return replace(status, exit_code=0) if status.state is JobState.RUNNING else status


class MovesBack(MemoryBackend):
    def __init__(self, programs: Mapping[str, Any], world: Model) -> None:
        super().__init__(programs, world)
        self.seen: set[str] = set()

    def get_job(self, job_id: str) -> JobStatus:
        status = super().get_job(job_id)
        if not status.state.final or job_id in self.seen:
            return status
        self.seen.add(job_id)
        return replace(status, state=JobState.QUEUED, exit_code=None)


class LosesTheLastLine(MemoryBackend):
    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        whole = b"".join(super().read_output(job_id, directory_id, path, offset))
        yield whole[: whole.rfind(b"\n") + 1]


class IgnoresTheOffset(MemoryBackend):
    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        yield from super().read_output(job_id, directory_id, path)


class ShowsOutputsOnlyAtTheEnd(MemoryBackend):
    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        if not self._job(job_id).status.state.final:
            raise NotFound("not yet")
        yield from super().read_output(job_id, directory_id, path, offset)


class ListsEveryLevelAtOnce(MemoryBackend):
    def list_outputs(self, job_id: str, directory_id: str, path: str = "") -> list[OutputFile]:
        found = super().list_outputs(job_id, directory_id, path)
        for folder in [item.path for item in found if item.is_directory]:
            found += self.list_outputs(job_id, directory_id, folder)
        return sorted(found, key=lambda file: file.path)


class ForgetsToTerminate(MemoryBackend):
    def terminate(self, job_id: str) -> None:
        self._job(job_id)


class TerminatesWithACode(MemoryBackend):
    def terminate(self, job_id: str) -> None:
        super().terminate(job_id)
        job = self._job(job_id)
        job.status = replace(job.status, exit_code=143)


class DeletesFilesWithTheJob(MemoryBackend):
    def delete_job(self, job_id: str) -> None:
        if job_id.lower() in self.world.jobs:
            segment = self._job(job_id).status.segment
            for share in self.world.shares.values():
                for path in [path for path in share if path.startswith(segment)]:
                    del share[path]
        super().delete_job(job_id)


class CannotDeleteTwice(MemoryBackend):
    def delete_job(self, job_id: str) -> None:
        self._job(job_id)
        super().delete_job(job_id)


class KeepsItsJobsToItself(MemoryBackend):
    def __init__(self, programs: Mapping[str, Any], world: Model) -> None:
        super().__init__(programs, world)
        self.mine: set[str] = set()

    def submit(self, spec: JobSpec) -> JobStatus:
        status = super().submit(spec)
        self.mine.add(status.id)
        return status

    def get_job(self, job_id: str) -> JobStatus:
        if job_id not in self.mine:
            raise NotFound("another process has it")
        return super().get_job(job_id)


class ShowsItsSecrets(MemoryBackend):
    def details(self) -> dict[str, str]:
        return {"environment": repr([job.run() for job in self.world.jobs.values()]), "token": SECRET}


class TakesItsJobsAlong(MemoryBackend):
    def close(self) -> None:
        for job in self.world.jobs.values():
            self.world.terminate(job)


SECRET = "a-secret-that-nobody-sees"
TWINS: dict[type[MemoryBackend], str] = {
    ForgetsThatAPlaceExists: "b1",
    IgnoresWhatItDoesNotKnow: "b1",
    SendsEverythingAgain: "b2",
    ComparesSizesOnly: "b2",
    ReplacesAJobOfTheSameName: "b3",
    LosesTheExitCode: "b4",
    CallsEveryEndASuccess: "b4",
    ReportsSuccessEarly: "b4",
    MovesBack: "b4",
    LosesTheLastLine: "b5",
    IgnoresTheOffset: "b5",
    ShowsOutputsOnlyAtTheEnd: "b5",
    ListsEveryLevelAtOnce: "b5",
    ForgetsToTerminate: "b6",
    TerminatesWithACode: "b6",
    DeletesFilesWithTheJob: "b7",
    CannotDeleteTwice: "b7",
    KeepsItsJobsToItself: "b8",
    ShowsItsSecrets: "b9",
    TakesItsJobsAlong: "b10",
}


@pytest.mark.parametrize(("twin", "rule"), TWINS.items(), ids=[twin.__name__ for twin in TWINS])
def test_a_broken_twin_is_found(twin: type[MemoryBackend], rule: str, tmp_path: Path) -> None:
    broken = []
    for name, check in CHECKS.items():
        model = Model()
        folder = tmp_path / name
        folder.mkdir()
        world = World(lambda model=model: twin(PROGRAMS, model), folder, lambda _: None, looks=20)  # type: ignore[misc]
        try:
            check(world)
        except (BrokenRuleError, ScenarioError):
            broken.append(name.partition("_")[0])
    assert rule in broken


def test_every_rule_has_a_check_and_a_twin() -> None:
    rules = {f"b{number}" for number in range(1, 11)}
    assert {name.partition("_")[0] for name in CHECKS} == rules
    assert set(TWINS.values()) == rules
