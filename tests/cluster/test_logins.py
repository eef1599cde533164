"""The server that people log in to nodes with, on nodes that are not there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

import asyncssh
import pytest

from batchai_scenario.emulator.cluster.logins import Logins
from batchai_scenario.emulator.cluster.model import ClusterKey, LoginAccount, LoginNode
from batchai_scenario.emulator.cluster.sshdoor import SshDoor
from batchai_scenario.emulator.engines.nodes import make_disk
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.state.home import Home
from tests.cluster.conftest import WORKSPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NODE = LoginNode(ClusterKey(WORKSPACE, "c"), "guid", "tvm-1")
ACCOUNT = LoginAccount("visitor", "let-me-in-1", "")


def _busy(*_: object) -> NoReturn:
    raise EngineError(Problem("NodeBusy", "Node tvm-1 is busy."))


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Callable[..., SshDoor]]:
    made: list[SshDoor] = []

    def make(*, is_there: bool = True, is_stranger: bool = False) -> SshDoor:
        key = tmp_path / "key"
        made.append(SshDoor(key, _busy, print, lambda _: is_there, lambda *_: is_stranger))
        return made[-1]

    yield make
    for door in made:
        door.close()


def log_in(port: int, user: str, password: str) -> tuple[int | None, str]:
    async def run() -> tuple[int | None, str]:
        known = {"password": password, "client_keys": None, "known_hosts": None, "config": None}
        async with asyncssh.connect("127.0.0.1", port, username=user, **known) as connection:
            said = await connection.run("true")
            return said.exit_status, str(said.stderr)

    return asyncio.run(run())


def test_a_node_that_cannot_be_entered_says_why(doors: Callable[..., SshDoor], tmp_path: Path) -> None:
    port = doors().open(NODE, ACCOUNT, 0)
    assert log_in(port, "visitor", "let-me-in-1") == (255, "Node tvm-1 is busy.\n")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_damaged_key_is_made_anew(doors: Callable[..., SshDoor], tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    port = doors().open(NODE, ACCOUNT, 0)
    assert log_in(port, "visitor", "let-me-in-1")[0] == 255
    assert asyncssh.import_private_key((tmp_path / "key").read_bytes())
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize(
    ("user", "password", "options"),
    [
        ("visitor", "let-me-in-2", {}),
        ("visitor", "", {}),
        ("root", "let-me-in-1", {}),
    ],
)
def test_others_are_not_let_in(
    user: str, password: str, options: dict[str, bool], doors: Callable[..., SshDoor]
) -> None:
    port = doors(**options).open(NODE, ACCOUNT, 0)
    with pytest.raises(asyncssh.PermissionDenied):
        log_in(port, user, password)


def test_a_program_of_another_user_is_not_even_asked_who_it_is(doors: Callable[..., SshDoor]) -> None:
    port = doors(is_stranger=True).open(NODE, ACCOUNT, 0)
    with pytest.raises((asyncssh.ConnectionLost, ConnectionError)):
        log_in(port, "visitor", "let-me-in-1")


def test_a_port_that_is_taken_is_not_fought_for(doors: Callable[..., SshDoor]) -> None:
    first = doors()
    port = first.open(NODE, ACCOUNT, 0)
    assert first.open(NODE, ACCOUNT, 0) == port
    assert doors().open(NODE, ACCOUNT, port) not in (0, port)


def test_what_a_killed_emulator_held_open_is_ended_by_the_engine_of_its_node(tmp_path: Path) -> None:
    home = Home(tmp_path)
    heard: list[tuple[object, ...]] = []

    class Recording:
        def __init__(self, name: str) -> None:
            self.name = name

        def stop(self, task_id: str, grace: float) -> None:
            heard.append((self.name, "stop", task_id, grace))
            if self.name == "silent":
                raise EngineError(Problem("InternalError", "No engine answers."))

        def remove(self, task_id: str) -> None:
            heard.append((self.name, "remove", task_id))

    for engine in ("silent", "one of ours"):
        disk = make_disk(home, "guid", f"node of {engine}", {"engine": engine})
        for task in ("login-1", "job"):
            (disk / "control" / task).mkdir()
    nothing: Any = None
    engines: Any = Recording
    Logins(home, engines, nothing, lambda _: None, lambda _: {}, lambda *_: False).forget_left()
    assert sorted(heard) == [
        ("one of ours", "remove", "login-1"),
        ("one of ours", "stop", "login-1", 0.0),
        ("silent", "stop", "login-1", 0.0),
    ]
