"""Starting a run: from a scenario and a backend's name to the last event."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.errors import ScenarioError, UserError
from batchai_scenario.scenarios.record.model import (
    DETACHED,
    FAILED,
    ClusterPart,
    JobPart,
    PlaceRecord,
    RunRecord,
)
from batchai_scenario.scenarios.record.record import Run, new_id, now, stem
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.run.finish import error_of, finished
from batchai_scenario.scenarios.run.runner import Runner
from batchai_scenario.scenarios.run.waiting import Waiting
from batchai_scenario.schema.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.scenarios.definition.scenario import Resolved, Scenario
    from batchai_scenario.scenarios.report.base import Reporter
    from batchai_scenario.scenarios.run.stage import RunOptions, Stage


@dataclass(frozen=True, slots=True)
class Target:
    """Where to run: a backend's name, its options, the home folder, the environment."""

    backend: str
    home: Path
    values: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def options(self) -> BackendOptions:
        """Give what a backend is opened with."""
        return BackendOptions(self.home, self.values, self.environment)


def new_record(scenario: Resolved, target: Target, *, keep: bool, name: str = "") -> RunRecord:
    """Plan a run: every name that it will use, and the bodies without their secrets.

    Args:
        scenario: What to run.
        target: Where to run.
        keep: Whether what is made is left.
        name: What its id begins with; the scenario's name unless given.
    """
    moment = now()
    run_id = new_id(name or scenario.name, moment)
    place = scenario.place
    return RunRecord(
        id=run_id,
        scenario=scenario.name,
        summary=scenario.summary,
        file=str(scenario.file.resolve()),
        backend=target.backend,
        options=dict(target.values),
        faults=[text for text in target.values.get("faults", "").split(";") if text],
        parameters=dict(scenario.parameters),
        keep=keep,
        pid=os.getpid(),
        created_at=moment,
        place=PlaceRecord(
            group=place.group,
            location=place.location,
            workspace=place.workspace or run_id,
            experiment=place.experiment or stem(scenario.name),
            ours=place.workspace is None,
        ),
        cluster=ClusterPart(name=run_id, properties=redacted(scenario.cluster)),
        jobs={name: JobPart(properties=redacted(body)) for name, body in scenario.jobs.items()},
        expect=dict(scenario.expect),
    )


def run_scenario(
    scenario: Scenario,
    resolved: Resolved,
    target: Target,
    options: RunOptions,
    reporter: Reporter,
    *,
    open_backend: Callable[[str, BackendOptions], Backend],
    waiting: Waiting | None = None,
    started: Callable[[Run], None] | None = None,
) -> e.Finished:
    """Open the backend, make the record, and run.

    Errors are told, not raised: the last event says how it ended. Only a bug of ours raises.

    Args:
        scenario: The scenario.
        resolved: The same with its parameters' values.
        target: Where to run.
        options: How.
        reporter: Hears what happens; the caller closes it.
        open_backend: Opens a backend by name.
        waiting: Waits, and hears whether to stop.
        started: Called with the record as soon as there is one.
    """
    waiting = waiting or Waiting()
    important = {name: scenario.highlights(resolved, name) for name in resolved.jobs}
    run = Run.create(target.home, new_record(resolved, target, keep=options.keep))
    return launch(
        run,
        target,
        reporter,
        lambda backend: Runner(
            backend, reporter, run, resolved, options, waiting=waiting, important=important
        ),
        open_backend=open_backend,
        waiting=waiting,
        started=started,
    )


def launch(
    run: Run,
    target: Target,
    reporter: Reporter,
    stage: Callable[[Backend], Stage],
    *,
    open_backend: Callable[[str, BackendOptions], Backend],
    waiting: Waiting,
    started: Callable[[Run], None] | None = None,
    resumed: bool = False,
) -> e.Finished:
    """Run what a record is about, which this process owns and then releases; see ``run_scenario``.

    Args:
        run: The record.
        target: Where to run.
        reporter: Hears what happens.
        stage: Makes what runs on the open backend.
        open_backend: Opens a backend by name.
        waiting: Waits, and hears whether to stop.
        started: Called with the record at the beginning.
        resumed: The record is an earlier process's: where the backend cannot be opened, it stays as it is.
    """
    try:
        if started:
            started(run)
        record = run.record
        reporter.handle(
            e.RunStarted(
                record.id,
                record.scenario,
                record.summary,
                record.backend,
                dict(record.parameters),
                () if record.sweep else tuple(record.jobs),
            )
        )
        backend = _open(run, target, reporter, open_backend, waiting, resumed=resumed)
        if isinstance(backend, e.Finished):
            return backend
        try:
            return stage(backend).run()
        finally:
            backend.close()
    finally:
        run.release()


def _open(
    run: Run,
    target: Target,
    reporter: Reporter,
    open_backend: Callable[[str, BackendOptions], Backend],
    waiting: Waiting,
    *,
    resumed: bool,
) -> Backend | e.Finished:
    """Open the backend; where that fails, write the end down and give the last event.

    What the user got wrong leaves no record; one that was there is left as it is.
    """
    begin = waiting.now()
    reporter.handle(e.StepStarted("backend", f"Open backend {target.backend}"))
    try:
        backend = open_backend(target.backend, target.options)
    except Exception as error:
        reporter.handle(e.StepEnded("backend", "", waiting.now() - begin, ok=False))
        exit_code, reasons = error_of(error)
        if resumed:
            last = finished(run, DETACHED, exit_code, reasons)
            reporter.handle(last)
            return last
        if isinstance(error, UserError):  # a name or an option that is wrong: no run, and no record of one
            run.discard()
            last = replace(finished(run, FAILED, exit_code, reasons), run="", folder="")
            reporter.handle(last)
            return last
        run.record.state, run.record.exit_code = FAILED, exit_code
        run.record.reasons, run.record.ended_at = reasons, now()
        run.save()
        last = finished(run, FAILED, exit_code, reasons)
        reporter.handle(last)
        if not isinstance(error, ScenarioError):
            raise
        return last
    details = dict(backend.details())
    run.record.details = details
    reporter.handle(e.StepEnded("backend", _where(details), waiting.now() - begin))
    reporter.handle(e.Connected(target.backend, details))
    return backend


def _where(details: Mapping[str, str]) -> str:
    """Say in a few words where a backend is; the record has all of it."""
    engine = f"{details['engine']} engine" if details.get("engine") else ""
    told = (engine, details.get("resource_manager", ""), details.get("notice", ""))
    return ", ".join(text for text in told if text)
