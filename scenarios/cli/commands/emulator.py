"""``scenario emulator``: serve, status, stop, reset, gc, env."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from scenarios.cli.options import json_option, option

if TYPE_CHECKING:
    from backends.local import EmulatorStatus


@click.group()
def emulator() -> None:
    """Serve, look at, stop and clean the emulator of Batch AI that keeps its state in the home folder."""


@emulator.command()
@option("--host", default="127.0.0.1", help="Address to listen on; anything but loopback is open to others.")
@option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port; 0 takes a free one, the last one if it is free.",
)
@option("--engine", type=click.Choice(["auto", "docker", "process"]), default="auto", help="What runs jobs.")
@option(
    "--gpus", type=click.Choice(["auto", "none", "required"]), default="auto", help="Whether jobs get GPUs."
)
@option("--strict", is_flag=True, help="Keep the service's own pace: clients wait 15 s between two looks.")
@json_option
@click.pass_obj
def serve(
    shared: dict[str, Any], *, host: str, port: int, engine: str, gpus: str, strict: bool, as_json: bool
) -> None:
    """Serve until Ctrl-C. Jobs that run when it ends go on, and are found again by the next one."""
    from backends import local
    from scenarios.cli.console import Console

    console = Console(as_json=as_json)

    def ready(status: EmulatorStatus) -> None:
        if as_json:
            console.json({"event": "ready", **_as_json(status)})
            return
        console.line(f"serving {status.home} at {status.url}", "bold")
        console.line('clients find it with: eval "$(scenario emulator env)"   Ctrl-C ends it', "dim")

    local.serve(shared["home"], host=host, port=port, engine=engine, gpus=gpus, strict=strict, ready=ready)


@emulator.command()
@json_option
@click.pass_obj
def status(shared: dict[str, Any], *, as_json: bool) -> None:
    """Say whether an emulator serves the home folder, where, and what runs on it."""
    from backends import local
    from scenarios.cli.console import Console

    console = Console(as_json=as_json)
    found = local.status(shared["home"])
    if as_json:
        console.json(_as_json(found))
        return
    if found.serving:
        console.line(f"serving {found.home} at {found.url}", "green")
        console.line(f"  process {found.pid}, since {found.started_at}, version {found.version}")
    else:
        console.line(f"no emulator serves {found.home}")
    jobs = ", ".join(found.running_jobs) or "none"
    console.line(f"  clusters: {found.clusters}   jobs that are not finished: {jobs}")


@emulator.command()
@json_option
@click.pass_obj
def stop(shared: dict[str, Any], *, as_json: bool) -> None:
    """End the emulator that serves the home folder. Its jobs go on."""
    from backends import local
    from scenarios.cli.console import Console

    console = Console(as_json=as_json)
    stopped = local.stop(shared["home"])
    if as_json:
        console.json({"stopped": stopped})
    else:
        console.line("stopped" if stopped else "no emulator was serving")


@emulator.command()
@click.option("--force", is_flag=True, help="Also if jobs are not finished: they are ended.")
@json_option
@click.pass_obj
def reset(shared: dict[str, Any], *, force: bool, as_json: bool) -> None:
    """Delete all that the emulator keeps: resources, shares and their files. Caches and run records stay."""
    from backends import local

    _removed(local.reset(shared["home"], force=force), as_json=as_json)


@emulator.command()
@json_option
@click.pass_obj
def gc(shared: dict[str, Any], *, as_json: bool) -> None:
    """Remove containers, networks and folders of ours that belong to nothing any more."""
    from backends import local

    _removed(local.gc(shared["home"]), as_json=as_json)


@emulator.command()
@json_option
@click.pass_obj
def env(shared: dict[str, Any], *, as_json: bool) -> None:
    """Print the variables that point other clients at the emulator, for eval in a shell."""
    from backends import local
    from scenarios.cli.console import Console

    console = Console(as_json=as_json)
    variables = local.environment(shared["home"])
    if as_json:
        console.json(variables)
        return
    for name, value in variables.items():
        console.line(f"export {name}={shlex.quote(value)}")


def _removed(lines: list[str], *, as_json: bool) -> None:
    from scenarios.cli.console import Console

    console = Console(as_json=as_json)
    if as_json:
        console.json({"removed": lines})
        return
    for line in lines:
        console.line(line)
    if not lines:
        console.line("nothing to remove")


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
