"""``scenario run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchai_scenario.scenarios.cli.completing import scenario_names
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
    from typing import Any


@click.command(cls=BackendCommand)
@click.argument("name", shell_complete=scenario_names)
@backend_options
@set_option
@option("--download", type=click.Path(file_okay=False, path_type=Path), help="Save all output files there.")
@option("--keep", is_flag=True, help="Keep job, cluster and workspace at the end.")
@option("--timeout", callback=time_span, metavar="SPAN", help="Give up after this long, e.g. 30m.")
@option(
    "--data-source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the original data set files, instead of the network.",
)
@option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[:KEY=VALUE,...]",
    help="Make a fault on purpose, e.g. preempt:after=5s; may be repeated (docs/parity.md).",
)
@option("--seed", type=click.IntRange(min=0), default=0, help="What the dice of faults begin with.")
@option("--offline", is_flag=True, help="Use no network for data sets.")
@json_option
@click.pass_obj
def run(shared: dict[str, Any], /, name: str, **flags: Any) -> int:  # noqa: ANN401 - the flags above
    """Run the scenario NAME (or a folder with a scenario.yaml), and wait for its end.

    Ctrl-C once terminates the job and cleans up; twice leaves at once, and the job goes on.
    """
    from batchai_scenario.backends.errors import UserError
    from batchai_scenario.backends.registry import Registry
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.definition.datasets import DataOptions
    from batchai_scenario.scenarios.definition.discovery import find
    from batchai_scenario.scenarios.definition.parameters import parse_settings
    from batchai_scenario.scenarios.record.home import cache_folder
    from batchai_scenario.scenarios.report import events as e
    from batchai_scenario.scenarios.run.injection import with_faults
    from batchai_scenario.scenarios.run.launch import Target, run_scenario
    from batchai_scenario.scenarios.run.stage import RunOptions

    if not flags["faults"]:
        refuse_beside("without --fault there are no dice; leave it out", "seed")
    console = Console(as_json=flags["as_json"])
    reporter = console.reporter()
    home: Path = shared["home"]
    values = backend_values(click.get_current_context(), flags["options"])
    try:
        scenario = find(name)
        resolved = scenario.resolve(parse_settings(flags["settings"]))
    except UserError as error:
        if not flags["as_json"]:
            raise
        reporter.handle(e.Finished("", "failed", error.exit_code, reasons=(str(error),)))
        return error.exit_code
    options = RunOptions(
        data=DataOptions(cache_folder(home), flags["data_source"], flags["offline"]),
        keep=flags["keep"],
        timeout=flags["timeout"],
        download=flags["download"],
    )
    backend, values = with_faults(flags["backend"], values, flags["faults"], flags["seed"])
    target = Target(backend, home, values, shared["environment"])
    shared["told"] = True  # the reporter tells how the run ended, whatever happens
    return listening(
        reporter,
        lambda waiting, started: run_scenario(
            scenario,
            resolved,
            target,
            options,
            reporter,
            open_backend=Registry().open,
            waiting=waiting,
            started=started,
        ),
        "stopping: the job is terminated and all is cleaned up; press Ctrl-C again to leave at once",
    )
