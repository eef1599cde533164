"""What happens in a run, told as small facts. Reporters decide what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began: it has an id and a record from now on; ``jobs`` run in this order."""

    run: str
    scenario: str
    summary: str
    backend: str
    parameters: Mapping[str, Any]
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """The backend answers; ``details`` say where it is."""

    backend: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """A step began; ``text`` says what is being done."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class StepEnded(Event):
    """A step ended; ``text`` says what came of it, ``seconds`` how long it took."""

    step: str
    text: str
    seconds: float
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a step is with one thing; ``unit`` is ``B`` for bytes, empty where it is not known."""

    step: str
    what: str
    done: int
    total: int
    unit: str = "B"


@dataclass(frozen=True, slots=True)
class Note(Event):
    """Something a person should know."""

    level: Literal["info", "warning", "error"]
    text: str


@dataclass(frozen=True, slots=True)
class ClusterChanged(Event):
    """A cluster's nodes changed; ``nodes`` counts them by state."""

    cluster: str
    allocation: str
    target: int
    current: int
    nodes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JobChanged(Event):
    """A job changed its state; ``id`` is what another process attaches with."""

    job: str
    state: str
    id: str
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class LogLine(Event):
    """A line that the job wrote; ``important`` if the scenario says that such lines matter."""

    job: str
    file: str
    text: str
    important: bool = False


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something that the service did for the job and a person should see, e.g. another image was taken."""

    job: str
    text: str


@dataclass(frozen=True, slots=True)
class Checked(Event):
    """An expectation was looked at."""

    job: str
    text: str
    met: bool


@dataclass(frozen=True, slots=True)
class Metric(Event):
    """A metric was read; ``limit`` says in words what was expected (may be empty)."""

    job: str
    name: str
    value: float
    unit: str
    limit: str
    met: bool


@dataclass(frozen=True, slots=True)
class MetricSeen(Event):
    """A metric's value stood in a log while the job ran; the last one counts in the end."""

    job: str
    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class EpochEnded(Event):
    """A job said that it is done with epoch number ``epoch`` of ``total``."""

    job: str
    epoch: int
    total: int


@dataclass(frozen=True, slots=True)
class LastWords(Event):
    """A job failed; these are the last lines that it wrote to its standard error."""

    job: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PointPlanned(Event):
    """A sweep will have this job, at this point of the scenario's parameters."""

    job: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PointEnded(Event):
    """A job of a sweep ended; ``reasons`` say what is not as expected."""

    job: str
    parameters: Mapping[str, Any]
    state: str
    exit_code: int | None
    metrics: Mapping[str, float]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RankedPoint:
    """A job of a sweep: ``value`` is that of the metric it is ranked by, None if it has none."""

    job: str
    parameters: Mapping[str, Any]
    state: str
    value: float | None
    met: bool


@dataclass(frozen=True, slots=True)
class Ranked(Event):
    """A sweep's jobs, the best first: by ``metric``, whose ``goal`` is ``min`` or ``max``, or both empty."""

    metric: str
    goal: str
    points: tuple[RankedPoint, ...]


@dataclass(frozen=True, slots=True)
class Saved(Event):
    """An output was downloaded to ``file``."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Output:
    """An output file of a job; ``size`` in bytes, ``directory`` its output directory's id."""

    job: str
    directory: str
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """A run ended. The last event, always.

    ``state``: ``succeeded``, ``failed``, ``interrupted``, or ``detached`` (the job goes on without us).
    ``exit_code``: of the command. ``jobs``: each job's own state, exit code and errors. ``timings``:
    seconds by step, and ``total``. ``reasons``: sentences that say why it did not succeed.
    """

    run: str
    state: str
    exit_code: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    jobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    hint: str = ""
    folder: str = ""
