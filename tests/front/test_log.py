"""The emulator's own log: what it holds, what it does not, and that what points there is true."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.local import emulator_log
from batchai_scenario.emulator.cluster.loop import Loop
from batchai_scenario.emulator.cluster.room import problem_of
from batchai_scenario.emulator.errors import EngineUnavailable, Problem
from batchai_scenario.emulator.log import EmulatorLog, describe
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.scenarios.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


SECRET = "hunter2"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.make()
    return found


@pytest.fixture
def log(home: Home) -> Iterator[EmulatorLog]:
    found = EmulatorLog(home.log)
    yield found
    found.close()


def fail(secret: str) -> None:
    try:
        int(secret)
    except ValueError as error:
        raise RuntimeError(secret) from error


def test_an_exception_tells_where_and_what_it_is_but_not_its_text() -> None:
    with pytest.raises(RuntimeError) as caught:
        fail(SECRET)
    text = describe(caught.value)
    assert text.count("Traceback") == 2
    assert text.index("ValueError") < text.index("RuntimeError")
    assert "in fail" in text
    assert SECRET not in text
    assert "No such file" in describe(FileNotFoundError(2, "No such file", "/x"))


def test_a_bug_in_the_cluster_room_stands_in_the_log_with_what_it_was_doing(
    home: Home, log: EmulatorLog
) -> None:
    with pytest.raises(RuntimeError) as caught:
        fail(SECRET)
    problem = problem_of(caught.value, "launching job /x/j")
    assert "launching job /x/j" in problem.message
    assert "scenario emulator logs" in problem.message
    loop = Loop(ManualClock())
    loop.start()
    loop.post(lambda: fail(SECRET))
    loop.ask(lambda: None)
    loop.close()
    text = home.log.read_text()
    assert "a bug of ours in launching job /x/j" in text
    assert "RuntimeError" in text
    assert "test_a_bug_in_the_cluster_room" in text, "the action that failed"
    assert SECRET not in text


def test_trouble_with_an_engine_stands_in_the_log(home: Home, log: EmulatorLog) -> None:
    problem_of(EngineUnavailable(Problem("X", "No engine answers."), remedy="Start it."), "placing nodes")
    assert "WARNING placing nodes: No engine answers. Start it." in home.log.read_text()


def test_a_closed_log_hears_no_more(home: Home, log: EmulatorLog) -> None:
    log.close()
    logging.getLogger("batchai_scenario.emulator.cluster").error("late")
    assert not home.log.exists()


def test_requests_that_failed_stand_in_the_log_without_their_secrets(tmp_path: Path) -> None:
    server = EmulatorServer(EmulatorSettings(tmp_path / "home", engine="process", only="files"))
    url = server.start().url
    for path in ("/subscriptions/x?api-version=hunter2", "/account/share/a%0Ab?sig=hunter2"):
        request = urllib.request.Request(f"{url}{path}", headers={"Authorization": "Bearer hunter2"})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        caught.value.close()
    server.close()
    lines = list(emulator_log(tmp_path / "home"))
    assert any("INFO GET /subscriptions/x 401 " in line for line in lines)
    assert any("INFO GET /account/share/a%0Ab 40" in line for line in lines)
    assert "hunter2" not in "".join(lines)


def test_the_command_shows_the_log_the_older_part_first(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(home.root), "emulator", "logs"]) == 0
    assert capsys.readouterr().out == ""
    home.log.with_name("emulator.log.1").write_text("one\n")
    home.log.write_text("two\nthree\n")
    assert main(["--home", str(home.root), "emulator", "logs"]) == 0
    assert capsys.readouterr().out == "one\ntwo\nthree\n"
    assert main(["--home", str(home.root), "emulator", "logs", "--json"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert json.loads(first) == {"line": "one"}


def test_following_sees_what_comes_and_survives_a_rotation(home: Home) -> None:
    def go_on() -> None:
        with home.log.open("a") as file:
            file.write("o\n")

    steps: Iterator[Callable[[], object]] = iter(
        [
            lambda: home.log.write_text("one\ntw"),
            go_on,
            lambda: home.log.rename(home.log.with_name("emulator.log.1")),
            lambda: home.log.write_text("three\n"),
        ]
    )

    def pause(_: float) -> None:
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(emulator_log(home.root, follow=True, pause=pause))
    assert seen == ["one", "two", "three"]
