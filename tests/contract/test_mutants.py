"""More broken twins, one or several for each chapter: the rule that a twin breaks finds it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.base import JobState, OutputFile
from batchai_scenario.backends.errors import NotFound
from batchai_scenario.backends.memory import MemoryBackend
from batchai_scenario.backends.memory import MemoryWorld as Model
from batchai_scenario.backends.testing.bench import Bench
from batchai_scenario.backends.testing.checks import CHECKS
from batchai_scenario.backends.testing.probes import ModelProbes
from batchai_scenario.backends.testing.runner import FAILED, run_checks
from batchai_scenario.backends.testing.vocabulary import PROGRAMS, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from batchai_scenario.backends.base import (
        ClusterSpec,
        ClusterStatus,
        JobSpec,
        JobStatus,
        Place,
        Upload,
        UploadReport,
    )


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


class CallsEveryEndASuccess(MemoryBackend):
    def get_job(self, job_id: str) -> JobStatus:
        status = super().get_job(job_id)
        return replace(status, state=JobState.SUCCEEDED) if status.state.final else status


class GivesAnExitCodeTooSoon(MemoryBackend):
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


TWINS: dict[type[MemoryBackend], str] = {
    ForgetsThatAPlaceExists: "B1.2",
    IgnoresWhatItDoesNotKnow: "B15.1",
    SendsEverythingAgain: "B2.1",
    ComparesSizesOnly: "B2.1",
    ReplacesAJobOfTheSameName: "B3.1",
    CallsEveryEndASuccess: "B4.5",
    GivesAnExitCodeTooSoon: "B4.3",
    MovesBack: "B4.1",
    IgnoresTheOffset: "B5.2",
    ShowsOutputsOnlyAtTheEnd: "B5.3",
    ListsEveryLevelAtOnce: "B5.5",
    TerminatesWithACode: "B6.1",
    DeletesFilesWithTheJob: "B7.4",
    CannotDeleteTwice: "B7.2",
    KeepsItsJobsToItself: "B8.1",
    ShowsItsSecrets: "B9.1",
    TakesItsJobsAlong: "B10.1",
}


@pytest.mark.parametrize(("twin", "rule"), TWINS.items(), ids=[twin.__name__ for twin in TWINS])
def test_a_broken_twin_is_found(twin: type[MemoryBackend], rule: str, tmp_path: Path) -> None:
    model = Model()
    bench = Bench("twin", tmp_path, lambda _: twin(PROGRAMS, model), ModelProbes(model), pause=lambda _: None)
    checks = [check for check in CHECKS.values() if check.rule.number == rule]
    assert [outcome.rule for outcome in run_checks(bench, checks) if outcome.result == FAILED] == [rule]
