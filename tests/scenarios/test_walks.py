"""Walks over output directories end, whatever a service lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.base import OutputFile
from batchai_scenario.backends.errors import BackendError, Interrupted
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.run.files import DEEPEST, JobFiles, safe_target
from tests.scenarios.test_runner import Wrapped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.worlds import World


class Endless:
    """Lists one file and one folder in every folder."""

    def __init__(self) -> None:
        self.asked = 0

    def list_outputs(self, job: str, directory: str, path: str = "") -> list[OutputFile]:
        self.asked += 1
        below = f"{path}/" if path else ""
        return [OutputFile(f"{below}a", None), OutputFile(f"{below}f", 1)]


def test_a_walk_goes_no_deeper_than_a_path_can_be() -> None:
    backend = Endless()
    files = JobFiles(backend, "job", {})  # type: ignore[arg-type]
    assert len(list(files.walk("OUT"))) == backend.asked == DEEPEST
    assert files.cut == {"OUT": f"it holds more than {DEEPEST} folders one below the other"}


def test_a_walk_has_a_bound() -> None:
    files = JobFiles(Endless(), "job", {})  # type: ignore[arg-type]
    assert len(list(files.walk("OUT", most=10))) <= 10
    assert files.cut == {"OUT": "it holds more than 10 files"}


def test_a_walk_asks_before_every_folder_whether_to_go_on() -> None:
    backend = Endless()

    def check() -> None:
        if backend.asked == 3:
            raise Interrupted("interrupted")

    with pytest.raises(Interrupted):
        list(JobFiles(backend, "job", {}, check).walk("OUT"))  # type: ignore[arg-type]
    assert backend.asked == 3


def test_a_run_is_interrupted_while_it_looks_at_outputs(world: World) -> None:
    asked = 0

    def endless(job: str, directory: str, path: str = "") -> Any:
        nonlocal asked
        if directory == "stdouterr":
            return world.memory.list_outputs(job, directory, path)
        asked += 1
        if asked == 3:
            world.waiting.stop.set()
        return Endless().list_outputs(job, directory, path)

    world.backend = Wrapped(world.memory, list_outputs=endless)
    event = world.run()
    assert (event.state, event.exit_code) == ("interrupted", 130)
    assert asked < 3 + DEEPEST + 10
    assert world.empty


def test_what_was_not_listed_is_said(world: World) -> None:
    def deep(job: str, directory: str, path: str = "") -> Any:
        listed = world.memory.list_outputs(job, directory, path if directory == "stdouterr" else "")
        return (
            listed if directory == "stdouterr" else [*listed, *Endless().list_outputs(job, directory, path)]
        )

    world.backend = Wrapped(world.memory, list_outputs=deep)
    world.run()
    why = f"it holds more than {DEEPEST} folders one below the other"
    text = f"output directory MODEL is not listed whole: {why}"
    assert text in world.record.record.jobs["train"].notices
    assert text in [event.text for event in world.heard(e.Notice) if isinstance(event, e.Notice)]


@pytest.mark.parametrize("name", ["..", "a/../b", "", "a//b", ".", "a\0b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(BackendError, match="not safe"):
        safe_target(tmp_path, "OUT", name)


def test_an_interrupt_is_heard_between_two_blocks(tmp_path: Path) -> None:
    class Big(Endless):
        def read_output(self, job: str, directory: str, path: str, offset: int = 0) -> Any:
            yield b"x"
            yield b"x"

    def check() -> None:
        raise Interrupted("interrupted")

    files = JobFiles(Big(), "job", {}, check)  # type: ignore[arg-type]
    with pytest.raises(Interrupted):
        files.save("OUT", OutputFile("f", 2), tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
