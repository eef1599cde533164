"""An emulator that can be killed, and what runs for its home."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.local import open_backend

if TYPE_CHECKING:
    from tests.e2e.conftest import Command


class Emulator:
    """An emulator in a process of its own, that can be killed and started again on its home."""

    def __init__(self, command: Command, engine: str) -> None:
        self.command = command
        self.engine = engine
        self.start()

    def start(self) -> None:
        self.process = self.command.start("emulator", "serve", "--engine", self.engine, "--json")
        assert self.process.stdout is not None
        assert self.process.stdout.readline()
        self.backend = open_backend(BackendOptions(home=self.command.home, values={"engine": self.engine}))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        self.backend.close()

    def close(self) -> None:
        self.backend.close()
        self.process.terminate()
        self.process.communicate()


def supervisors(home: Path) -> list[int]:
    """Find the supervisors of the home's tasks, as this machine sees them."""
    mark = f"SCENARIO_TASK={home.resolve()}:".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            ours = any(item.startswith(mark) for item in (folder / "environ").read_bytes().split(b"\0"))
        except OSError:
            continue
        if ours and len(words) > 1 and words[1].endswith(b"/supervisor.sh"):
            found.append(int(folder.name))
    return found
