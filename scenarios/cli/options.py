"""Flags: each has an environment variable of its own, ``SCENARIO_`` and its name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from batchai_scenario.scenarios.cli.completing import backend_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from batchai_scenario.backends.offers import Option

F = TypeVar("F", bound="Callable[..., Any]")


def option(*names: str, **settings: Any) -> Callable[[F], F]:  # noqa: ANN401 - click's own settings
    """Declare a flag; its help names its environment variable and its default."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    settings.setdefault("envvar", "SCENARIO_" + long[2:].upper().replace("-", "_"))
    settings.setdefault("show_envvar", True)
    shown = settings.get("default") not in (None, "") and not settings.get("is_flag")
    settings.setdefault("show_default", shown)
    return click.option(*names, **settings)


def refuse_beside(reason: str, *names: str, above: bool = False) -> None:
    """Refuse flags of the command line that would do nothing beside another one; click.UsageError.

    Environment variables count for all commands, so these may say what this one does not need.

    Args:
        reason: Why they would do nothing; it follows their names.
        names: The parameters of the command's function.
        above: They are flags of ``scenario`` itself.
    """
    context = click.get_current_context()
    context = context.find_root() if above else context
    given = {name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    declared = context.command.get_params(context)
    flags = [parameter.opts[0] for parameter in declared if parameter.name in given]
    if flags:
        raise click.UsageError(f"{' and '.join(flags)}: {reason}", click.get_current_context())


def credential_options(function: F) -> F:
    """Declare --account, --client and --development-credentials."""
    for add in (
        option(
            "--development-credentials",
            is_flag=True,
            help="Know the published credentials, too: whoever reaches the emulator can then run commands as "
            "you and read your files.",
        ),
        option(
            "--client",
            multiple=True,
            metavar="ID:SECRET|@FILE",
            help="A service principal to know besides the home's own, or a file with one on each line; "
            "may be repeated.",
        ),
        option(
            "--account",
            multiple=True,
            metavar="NAME:KEY|@FILE",
            help="A storage account to have besides the home's own, or a file with one on each line; "
            "may be repeated.",
        ),
    ):
        function = add(function)
    return function


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


def job_option(function: F) -> F:
    """Declare --job, of commands that look at a run's files."""
    return option("--job", metavar="NAME", default="", help="Only this job, of a run that has several.")(
        function
    )


def json_option(function: F) -> F:
    """Declare --json: the machine's form of whatever the command says."""
    return option("--json", "as_json", is_flag=True, help="Print JSON.", callback=_remember_json)(function)


def _remember_json(ctx: click.Context, _: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's signature
    ctx.ensure_object(dict)["json"] = value
    return value


def backend_values(ctx: click.Context, options: tuple[str, ...]) -> dict[str, str]:
    """Collect what a backend is told: --option, then its own flags; only what was chosen."""
    values = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--option {text}: write KEY=VALUE")
        values[name] = value
    return {**values, **ctx.meta.get(_VALUES, {})}


_VALUES = f"{__name__}.values"
_BACKEND = f"{__name__}.backend"


class BackendCommand(click.Command):
    """A command that also has the flags of the backend that is chosen: each option that it declares."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Look for the backend first: what flags there are depends on it."""
        backend = _said(args, "--backend") or os.environ.get("SCENARIO_BACKEND", "")
        backend = backend or str(ctx.lookup_default("backend") or "local")
        ctx.meta[_BACKEND] = backend, _said(args, "--of") or _said(args, "--option", "of=") or "local"
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.possibilities:
                raise
            which = f"{error.option_name!r} with the backend {backend!r}"
            text = f"No such option {which}; 'scenario backends' lists the options of each."
            raise click.NoSuchOption(error.option_name, text, ctx=error.ctx) from None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Give the command's own parameters and those of the backend."""
        own = super().get_params(ctx)
        taken = {name for parameter in own for name in parameter.opts}
        backend, inside = ctx.meta.get(_BACKEND) or ("local", "local")
        return [*own[:-1], *_flags(backend, inside, taken), own[-1]]


def _said(args: list[str], flag: str, beginning: str = "") -> str:
    """Give the value of a flag that begins so, without that, as it stands in the command line; or nothing."""
    for index, text in enumerate(args):
        name, equals, value = text.partition("=")
        if name != flag:
            continue
        given = value if equals else "".join(args[index + 1 : index + 2])
        if given.startswith(beginning):
            return given.removeprefix(beginning)
    return ""


def _flags(backend: str, inside: str, taken: set[str]) -> list[click.Parameter]:
    """Make a backend's flags, and those of the backend ``inside`` if it is a wrapper.

    None if it cannot be loaded, which whoever opens it says better.
    """
    from batchai_scenario.backends.errors import ScenarioError
    from batchai_scenario.backends.registry import Registry

    try:
        offer = Registry().describe(backend)
        inner = Registry().describe(inside).options if offer.around and inside != backend else ()
    except ScenarioError:
        return []
    declared = (*(inner or ()), *(offer.options or ()))
    flags = {f"--{it.name.replace('_', '-')}": it for it in declared if not it.secret}
    return [_flag(flag, it) for flag, it in flags.items() if flag not in taken]


def _flag(flag: str, declared: Option) -> click.Parameter:
    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value:
            ctx.meta.setdefault(_VALUES, {})[declared.name] = value

    return click.Option(
        [flag],
        type=click.Choice(declared.choices) if declared.choices else str,
        help=declared.help,
        envvar=None if declared.variable else "SCENARIO_" + declared.name.upper(),
        show_envvar=not declared.variable,
        expose_value=False,
        callback=keep,
    )
