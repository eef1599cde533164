"""``scenario sweep``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchai_scenario.scenarios.cli.completing import run_ids, scenario_names
from batchai_scenario.scenarios.cli.listening import listening
from batchai_scenario.scenarios.cli.options import (
    BackendCommand,
    backend_options,
    backend_values,
    json_option,
    option,
    refuse_beside,
    set_option,
    time_span,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from batchai_scenario.scenarios.record.record import Run
    from batchai_scenario.scenarios.report import events as e
    from batchai_scenario.scenarios.report.base import Reporter
    from batchai_scenario.scenarios.run.stage import RunOptions
    from batchai_scenario.scenarios.run.waiting import Waiting

    Work = Callable[[Waiting, Callable[[Run], None]], e.Finished]

_ONLY_NEW = (
    "over",
    "random",
    "seed",
    "hyperband",
    "eta",
    "nodes",
    "minimize",
    "maximize",
    "settings",
    "backend",
    "options",
    "keep",
)
"""What a sweep that goes on has in its record."""
_OWN = ("name", "resume", "jobs", "download", "timeout", "data_source", "offline", "as_json", "help")
"""What may be chosen anew; all other flags are the backend's."""


@click.command(cls=BackendCommand)
@click.argument("name", required=False, shell_complete=scenario_names)
@option(
    "--over",
    multiple=True,
    metavar="NAME=VALUES",
    help="A parameter's values, e.g. epochs=2,4, or a range to draw of: rate=0.001:0.1, or ...:log; "
    "may be repeated.",
)
@option("--random", type=click.IntRange(min=1), metavar="N", help="Try N points drawn at random, not all.")
@option(
    "--hyperband",
    metavar="NAME=MOST",
    default="",
    help="Try many points with little of a parameter (epochs), the best with more, up to MOST.",
)
@option("--eta", type=click.IntRange(min=2), default=3, help="HyperBand: one of so many points goes on.")
@option("--seed", type=click.IntRange(min=0), default=0, help="What the dice begin with.")
@option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Jobs that are submitted at a time; by default twice what nodes hold.",
)
@option(
    "--nodes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Nodes of the cluster, instead of the scenario's.",
)
@option("--minimize", metavar="METRIC", default="", help="The metric of which the smallest value is best.")
@option("--maximize", metavar="METRIC", default="", help="The metric of which the largest value is best.")
@option(
    "--resume", metavar="RUN", default="", shell_complete=run_ids, help="Go on with a sweep that was cut off."
)
@backend_options
@set_option
@option("--download", type=click.Path(file_okay=False, path_type=Path), help="Save all output files there.")
@option("--keep", is_flag=True, help="Keep jobs, cluster and workspace at the end.")
@option("--timeout", callback=time_span, metavar="SPAN", help="Give up after this long, e.g. 30m.")
@option(
    "--data-source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the original data set files, instead of the network.",
)
@option("--offline", is_flag=True, help="Use no network for data sets.")
@json_option
@click.pass_obj
def sweep(shared: dict[str, Any], /, name: str | None, **flags: Any) -> int:  # noqa: ANN401 - the flags above
    """Run the scenario NAME at many points of its parameters: one cluster, a job for each point.

    Each job has the variables PARAM_<PARAMETER> of its point. The best comes first at the end. Ctrl-C
    leaves the sweep as it is, its jobs go on; --resume takes it up again, also after a crash.
    """
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.definition.datasets import DataOptions
    from batchai_scenario.scenarios.record.home import cache_folder
    from batchai_scenario.scenarios.run.stage import RunOptions

    _check_flags(name, flags)
    home: Path = shared["home"]
    reporter = Console(as_json=flags["as_json"]).reporter()
    options = RunOptions(
        data=DataOptions(cache_folder(home), flags["data_source"], flags["offline"]),
        keep=flags["keep"],
        timeout=flags["timeout"],
        download=flags["download"],
    )
    work = _resume if flags["resume"] else _begin
    return listening(
        reporter,
        work(shared, reporter, name or "", options, flags),
        "stopping: the sweep is left as it is, its jobs go on; press Ctrl-C again to leave at once",
    )


def _check_flags(name: str | None, flags: dict[str, Any]) -> None:
    """Refuse flags that would do nothing; click.UsageError."""
    if flags["resume"]:
        if name:
            raise click.UsageError("--resume has its scenario in its record; leave NAME out")
        context = click.get_current_context()
        backend = {str(it.name) for it in context.command.get_params(context)} - set(_OWN)
        refuse_beside(
            "with --resume all is as it was when the sweep began; leave it out", *_ONLY_NEW, *backend
        )
        return
    if not name:
        raise click.UsageError("Missing argument 'NAME'.")
    if flags["minimize"] and flags["maximize"]:
        raise click.UsageError("--minimize and --maximize: one metric ranks the jobs; leave one out")
    if flags["hyperband"]:
        refuse_beside("HyperBand says how many points there are; leave it out", "random")
    else:
        refuse_beside("without --hyperband no point goes on; leave it out", "eta")
        if flags["random"] is None:
            refuse_beside("without --random or --hyperband there are no dice; leave it out", "seed")


def _begin(
    shared: dict[str, Any], reporter: Reporter, name: str, options: RunOptions, flags: dict[str, Any]
) -> Work:
    from batchai_scenario.backends.registry import Registry
    from batchai_scenario.scenarios.definition.discovery import find
    from batchai_scenario.scenarios.definition.parameters import parse_settings
    from batchai_scenario.scenarios.run.launch import Target
    from batchai_scenario.scenarios.sweep.launch import run_sweep
    from batchai_scenario.scenarios.sweep.plan import SweepRequest, plan_sweep

    names = ("over", "random", "seed", "hyperband", "eta", "nodes", "minimize", "maximize")
    asked = SweepRequest(at_once=flags["jobs"], **{key: flags[key] for key in names})
    values = backend_values(click.get_current_context(), flags["options"])
    plan = plan_sweep(find(name), parse_settings(flags["settings"]), asked)
    target = Target(flags["backend"], shared["home"], values, shared["environment"])
    shared["told"] = True  # the reporter tells how the sweep ended, whatever happens

    def work(waiting: Waiting, started: Callable[[Run], None]) -> e.Finished:
        return run_sweep(
            plan, target, options, reporter, open_backend=Registry().open, waiting=waiting, started=started
        )

    return work


def _resume(
    shared: dict[str, Any], reporter: Reporter, _: str, options: RunOptions, flags: dict[str, Any]
) -> Work:
    from batchai_scenario.backends.registry import Registry
    from batchai_scenario.scenarios.sweep.launch import resume_sweep, take_up, target_of

    run, plan = take_up(shared["home"], flags["resume"], at_once=flags["jobs"])
    options = replace(options, keep=run.record.keep)
    target = target_of(run, shared["home"], shared["environment"])
    shared["told"] = True  # the reporter tells how the sweep ended, whatever happens

    def work(waiting: Waiting, started: Callable[[Run], None]) -> e.Finished:
        return resume_sweep(
            run,
            plan,
            target,
            options,
            reporter,
            open_backend=Registry().open,
            waiting=waiting,
            started=started,
        )

    return work
