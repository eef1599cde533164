"""The quickstart's network on Slurm's nodes: CNTK learns there what it learns as processes here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
from batchai_scenario.emulator.state.home import Home
from tests.e2e.conftest import Command
from tests.lacking import need_slurm

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slurm, pytest.mark.cntk, pytest.mark.network, pytest.mark.timeout(1500)]


@pytest.mark.endurance
def test_losses_are_those_of_the_process_engine(tmp_path: Path) -> None:
    need_slurm()
    home = Home(tmp_path / "home")
    home.make()
    scenario = Command(home.root)
    chosen = ("--set", "digits=10048", "--set", "epochs=1")

    def losses(engine: str, nodes: int) -> list[tuple[str, ...]]:
        run = ("run", "mnist", "--backend", "local", "--engine", engine, "--set", f"nodes={nodes}", *chosen)
        finished = scenario.events(*run, timeout=700)[-1]
        assert (finished["state"], finished["exitCode"]) == ("succeeded", 0)
        log = scenario("logs", finished["run"]).stdout
        return re.findall(r"Epoch 1 of 1: loss (\S+), error (\S+) %, (\d+) samples", log)

    with slurm_sandbox(2, home.slurm_settings):
        for nodes in (1, 2):
            learned = losses("slurm", nodes)
            assert len(learned) == 1
            assert learned == losses("process", nodes), f"on {nodes} nodes"
