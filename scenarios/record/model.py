"""What a run's record holds: plain models, written as JSON with the service's kind of names."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from batchai_scenario.backends.base import Place
from batchai_scenario.scenarios.definition.schema import ExpectSection
from batchai_scenario.scenarios.record.migrations import FORMAT

if TYPE_CHECKING:
    from batchai_scenario.backends.base import BatchAIError

RUNNING, SUCCEEDED, FAILED, INTERRUPTED = "running", "succeeded", "failed", "interrupted"
DETACHED = "detached"


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", defer_build=True
    )


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
    ``parameters``: its own, in a sweep. ``reasons``: what was not as expected; None until that was looked at.
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
    parameters: dict[str, Any] = Field(default_factory=dict)
    reasons: list[str] | None = None

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


class SweepPart(_Part):
    """What a sweep was asked for, and how far it is.

    ``over``: the parameters' values as they were written; ``random``: points to draw, of ``seed``.
    ``hyperband``: the parameter that is what a point may use (epochs), and its most; ``eta``: one of so many
    goes on. ``metric``: what points are ranked by, the ``goal`` says which is best; empty without one.
    ``at_once``: jobs that the service has at a time. ``planned``: no more points will come.
    """

    over: list[str]
    random: int | None = None
    seed: int = 0
    hyperband: str = ""
    eta: int = 3
    nodes: int | None = None
    at_once: int = 1
    metric: str = ""
    goal: Literal["", "min", "max"] = ""
    planned: bool = False


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
    sweep: SweepPart | None = None
    timeline: list[StepRecord] = Field(default_factory=list)

    @property
    def final(self) -> bool:
        """Tell whether the run has ended."""
        return self.state != RUNNING

    def values(self, job: str) -> dict[str, Any]:
        """Give the parameters that a job was made of."""
        return {**self.parameters, **self.jobs[job].parameters}
