"""Daemons of a Slurm cluster of this machine, to be stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.proc import marked
from batchai_scenario.emulator.engines.slurm.sandbox import MARKER
from batchai_scenario.emulator.engines.supervisors import await_that

if TYPE_CHECKING:
    from batchai_scenario.emulator.engines.proc import RunningProcess
    from batchai_scenario.emulator.engines.slurm.sandbox import Sandbox


@dataclass
class Daemons:
    """The daemons of a sandbox; whoever starts some again closes this when the sandbox is gone."""

    sandbox: Sandbox
    _again: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def find(self, name: str) -> RunningProcess:
        """Find slurmctld, or the slurmd of a node by the node's name."""
        program, last = ("slurmctld", "") if name == "slurmctld" else ("slurmd", name)
        return next(
            process
            for process in marked(str(self.sandbox.folder), MARKER)
            if process.command[0].endswith(f"/{program}") and last in ("", process.command[-1])
        )

    def kill(self, name: str) -> RunningProcess:
        """Kill a daemon; gives what it was."""
        found = self.find(name)
        os.kill(found.pid, signal.SIGKILL)
        assert await_that(lambda: not self._lives(found), time.monotonic() + 30)
        return found

    def _lives(self, daemon: RunningProcess) -> bool:
        return any(each.pid == daemon.pid for each in marked(str(self.sandbox.folder), MARKER))

    def start(self, daemon: RunningProcess) -> None:
        """Start a daemon again that was killed, as whoever looks after it does."""
        command = [word for word in daemon.command if word != "-c"]  # what it knew, it reads again
        environment = {**self.sandbox.environment, MARKER: str(self.sandbox.folder)}
        self._again.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )

    def queue(self) -> list[str]:
        """List what Slurm runs or would run, once it answers."""
        for _ in range(120):
            with suppress(subprocess.CalledProcessError):
                return self.sandbox.run(
                    "squeue", "--noheader", "--format=%i", "--states=PENDING,RUNNING"
                ).split()
        pytest.fail("Slurm did not answer")

    def close(self) -> None:
        """Wait for daemons that were started here; the sandbox ends them."""
        for process in self._again:
            process.wait()
