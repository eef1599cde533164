"""``scenario emulator``: serve, status, logs, preempt, stop, env, exec; what mends a home is in ``home``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.commands.home import gc, repair, reset, salvage
from batchai_scenario.scenarios.cli.commands.slurm import slurm_sandbox
from batchai_scenario.scenarios.cli.options import credential_options, json_option, option, refuse_beside
from batchai_scenario.schema.engines import ENGINE_CHOICES

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.backends.local import EmulatorStatus

_PUBLISHED = (
    "the published credentials are known here: whoever reaches this address can run commands as you "
    "and read your files"
)


@click.group()
def emulator() -> None:
    """Serve, look at, stop and clean the emulator of Batch AI that keeps its state in the home folder."""


for _command in (gc, repair, reset, salvage, slurm_sandbox):
    emulator.add_command(_command)


@emulator.command()
@option("--host", default="127.0.0.1", help="Address to listen on; anything but loopback is open to others.")
@option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port; 0 takes a free one, the last one if it is free.",
)
@option(
    "--engine",
    type=click.Choice(ENGINE_CHOICES),
    default="auto",
    help="What runs jobs.",
)
@option(
    "--gpus",
    type=click.Choice(["auto", "none", "required", "shared"]),
    default="auto",
    help="Whether jobs get GPUs.",
)
@option("--strict", is_flag=True, help="Keep the service's own pace: clients wait 15 s between two looks.")
@option(
    "--only",
    type=click.Choice(["files"]),
    help="Serve storage alone: Azure Files and storage accounts, no clusters and no jobs.",
)
@option("--in-memory", is_flag=True, help="Keep nothing: the home is made for this run and gone after it.")
@option(
    "--https",
    is_flag=True,
    help="Serve over TLS, too, on one more port, with a certificate of the home's own authority.",
)
@option(
    "--copy-seconds",
    type=click.FloatRange(0, 86400),
    default=0,
    help="How long copies of files stay pending, for programs that wait for them or abort them.",
)
@option(
    "--share-days",
    type=click.IntRange(0, 365),
    default=0,
    help="How many days deleted shares can be had back (soft delete); 0: not at all.",
)
@credential_options
@json_option
@click.pass_obj
def serve(
    shared: dict[str, Any],
    /,
    *,
    only: str | None,
    in_memory: bool,
    account: tuple[str, ...],
    client: tuple[str, ...],
    as_json: bool,
    **chosen: Any,  # noqa: ANN401 - the other options, which only the emulator minds
) -> None:
    """Serve until Ctrl-C. Jobs that run when it ends go on, and are found again by the next one."""
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.record.book import RecordedRuns

    console = Console(as_json=as_json)
    if only:
        refuse_beside("there are no jobs with --only files; leave it out", "engine", "gpus")
    if in_memory:
        refuse_beside("--in-memory keeps nothing; leave out one of the two", "home", above=True)

    runs = None if in_memory else RecordedRuns(shared["home"])
    options = local.ServeOptions(only=only or "", accounts=account, clients=client, runs=runs, **chosen)

    def ready(status: EmulatorStatus) -> None:
        if as_json:
            said = {
                "event": "ready",
                **_as_json(status),
                "page": status.page,
                "notices": list(status.notices),
            }
            console.json(said | (_doors_as_json(status.home) if only else {}))
            return
        for notice in status.notices:
            console.line(notice, "yellow")
        console.line(f"serving {status.home} at {status.url}", "bold")
        console.line(f"look at it in a browser: {status.page}")
        if options.development_credentials:
            console.line(_PUBLISHED, "yellow")
        if only:
            for title, text in local.doors_of(status.home).lines():
                console.line(f"{title:>18}  {text}")
            console.line("Ctrl-C ends it; docs/azure-files.md tells more", "dim")
            return
        console.line(
            'run clients with: scenario emulator exec -- COMMAND, or eval "$(scenario emulator env)"   '
            "Ctrl-C ends it",
            "dim",
        )

    with local.home_in_memory() if in_memory else nullcontext(shared["home"]) as home:
        local.serve(home, options, ready)


@emulator.command()
@json_option
@click.pass_obj
def status(shared: dict[str, Any], *, as_json: bool) -> int:
    """Say whether an emulator serves the home folder, where, and what runs on it."""
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    found = local.status(shared["home"])
    problem, remedy = found.problem, found.remedy
    if found.silence is not None and not problem:
        problem, remedy = found.silence.message, found.silence.remedy
    if as_json:
        more = {"notices": list(found.notices), "problem": problem, "remedy": remedy}
        console.json({**_as_json(found), **more})
        return 3 if problem else 0
    if found.url:
        console.line(f"serving {found.home} at {found.url}", "green")
        console.line(f"  process {found.pid}, since {found.started_at}, version {found.version}")
        for notice in found.notices:
            console.line(f"  {notice}", "yellow")
    elif not found.serving:
        console.line(f"no emulator serves {found.home}")
    if problem:
        console.line(f"  {problem}", "red")
        console.line(f"  {remedy}", "dim")
        return 3
    jobs = ", ".join(found.running_jobs) or "none"
    console.line(f"  clusters: {found.clusters}   jobs that are not finished: {jobs}")
    return 0


@emulator.command()
@click.option("--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@json_option
@click.pass_obj
def logs(shared: dict[str, Any], *, follow: bool, as_json: bool) -> None:
    """Show the emulator's own log: requests that failed, what nobody expected, trouble with engines.

    It holds no secrets. What a job itself writes is shown by 'scenario logs RUN'.
    """
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    for line in local.emulator_log(shared["home"], follow=follow):
        if as_json:
            console.json({"line": line})
        else:
            click.echo(line)


@emulator.command()
@json_option
@click.pass_obj
def stop(shared: dict[str, Any], *, as_json: bool) -> None:
    """End the emulator that serves the home folder. Its jobs go on."""
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    stopped = local.stop(shared["home"])
    if as_json:
        console.json({"stopped": stopped})
    else:
        console.line("stopped" if stopped else "no emulator was serving")


@emulator.command()
@click.argument("cluster")
@click.option("--node", default="", metavar="ID", help="Which node; by default one that runs a job.")
@json_option
@click.pass_obj
def preempt(shared: dict[str, Any], cluster: str, *, node: str, as_json: bool) -> None:
    """Take a node from a cluster of low priority, as the service could at any moment.

    CLUSTER is a name or an id. The node's job goes back to the queue; the cluster gets another node.
    """
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    taken = local.preempt(shared["home"], cluster, node)
    if as_json:
        console.json({"node": taken})
    else:
        console.line(f"taken: {taken}")


@emulator.command()
@click.option(
    "--shell",
    type=click.Choice(["bash", "fish", "powershell"]),
    help="For which shell; by default the one that SHELL names, bash's form if it is neither.",
)
@click.option("--passthrough", is_flag=True, help="Let hosts that are not Azure's through.")
@click.option(
    "--direct",
    is_flag=True,
    help="What the backend azure needs to speak to the emulator's own address, without a proxy.",
)
@json_option
@click.pass_obj
def env(shared: dict[str, Any], *, shell: str | None, passthrough: bool, direct: bool, as_json: bool) -> None:
    """Print the variables with which programs find the emulator at Azure's addresses, for eval in a shell.

    These are what 'scenario emulator exec' sets.
    """
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.cli.shells import assignments

    if direct:
        refuse_beside("--direct uses no proxy; leave out one of the two", "passthrough")
    if as_json:
        refuse_beside("--json is for no shell; leave out one of the two", "shell")
    console = Console(as_json=as_json)
    home, environment = shared["home"], shared["environment"]
    if direct:
        variables = local.environment(home)
    else:
        address = local.found_address(home)
        variables = local.interception(home, address, environment, passthrough=passthrough)
    if as_json:
        console.json(variables)
        return
    removed = () if direct else local.REMOVED
    for line in assignments(variables, removed, shell or environment.get("SHELL", "")):
        console.line(line)


@emulator.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--]",
)
@click.option("--passthrough", is_flag=True, help="Let hosts that are not Azure's through.")
@option(
    "--engine",
    type=click.Choice(ENGINE_CHOICES),
    default="auto",
    help="What runs jobs; an emulator that serves already must have been given the same.",
)
@option(
    "--gpus",
    type=click.Choice(["auto", "none", "required", "shared"]),
    default="auto",
    help="Whether jobs get GPUs; the same.",
)
@credential_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execute(
    shared: dict[str, Any],
    /,
    *,
    passthrough: bool,
    account: tuple[str, ...],
    client: tuple[str, ...],
    command: tuple[str, ...],
    **chosen: Any,  # noqa: ANN401 - the other options, which only the emulator minds
) -> int:
    """Run a program that knows only Azure's addresses, with the emulator in their place.

    The emulator that serves the home folder is used; if there is none, one is started and ends with the
    program. Exit code and signals are the program's own.
    """
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import complain

    options = local.ServeOptions(accounts=account, clients=client, **chosen)
    try:
        local.execute(shared["home"], command, shared["environment"], options, passthrough=passthrough)
    except local.CannotExecuteError as error:
        complain(str(error))
        return error.shell_code


def _doors_as_json(home: Path) -> dict[str, Any]:
    from batchai_scenario.backends import local

    doors = local.doors_of(home)
    return {
        "account": doors.account,
        "key": doors.key,
        "fileUrl": doors.file_url,
        "blobUrl": doors.blob_url,
        "httpsUrl": doors.https_url,
        "certificate": doors.certificate,
        "connectionString": doors.connection_string,
    }


def _as_json(status: EmulatorStatus) -> dict[str, Any]:
    return {
        "home": str(status.home),
        "serving": status.serving,
        "url": status.url,
        "pid": status.pid,
        "startedAt": status.started_at,
        "version": status.version,
        "clusters": status.clusters,
        "runningJobs": list(status.running_jobs),
    }
