"""``scenario completion``."""

from __future__ import annotations

import click

VARIABLE = "_SCENARIO_COMPLETE"

INSTALL = {
    "bash": 'eval "$(scenario completion bash)"      in ~/.bashrc',
    "zsh": 'eval "$(scenario completion zsh)"       in ~/.zshrc',
    "fish": "scenario completion fish | source       in ~/.config/fish/config.fish",
}


@click.command(epilog="\n\n".join(INSTALL.values()))
@click.argument("shell", type=click.Choice(list(INSTALL)))
def completion(shell: str) -> None:
    """Print what a SHELL runs to complete commands, flags, scenarios, runs and backends.

    Put one of these lines where it stands:
    """
    from click.shell_completion import get_completion_class

    from batchai_scenario.scenarios.cli.app import scenario

    found = get_completion_class(shell)
    if found is None:  # a shell that this version of click has forgotten
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(found(scenario, {}, "scenario", VARIABLE).source())
