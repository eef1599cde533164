"""Several processes on a node: run for real by the shell, as the supervisor runs them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.launch.processes import node_step, own_variables
from batchai_scenario.training.toolkits.base import Process

if TYPE_CHECKING:
    from collections.abc import Sequence

SHELLS = [name for name in ("sh", "bash", "busybox") if shutil.which(name)]


class Node:
    """One node's folders, where a command runs as the supervisor would have it run."""

    def __init__(self, root: Path, number: int, shell: str) -> None:
        self.number, self.shell, self.root = number, shell, root
        self.temp, self.shared, self.logs = root / f"temp {number}", root / "shared", root / "logs"
        for folder in (self.temp, self.shared, self.logs):
            folder.mkdir(exist_ok=True)

    def start(self, processes: Sequence[Process]) -> subprocess.Popen[bytes]:
        step = node_step(processes, self.number, PurePosixPath(self.logs))
        assert step is not None
        shell = ["busybox", "sh"] if self.shell == "busybox" else [self.shell]
        own = own_variables(processes, self.number)
        environment = {
            "PATH": os.environ["PATH"],
            "AZ_BATCHAI_JOB_TEMP": str(self.temp),
            "AZ_BATCHAI_SHARED_JOB_TEMP": str(self.shared),
            **own,
        }
        with Path(step.stdout).open("wb") as out, Path(step.stderr).open("wb") as err:
            return subprocess.Popen(
                [*shell, "-c", step.command], stdout=out, stderr=err, env=environment, start_new_session=True
            )

    def text(self, name: str) -> str:
        return (self.logs / name).read_text()


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def end(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(60)
    finally:
        for other in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getsid(int(other.name)) == process.pid:
                    os.kill(int(other.name), signal.SIGKILL)


def test_one_process_is_its_own_command(tmp_path: Path) -> None:
    step = node_step([Process("run it", role="wk-0")], 0, PurePosixPath(tmp_path))
    assert step is not None
    assert (step.command, step.stdout.name) == ("run it", "stdout-wk-0.txt")
    assert node_step([Process("x")], 1, PurePosixPath(tmp_path)) is None


def test_each_has_files_and_variables_of_its_own(tmp_path: Path, shell: str) -> None:
    texts = ("it's one", 'a "second"', "$third")
    processes = [
        Process('echo "$ME" here; echo "$ME" there >&2', role=f"wk-{index}", variables={"ME": text})
        for index, text in enumerate(texts)
    ]
    node = Node(tmp_path, 0, shell)
    assert end(node.start(processes)) == 0
    for index, text in enumerate(texts):
        assert node.text(f"stdout-wk-{index}.txt") == f"{text} here\n"
        assert node.text(f"stderr-wk-{index}.txt") == f"{text} there\n"


def test_it_lasts_until_the_last_that_is_no_server(tmp_path: Path, shell: str) -> None:
    processes = [
        Process("echo first", role="wk-0"),
        Process("sleep 1; echo last", role="wk-1"),
        Process("while :; do sleep 1; done", role="ps-0", server=True),
    ]
    node = Node(tmp_path, 0, shell)
    assert end(node.start(processes)) == 0
    assert node.text("stdout-wk-1.txt") == "last\n"


@pytest.mark.parametrize("server", [False, True])
def test_the_first_that_fails_ends_it_with_its_code(tmp_path: Path, shell: str, *, server: bool) -> None:
    processes = [
        Process("sleep 60", role="wk-0"),
        Process("exit 7", role="one-that-fails", server=server),
    ]
    assert end(Node(tmp_path, 0, shell).start(processes)) == 7


def test_the_master_waits_for_other_nodes(tmp_path: Path, shell: str) -> None:
    waits = f'until [ -e "{tmp_path}/gate" ]; do sleep 0.1; done; echo 1'
    processes = [Process("echo 0", 0, "0"), Process(waits, 1, "1")]
    master, other = Node(tmp_path, 0, shell), Node(tmp_path, 1, shell)
    first, second = master.start(processes), other.start(processes)
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(0.5)
    (tmp_path / "gate").touch()
    assert (end(second), end(first)) == (0, 0)
    assert other.text("stdout-1.txt") == "1\n"


def test_a_node_of_servers_alone_keeps_nobody_waiting(tmp_path: Path, shell: str) -> None:
    processes = [Process("echo 0", 0, "wk-0"), Process("sleep 60", 1, "ps-0", server=True)]
    assert end(Node(tmp_path, 0, shell).start(processes)) == 0
