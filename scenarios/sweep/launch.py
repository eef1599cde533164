"""Starting a sweep, and going on with one that was cut off."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import UserError
from batchai_scenario.scenarios.definition.scenario import Scenario
from batchai_scenario.scenarios.record.record import Run, find_run
from batchai_scenario.scenarios.run.launch import Target, launch, new_record
from batchai_scenario.scenarios.run.waiting import Waiting
from batchai_scenario.scenarios.sweep.plan import SweepPlan, SweepRequest, plan_sweep
from batchai_scenario.scenarios.sweep.sweeper import Sweeper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.backends.base import Backend, BackendOptions
    from batchai_scenario.scenarios.record.model import RunRecord
    from batchai_scenario.scenarios.report import events as e
    from batchai_scenario.scenarios.report.base import Reporter
    from batchai_scenario.scenarios.run.stage import RunOptions


def run_sweep(
    plan: SweepPlan,
    target: Target,
    options: RunOptions,
    reporter: Reporter,
    *,
    open_backend: Callable[[str, BackendOptions], Backend],
    waiting: Waiting | None = None,
    started: Callable[[Run], None] | None = None,
) -> e.Finished:
    """Make the record of a sweep, and run it; errors are told, not raised, as in ``run_scenario``."""
    waiting = waiting or Waiting()
    record = new_record(plan.base, target, keep=options.keep, name=f"{plan.scenario.name}-sweep")
    record.sweep, record.jobs, record.expect = plan.part, {}, {}
    run = Run.create(target.home, record)
    return launch(
        run,
        target,
        reporter,
        lambda backend: Sweeper(backend, reporter, run, plan, options, waiting=waiting),
        open_backend=open_backend,
        waiting=waiting,
        started=started,
    )


def take_up(home: Path, name: str, *, at_once: int | None = None) -> tuple[Run, SweepPlan]:
    """Own the record of a sweep that was cut off, and plan the same sweep again.

    Args:
        home: The home folder.
        name: The sweep's id or a part of one.
        at_once: Jobs that the service has at a time from now on.

    Raises:
        UserError: it is no sweep, it has ended, a living process owns it, or its scenario is another now.
    """
    run = find_run(home, name)
    record = run.record
    if record.sweep is None:
        raise UserError(f"{record.id} is no sweep", "--resume", f"'scenario runs {record.id}' shows it")
    if not run.own():
        raise UserError(f"the living process {record.pid} is at it", "--resume", "press Ctrl-C there")
    try:
        run.reload()
        plan = _plan_again(run.record)
        if at_once is not None:
            plan.part.at_once = at_once
        run.record.sweep, run.record.pid = plan.part, os.getpid()
    except BaseException:
        run.release()
        raise
    return run, plan


def _plan_again(record: RunRecord) -> SweepPlan:
    if record.final or record.sweep is None:
        hint = f"'scenario runs {record.id}' shows what came of it"
        raise UserError("the sweep has ended", "--resume", hint)
    scenario = Scenario(Path(record.file), record.scenario)
    plan = plan_sweep(scenario, record.parameters, SweepRequest.of(record.sweep))
    plan.part.planned = record.sweep.planned
    return plan


def resume_sweep(
    run: Run,
    plan: SweepPlan,
    target: Target,
    options: RunOptions,
    reporter: Reporter,
    *,
    open_backend: Callable[[str, BackendOptions], Backend],
    waiting: Waiting | None = None,
    started: Callable[[Run], None] | None = None,
) -> e.Finished:
    """Go on with a sweep that ``take_up`` gave: jobs that ended stay, those that run are looked at again."""
    waiting = waiting or Waiting()
    return launch(
        run,
        target,
        reporter,
        lambda backend: Sweeper(backend, reporter, run, plan, options, waiting=waiting),
        open_backend=open_backend,
        waiting=waiting,
        started=started,
        resumed=True,
    )


def target_of(run: Run, home: Path, environment: Mapping[str, str]) -> Target:
    """Give the place where a sweep began."""
    return Target(run.record.backend, home, run.record.options, environment)
