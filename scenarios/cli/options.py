"""Flags: each has an environment variable of its own, ``SCENARIO_`` and its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from batchai_scenario.scenarios.cli.completing import backend_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

F = TypeVar("F", bound="Callable[..., Any]")


def option(*names: str, **settings: Any) -> Callable[[F], F]:  # noqa: ANN401 - click's own settings
    """Declare a flag; its help names its environment variable and its default."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    settings.setdefault("envvar", "SCENARIO_" + long[2:].upper().replace("-", "_"))
    settings.setdefault("show_envvar", True)
    settings.setdefault("show_default", settings.get("default") is not None and not settings.get("is_flag"))
    return click.option(*names, **settings)


def time_span(_ctx: click.Context, _: click.Parameter, value: str | None) -> timedelta | None:
    """Read a time span such as 30m; click.BadParameter."""
    from batchai_scenario.scenarios.report.text import parse_duration

    try:
        return None if value is None else parse_duration(str(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def backend_options(function: F) -> F:
    """Declare the flags that choose a backend and what it is told."""
    for add in reversed(
        (
            option(
                "--backend",
                default="local",
                metavar="NAME",
                help="Where to run.",
                shell_complete=backend_names,
            ),
            option(
                "--engine", type=click.Choice(["auto", "docker", "process"]), help="What runs jobs (local)."
            ),
            option(
                "--gpus",
                type=click.Choice(["auto", "none", "required"]),
                help="Whether jobs get GPUs (local).",
            ),
            option(
                "--option",
                "options",
                multiple=True,
                metavar="KEY=VALUE",
                help="Something else that the backend knows.",
            ),
        )
    ):
        function = add(function)
    return function


def set_option(function: F) -> F:
    """Declare --set."""
    return option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set a parameter of the scenario; may be repeated.",
    )(function)


def json_option(function: F) -> F:
    """Declare --json: the machine's form of whatever the command says."""
    return option("--json", "as_json", is_flag=True, help="Print JSON.", callback=_remember_json)(function)


def _remember_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's signature
    ctx.ensure_object(dict)["json"] = value
    return value


def backend_values(engine: str | None, gpus: str | None, options: tuple[str, ...]) -> dict[str, str]:
    """Collect what a backend is told; only what was chosen."""
    values = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--option {text}: write KEY=VALUE")
        values[name] = value
    values.update({name: value for name, value in (("engine", engine), ("gpus", gpus)) if value})
    return values
