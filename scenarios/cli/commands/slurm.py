"""``scenario emulator slurm-sandbox``."""

from __future__ import annotations

import subprocess
import threading
from contextlib import suppress
from typing import Any

import click

from batchai_scenario.scenarios.cli.options import json_option, option


@click.command(
    "slurm-sandbox",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[OPTIONS] [--]",
)
@option(
    "--nodes", type=click.IntRange(1, 64), default=2, envvar=None, show_envvar=False, help="How many nodes."
)
@json_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def slurm_sandbox(shared: dict[str, Any], *, nodes: int, as_json: bool, command: tuple[str, ...]) -> int:
    """Start a Slurm cluster of this machine alone, to try the engine slurm on, and take it away again.

    It stays until Ctrl-C, or until COMMAND ends, whose exit code is given then. The home folder has settings
    for it meanwhile. It needs Debian's packages slurm-wlm and munge, and no root.
    """
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    with local.slurm_sandbox(shared["home"], nodes) as folder:
        if command:
            return _run(command)
        configuration = folder / "slurm.conf"
        if as_json:
            console.json({"event": "ready", "nodes": nodes, "slurmConf": str(configuration)})
        else:
            console.line(f"a Slurm cluster of {nodes} nodes runs in {folder}", "bold")
            console.line("in another terminal: scenario run hello --backend local --engine slurm")
            console.line(f"Slurm's own commands see it with: export SLURM_CONF={configuration}")
            console.line("Ctrl-C ends it and takes all of it away", "dim")
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


def _run(command: tuple[str, ...]) -> int:
    """Run a command to its end, which is its own also when Ctrl-C asked for it."""
    try:
        with subprocess.Popen(command) as process:
            while True:
                with suppress(KeyboardInterrupt):
                    code = process.wait()
                    break
    except FileNotFoundError:
        raise click.UsageError(f"there is no program {command[0]}") from None
    return 128 - code if code < 0 else code
