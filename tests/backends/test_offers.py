"""A backend of somebody else declares its options once, and may plan; nobody needs to know its name."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import click
import pytest

from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.errors import NotSupported, UserError
from batchai_scenario.backends.planning import planned_requests, whereabouts
from batchai_scenario.backends.registry import Registry
from batchai_scenario.scenarios.cli.options import BackendCommand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THEIRS = """
from batchai_scenario.backends.base import PlannedRequest
from batchai_scenario.backends.memory import MemoryBackend
from batchai_scenario.backends.offers import Option, Whereabouts, offered


class Plans:
    def requests(self, options, calls):
        calls(MemoryBackend())
        return [PlannedRequest("POST", f"https://theirs/{options.values.get('colour', 'red')}", None, {})]

    def whereabouts(self, options):
        return Whereabouts(endpoints={"storage": "https://theirs"})


@offered(
    "somebody else's",
    options=(
        Option("colour", "Of the nodes.", ("red", "blue"), "red"),
        Option("how_many", "Nodes.", number=True),
        Option("token", "Theirs.", secret=True),
    ),
    plans=Plans,
)
def open_backend(options):
    return MemoryBackend()


def silent(options):
    return MemoryBackend()
"""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    (tmp_path / "theirs_backend.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(tmp_path)
    names = ("open_backend", "silent")
    yield Registry([EntryPoint(name, f"theirs_backend:{name}", "scenario.backends") for name in names])
    sys.modules.pop("theirs_backend", None)


@pytest.fixture
def options(tmp_path: Path) -> BackendOptions:
    return BackendOptions(home=tmp_path, environment={}, values={})


def test_what_it_declares_is_what_it_takes(registry: Registry, options: BackendOptions) -> None:
    offer = registry.describe("open_backend")
    assert [option.name for option in offer.options or ()] == ["colour", "how_many", "token"]
    registry.open("open_backend", replace(options, values={"colour": "blue", "how_many": "3"})).close()
    for values, field in (
        ({"colour": "green"}, "colour"),
        ({"color": "red"}, "color"),
        ({"how_many": "-1"}, "how_many"),
    ):
        with pytest.raises(UserError) as refused:
            registry.open("open_backend", replace(options, values=values))
        assert refused.value.field == field


def test_it_plans_as_ours_do(registry: Registry, options: BackendOptions) -> None:
    blue = replace(options, values={"colour": "blue"})
    (request,) = planned_requests("open_backend", blue, lambda it: it.ensure_share("x"), registry)
    assert request.url == "https://theirs/blue"
    assert whereabouts("open_backend", blue, registry).endpoints == {"storage": "https://theirs"}
    with pytest.raises(UserError):
        planned_requests("open_backend", replace(options, values={"x": "1"}), lambda _: None, registry)
    with pytest.raises(NotSupported, match="silent") as refused:
        planned_requests("silent", options, lambda _: None, registry)
    assert "open_backend" in refused.value.hint


def test_one_that_declares_nothing_judges_its_options_itself(
    registry: Registry, options: BackendOptions
) -> None:
    registry.open("silent", replace(options, values={"anything": "1"})).close()


def flags_of(*arguments: str) -> set[str]:
    own: list[click.Parameter] = [
        click.Option(["--backend"]),
        click.Option(["--option"], multiple=True),
        click.Option(["--json"]),
    ]
    command = BackendCommand("run", params=own)
    context = click.Context(command)
    command.parse_args(context, list(arguments))
    return {name for parameter in command.get_params(context) for name in parameter.opts}


def test_flags_come_from_the_backend_that_is_chosen() -> None:
    assert {"--engine", "--gpus"} <= flags_of()
    assert {"--engine", "--gpus"} <= flags_of("--backend", "local", "--engine", "process")
    assert "--engine" not in flags_of("--backend=memory")
    assert "--client-id" in flags_of("--backend", "azure")
    assert not {"--client-secret", "--storage-key"} & flags_of("--backend", "azure")


def test_a_wrapper_has_its_flags_and_those_of_the_backend_inside() -> None:
    assert {"--latency", "--of", "--engine"} <= flags_of("--backend", "slow")
    assert "--client-id" in flags_of("--backend", "slow", "--of", "azure")
    assert "--client-id" in flags_of("--backend", "slow", "--option", "of=azure")
    assert "--engine" not in flags_of("--backend", "slow", "--of=memory")
