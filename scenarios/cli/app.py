"""The command ``scenario``: its commands, its exit codes, and what every command shares."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from batchai_scenario import __version__
from batchai_scenario.backends.errors import ScenarioError, UserError
from batchai_scenario.scenarios.cli.lazy import LazyGroup
from batchai_scenario.scenarios.cli.streams import OutputError, standard_streams
from batchai_scenario.scenarios.record.home import check_home, home_folder, settings_file
from batchai_scenario.scenarios.report.text import is_utf8

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_HERE = "batchai_scenario.scenarios.cli.commands"
COMMANDS = {
    "run": (f"{_HERE}.run:run", "Run a scenario: upload, create, submit, follow, check, clean up."),
    "sweep": (f"{_HERE}.sweep:sweep", "Run a scenario at many points of its parameters, a job for each."),
    "list": (f"{_HERE}.catalogue:list_", "List the scenarios there are."),
    "show": (f"{_HERE}.catalogue:show", "Show a scenario: its parameters, jobs and expectations."),
    "plan": (f"{_HERE}.plan:plan", "Show what a run would send, and send nothing."),
    "diff": (f"{_HERE}.diff:diff", "Show where two runs, or one scenario on two backends, differ."),
    "runs": (f"{_HERE}.runs:runs", "List runs, show one, or stop one."),
    "logs": (f"{_HERE}.logs:logs", "Show a run's logs, while it runs and afterwards."),
    "outputs": (f"{_HERE}.outputs:outputs", "List or download a run's output files."),
    "report": (f"{_HERE}.report:report", "Write a run or a sweep as one HTML file, to hand on."),
    "backends": (f"{_HERE}.backends:backends", "List the places where scenarios can run."),
    "doctor": (f"{_HERE}.doctor:doctor", "Look at what this machine has and lacks."),
    "images": (f"{_HERE}.images:images", "List or build container images that jobs run in."),
    "cache": (f"{_HERE}.cache:cache", "Show what the cache holds, or remove what no run uses."),
    "new": (f"{_HERE}.new:new", "Write a scenario folder to start from, which runs at once."),
    "completion": (f"{_HERE}.completion:completion", "Print the completion for bash, zsh or fish."),
    "watch": (f"{_HERE}.watch:watch", "Show clusters and jobs of the emulator in the terminal, live."),
    "ui": (f"{_HERE}.ui:ui", "Open the emulator's page in a browser."),
    "emulator": (f"{_HERE}.emulator:emulator", "Serve, look at, stop and clean the emulator of Batch AI."),
}
SETTINGS = (
    "backend",
    "engine",
    "gpus",
    "timeout",
    "keep",
    "offline",
    "data-source",
    "host",
    "port",
    "strict",
    "account",
    "client",
    "development-credentials",
)
"""What may stand in the settings file: flags without their dashes."""

_ROOM = "make room on its disk, or name another home with SCENARIO_HOME"
_RIGHT = "see to it that you may write there, or name another home with SCENARIO_HOME"
_DISK = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: _RIGHT,
    errno.EACCES: _RIGHT,
    errno.EPERM: _RIGHT,
}

EPILOG = """\
Flags come before environment variables (SCENARIO_BACKEND for --backend), these before the settings file
(settings.yaml in the home folder), and that before defaults.

Exit codes: 0 succeeded and as expected; 1 the job failed or an expectation was not met; 2 wrong usage or
scenario; 3 the machine lacks something; 4 the backend failed; 130 interrupted; 70 a bug of ours.
"""


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
    if not wanted:
        return
    click.echo(f"scenario {__version__}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--home",
    envvar="SCENARIO_HOME",
    show_envvar=True,
    type=click.Path(file_okay=False),
    help="Folder of all that is kept; the platform's data folder by default.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version)
@click.pass_context
def scenario(ctx: click.Context, home: str | None) -> None:
    """Write a training scenario once; run it on an emulator of Azure Batch AI, or on a real cluster."""
    shared = ctx.ensure_object(dict)
    shared["home"] = home_folder(home, os.environ)
    check_home(shared["home"])
    shared.setdefault("environment", os.environ)
    ctx.default_map = _default_map(shared["home"])


def _default_map(home: Path) -> dict[str, Any]:
    """Read the settings file as defaults for every command; UserError for what it may not hold."""
    file = settings_file(home)
    if not file.is_file():
        return {}
    import yaml

    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"cannot read it: {error}", str(file)) from None
    if not isinstance(values, dict):
        raise UserError("it must hold settings, like 'backend: local'", str(file))
    for name in values:
        if name not in SETTINGS:
            raise UserError(f"unknown setting {name!r}", str(file), f"known: {', '.join(SETTINGS)}")
    for name in ("account", "client"):
        if isinstance(values.get(name), str):
            values[name] = [values[name]]
    flags = {name.replace("-", "_"): value for name, value in values.items()}
    return {command: {**flags, "serve": flags, "exec": flags} for command in COMMANDS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    shared: dict[str, Any] = {}
    with standard_streams() as output:
        try:
            _check_text(args, os.environ)
            result = scenario.main(args, prog_name="scenario", standalone_mode=False, obj=shared)
            code = result if isinstance(result, int) else 0
        except Exception as error:  # noqa: BLE001 - every error becomes an exit code here, and only here
            code = _fail(error, shared, as_json=bool(shared.get("json", "--json" in args)))
        except KeyboardInterrupt:
            code = 130
        return output.code(code)


def _check_text(args: Sequence[str], environment: Mapping[str, str]) -> None:
    """Refuse arguments and variables that are not UTF-8; a command that is only started may have any.

    Raises:
        UserError: names the first.
    """
    for argument in args:
        if argument == "--" and "exec" in args:
            return
        if not is_utf8(argument):
            raise UserError(f"the argument {os.fsencode(argument)!r} is not UTF-8")
    for name, value in environment.items():
        if name.startswith(("SCENARIO_", "AZURE_")) and not is_utf8(value):
            raise UserError(f"its value {os.fsencode(value)!r} is not UTF-8", name)


def _is_of_settings_file(error: click.BadParameter) -> bool:
    """Tell whether a value that was refused was given by nobody but the settings file."""
    if error.ctx is None or error.param is None or error.param.name is None:
        return False
    return error.ctx.get_parameter_source(error.param.name) is click.core.ParameterSource.DEFAULT_MAP


def _fail(error: Exception, shared: dict[str, Any], *, as_json: bool) -> int:
    """Say what went wrong and give the exit code."""
    from batchai_scenario.scenarios.cli.console import complain

    if isinstance(error, OutputError):
        return 0  # the stream knows whether its reader left or it could not be written
    if isinstance(error, click.exceptions.Abort):
        return 130
    if isinstance(error, click.NoSuchOption) and error.option_name == "--home":
        text = "--home stands before the command: scenario --home DIRECTORY COMMAND."
        error = click.NoSuchOption("--home", text, ctx=error.ctx)
    if isinstance(error, click.BadParameter) and _is_of_settings_file(error):
        error.param_hint = f"{error.param.name!r} in {settings_file(shared['home'])}" if error.param else None
    if isinstance(error, click.ClickException):
        if as_json:
            complain(error.format_message(), as_json=True, exit_code=2)
        else:
            error.show()
        return 2
    if isinstance(error, ScenarioError):
        complain(str(error), as_json=as_json, exit_code=error.exit_code)
        return error.exit_code
    if isinstance(error, OSError) and error.errno in _DISK:
        where = error.filename or shared.get("home", "")
        complain(f"{where}: {error.strerror}", _DISK[error.errno], as_json=as_json, exit_code=3)
        return 3
    from batchai_scenario.scenarios.record.crash import keep_traceback

    where = keep_traceback(error, shared.get("home"))
    complain(
        f"this is a bug of ours: {type(error).__name__}: {error}",
        f"the traceback is in {where}; please report it (README, 'Reporting a bug')" if where else "",
        as_json=as_json and not shared.get("told"),
        exit_code=70,
    )
    return 70
