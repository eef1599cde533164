"""Allocations as Slurm lists them: whose they are, and whose home is gone."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.slurm.allocations import Allocations
from batchai_scenario.emulator.engines.slurm.commands import SlurmCommands
from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    from pathlib import Path


class Listed(SlurmCommands):
    """Slurm with these allocations: the home of each, and its state."""

    def __init__(self, *homes: tuple[str, str]) -> None:
        super().__init__()
        self.homes = list(homes)
        self.cancelled: list[tuple[str, ...]] = []

    def run(self, *command: str, stdin: str = "", timeout: float = 0) -> str:
        del stdin, timeout
        if command[0] == "scancel":
            self.cancelled.append(command[2:])
            return ""
        assert command[0] == "squeue"
        lines = [
            f"{number}|{state}|n1|None|scenario {socket.gethostname()} {home}:cluster:node"
            for number, (home, state) in enumerate(self.homes, 1)
        ]
        return "".join(f"{line}\n" for line in (*lines, "99|RUNNING|n2|None|somebody's own"))


def test_what_a_killed_controller_forgot_is_cancelled_again(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    slurm = Listed((str(home.root), "COMPLETING"))
    allocations = Allocations(home, slurm)
    allocations.cancel(["7"])
    assert slurm.cancelled == [("7",)]
    slurm.homes = [(str(home.root), "RUNNING")] * 7
    assert len(allocations.look()) == 7
    assert slurm.cancelled == [("7",), ("7",)]


def test_only_a_home_of_our_own_file_system_is_known_to_be_gone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    slurm = Listed(
        (str(home.root), "RUNNING"),
        (str(tmp_path / "gone"), "RUNNING"),
        (str(tmp_path / "all of it" / "gone"), "PENDING"),
        (str(tmp_path / "gone"), "COMPLETING"),
        ("/proc/not-mounted/home", "RUNNING"),
    )
    allocations = Allocations(home, slurm)
    assert [each.job for each in allocations.of_homes_that_are_gone()] == ["2", "3"]
    assert [(each.job, cluster) for each, cluster in allocations.of_home()] == [("1", "cluster")]
