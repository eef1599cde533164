"""Run records: what a run asked for and what came of it, kept in ``<home>/runs/<run id>/``.

``run.json`` is written whole (a new file, then a rename) before each step takes effect, so a run whose
process died can be understood, attached to and cleaned up by another. The process that owns a run holds a
lock (flock) on the file ``lock`` beside it, which the kernel frees when that process is gone: a record that
is not final and not locked is *detached*.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from batchai_scenario.backends.base import Place
from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.scenarios.definition.schema import ExpectSection
from batchai_scenario.scenarios.record.home import make_private, runs_folder, unusable
from batchai_scenario.scenarios.record.migrations import FORMAT, RecordTooNew, migrate
from batchai_scenario.scenarios.report.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.backends.base import BatchAIError

RUNNING, SUCCEEDED, FAILED, INTERRUPTED = "running", "succeeded", "failed", "interrupted"
DETACHED = "detached"


def now() -> datetime:
    """Give the time, in UTC."""
    return datetime.now(timezone.utc)


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class StepRecord(_Part):
    """A step of the timeline."""

    step: str
    text: str = ""
    started_at: datetime
    ended_at: datetime | None = None
    ok: bool | None = None


class OutputRecord(_Part):
    """An output file: size in bytes."""

    directory: str
    path: str
    size: int


class ErrorRecord(_Part):
    """An error that the service keeps with a job."""

    code: str
    message: str
    details: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, problem: BatchAIError) -> ErrorRecord:
        """Copy the service's error."""
        return cls(code=problem.code, message=problem.message, details=dict(problem.details))

    def __str__(self) -> str:
        details = "; ".join(f"{key}: {value}" for key, value in self.details.items())
        return f"{self.code}: {self.message}" + (f" ({details})" if details else "")


class StateRecord(_Part):
    """A state in which a job was seen, and when it was seen first."""

    state: str
    at: datetime


class JobPart(_Part):
    """A job: what was asked for, where it stands, what it left.

    ``state`` is ``planned``, ``submitting`` (written before the request), or the service's
    executionState. ``folders``: where each output directory is, as (share, folder). ``image``: the one
    that was asked for, or the service's own words about what was taken in its place. ``states``: those that
    were seen; a short one may be missed. ``variables``: the AZ_BATCHAI_* variables that the job printed.
    """

    properties: dict[str, Any]
    state: str = "planned"
    states: list[StateRecord] = Field(default_factory=list)
    id: str = ""
    segment: str = ""
    exit_code: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    errors: list[ErrorRecord] = Field(default_factory=list)
    notices: list[str] = Field(default_factory=list)
    image: str = ""
    folders: dict[str, tuple[str, str]] = Field(default_factory=dict)
    outputs: list[OutputRecord] = Field(default_factory=list)
    metrics: dict[str, float] = Field(default_factory=dict)
    variables: dict[str, str] = Field(default_factory=dict)
    deleted: bool = False

    @property
    def submitted(self) -> bool:
        """Tell whether the service may know this job."""
        return self.state != "planned"

    @property
    def final(self) -> bool:
        """Tell whether the job has ended."""
        return self.state in (SUCCEEDED, FAILED)


class ClusterPart(_Part):
    """The cluster: what was asked for, whether the request was made, and whether it is gone again."""

    name: str
    properties: dict[str, Any]
    requested: bool = False
    deleted: bool = False


class PlaceRecord(_Part):
    """Where the resources are; ``ours``: the workspace was made for this run and goes with it."""

    group: str
    location: str
    workspace: str
    experiment: str
    ours: bool
    requested: bool = False
    deleted: bool = False

    @property
    def place(self) -> Place:
        """Give the backend's own object."""
        return Place(self.group, self.location, self.workspace, self.experiment)


class RunRecord(_Part):
    """A whole run. Times are UTC; no secret is in it.

    ``faults``: what was asked for; ``injected``: what was made of it, a line each with its time. ``unsaved``:
    sentences that name output files that a download could not save.
    """

    format: int = FORMAT
    id: str
    scenario: str
    summary: str = ""
    file: str = ""
    backend: str
    options: dict[str, str] = Field(default_factory=dict)
    details: dict[str, str] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=dict)
    keep: bool = False
    pid: int = 0
    state: str = RUNNING
    exit_code: int | None = None
    reasons: list[str] = Field(default_factory=list)
    faults: list[str] = Field(default_factory=list)
    injected: list[str] = Field(default_factory=list)
    unsaved: list[str] = Field(default_factory=list)
    created_at: datetime
    ended_at: datetime | None = None
    place: PlaceRecord
    cluster: ClusterPart
    uploads: dict[str, int] = Field(default_factory=dict)
    jobs: dict[str, JobPart]
    expect: dict[str, ExpectSection] = Field(default_factory=dict)
    timeline: list[StepRecord] = Field(default_factory=list)

    @property
    def final(self) -> bool:
        """Tell whether the run has ended."""
        return self.state != RUNNING


class Run:
    """A run's folder: its record and its lock."""

    def __init__(self, folder: Path, record: RunRecord) -> None:
        self.folder = folder
        self.record = record
        self._lock: int | None = None

    @classmethod
    def create(cls, home: Path, record: RunRecord) -> Run:
        """Make the folder, own it, and write the first record.

        Raises:
            MachineError: the home folder cannot be written to.
        """
        folder = runs_folder(home) / record.id
        run = cls(folder, record)
        try:
            make_private(folder.parent)
            folder.mkdir(mode=0o700)
            run.own()
            run.save()
        except OSError as error:
            raise unusable(home, error) from None
        return run

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read what is there, of any format up to ours; OSError or ValueError if it cannot be."""
        data = migrate(json.loads((folder / "run.json").read_bytes()))
        return cls(folder, RunRecord.model_validate_json(json.dumps(data)))

    def reload(self) -> None:
        """Read the record again, as another process may have written it."""
        self.record = Run.read(self.folder).record

    def save(self) -> None:
        """Write the record; readers see the old one or the new one, never half of one."""
        draft = self.folder / f".run.json.{os.getpid()}"
        text = self.record.model_dump_json(by_alias=True, indent=2, exclude_none=True)
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(self.folder / "run.json")

    def discard(self) -> None:
        """Remove the folder of a run that never began, and stop being the owner."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()

    def own(self) -> bool:
        """Become the owner, without waiting; False if a living process is."""
        if self._lock is None:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return False
            self._lock = handle
        return True

    def release(self) -> None:
        """Stop being the owner."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def owned_elsewhere(self) -> bool:
        """Tell whether a living process, other than through this object, owns the run."""
        if self._lock is not None:
            return False
        if not self.own():
            return True
        self.release()
        return False

    @property
    def state(self) -> str:
        """Give the state to show: the record's, or ``detached``."""
        if self.record.final or self.owned_elsewhere or self._lock is not None:
            return self.record.state
        return DETACHED


def stem(scenario: str) -> str:
    """Make a short name of the service from a scenario's name."""
    return re.sub(r"[^a-z0-9]+", "-", scenario.lower()).strip("-")[:36].rstrip("-") or "run"


def new_id(scenario: str, moment: datetime) -> str:
    """Make a run id that sorts by time within a scenario and is a resource name of the service."""
    return f"{stem(scenario)}-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


UNREADABLE = "unreadable"
REMEDY = "Delete the run's folder, or keep it for its files: other runs do not need it."


def read_runs(home: Path) -> tuple[list[Run], list[tuple[Path, str]]]:
    """Read all records, each once.

    Returns:
        The runs, the oldest first, and the folders of those whose record cannot be read, each with why.
    """
    runs: list[Run] = []
    unreadable: list[tuple[Path, str]] = []
    for folder in sorted(runs_folder(home).glob("*")):
        if folder.is_dir():
            found = _read(folder)
            if isinstance(found, Run):
                runs.append(found)
            else:
                unreadable.append((folder, found))
    return sorted(runs, key=lambda run: (run.record.created_at, run.record.id)), unreadable


def _read(folder: Path) -> Run | str:
    """Read a record, or say why it cannot be read."""
    try:
        return Run.read(folder)
    except FileNotFoundError:
        return "it is not there"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    except RecordTooNew as error:
        return str(error)
    except (ValueError, RecursionError):
        return "it is damaged"


def find_run(home: Path, name: str | None) -> Run:
    """Find a run by its id, the beginning or the end of one, or ``last`` (also None).

    Raises:
        UserError: There is none, or more than one.
        MachineError: Its record cannot be read.
    """
    folder = runs_folder(home) / Path(name or "last").name
    if folder.name == name != ".." and folder.is_dir():
        found = _read(folder)
        if isinstance(found, Run):
            return found
        raise MachineError(f"{folder / 'run.json'}: {found}.", remedy=REMEDY)
    runs, _ = read_runs(home)
    if not runs:
        raise UserError("there are no runs yet", "", "scenario run hello")
    if name in (None, "last"):
        return runs[-1]
    name = str(name)
    some = [run for run in runs if run.record.id.startswith(name) or run.record.id.endswith(name)]
    if len(some) > 1:
        listed = ", ".join(run.record.id for run in some[-4:])
        raise UserError(f"{name!r} stands for {len(some)} runs", "RUN", f"the newest are {listed}")
    if not some:
        raise UserError(
            f"there is no run {name!r}", "RUN", did_you_mean(name, [run.record.id for run in runs[-8:]])
        )
    return some[0]


def timings(record: RunRecord) -> dict[str, float]:
    """Give the seconds that each step took, and the ``total``."""
    found: dict[str, float] = {}
    for step in record.timeline:
        if step.ended_at is not None:
            seconds = (step.ended_at - step.started_at).total_seconds()
            found[step.step] = round(found.get(step.step, 0.0) + seconds, 3)
    if record.ended_at is not None:
        found["total"] = round((record.ended_at - record.created_at).total_seconds(), 3)
    return found


def metrics(record: RunRecord) -> Mapping[str, float]:
    """Give all metrics of a run."""
    return {name: value for job in record.jobs.values() for name, value in job.metrics.items()}
