"""A Slurm cluster of this machine alone, to try things on: Debian's daemons in a folder of their own.

The daemons belong to a guard, a process that ends them and deletes the folder as soon as its standard input
closes: so also when whoever opened the sandbox is killed. Nothing needs root, and no port is fixed.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "sinfo", "squeue")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_START, _TRIES = 30.0, 3
_POLL = 0.02


def missing() -> str:
    """Say which programs of Slurm and munge this machine lacks; empty: none."""
    lacking = [name for name in PROGRAMS if _program(name) is None]
    return f"there is no program {', '.join(lacking)} (Debian: slurm-wlm, munge)" if lacking else ""


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}")


@dataclass(frozen=True)
class Sandbox:
    """A cluster with nodes named n1, n2, ... in the partition ``all``; ``guard``: process id of its guard."""

    folder: Path
    guard: int

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which Slurm's commands speak to this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str) -> str:
        """Run a command of Slurm's and give what it printed; CalledProcessError if it failed."""
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=self.environment, timeout=60
        ).stdout


@contextmanager
def slurm_sandbox(nodes: int = 2) -> Iterator[Sandbox]:
    """Start a cluster, all of whose nodes are idle; afterwards nothing of it and its jobs is left.

    Raises:
        RuntimeError: a daemon did not start, with what its log says.
    """
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        with subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder), str(nodes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
            start_new_session=True,
        ) as guard:
            assert guard.stdin is not None
            assert guard.stdout is not None
            said = guard.stdout.readline().strip()
            if said != "ready":
                message = f"the Slurm sandbox did not start: {said}{guard.stdout.read()}"
                raise RuntimeError(message)
            try:
                yield Sandbox(folder, guard.pid)
            finally:
                guard.stdin.close()
                guard.wait()
    finally:
        take_away(folder)  # the guard may have been killed


def processes(folder: Path) -> Iterator[psutil.Process]:
    """Find the daemons of a sandbox and what runs on it, by the configuration that they were told.

    A slurmstepd overwrites its variables, but keeps the log of its slurmd open.
    """
    marker = str(folder / "slurm.conf")
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "slurmstepd":
                ours = any(name.startswith(f"{folder}/") for name in _opened(process.pid))
            else:
                ours = process.environ().get("SLURM_CONF") == marker
            if ours and process.pid != os.getpid():
                yield process


def _opened(pid: int) -> Iterator[str]:
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            yield str(file.readlink())


def take_away(folder: Path) -> None:
    """Kill what belongs to a sandbox until nothing does, then delete its folder."""
    while found := list(processes(folder)):
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=1)
    shutil.rmtree(folder, ignore_errors=True)


def _write_configuration(folder: Path, nodes: int) -> None:
    with ExitStack() as stack:  # all at once, so that no two are the same
        free = [stack.enter_context(socket.socket()) for _ in range(nodes + 1)]
        for each in free:
            each.bind(("", 0))
        control, *ports = (each.getsockname()[1] for each in free)
    name, user, processors = socket.gethostname(), getpass.getuser(), os.cpu_count() or 1
    lines = [
        "ClusterName=sandbox",
        f"SlurmctldHost={name}(127.0.0.1)",
        f"SlurmctldPort={control}",
        f"SlurmUser={user}",
        f"SlurmdUser={user}",
        "AuthType=auth/munge",
        f"AuthInfo=socket={folder}/munge.socket",
        f"StateSaveLocation={folder}/state",
        f"SlurmdSpoolDir={folder}/spool-%n",
        f"SlurmctldPidFile={folder}/slurmctld.pid",
        f"SlurmdPidFile={folder}/slurmd-%n.pid",
        f"SlurmctldLogFile={folder}/slurmctld.log",
        f"SlurmdLogFile={folder}/slurmd-%n.log",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SelectType=select/cons_tres",
        "MpiDefault=none",
        "ReturnToService=2",
        "SlurmdTimeout=10",
        "KillWait=2",
        "SchedulerParameters=sched_interval=1,batch_sched_delay=0",
        "SlurmdParameters=config_overrides",
        *(
            f"NodeName=n{i} NodeHostname={name} NodeAddr=127.0.1.{i} Port={port} CPUs={processors}"
            for i, port in enumerate(ports, 1)
        ),
        "PartitionName=all Nodes=ALL Default=YES State=UP",
    ]
    (folder / "slurm.conf").write_text("".join(f"{line}\n" for line in lines))


def _start(folder: Path, nodes: int) -> str:
    """Start the daemons; give why that failed, empty: all nodes are idle."""
    _write_configuration(folder, nodes)
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
    munge = ["--force", f"--key-file={folder}/munge.key", f"--socket={folder}/munge.socket"]
    munge += [f"--{what}-file={folder}/munge.{what}" for what in ("pid", "log", "seed")]
    commands: list[Sequence[str]] = [["munged", "--foreground", *munge], ["slurmctld", "-D", "-c"]]
    commands += [["slurmd", "-D", "-N", f"n{i}"] for i in range(1, nodes + 1)]
    daemons: list[subprocess.Popen[bytes]] = []
    deadline = time.monotonic() + _START
    with (folder / "daemons.log").open("ab") as log:
        for name, *rest in commands:
            command = ["setpriv", "--pdeathsig", "KILL", str(_program(name)), *rest]
            daemons.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
            while name == "munged" and not (folder / "munge.socket").exists() and _alive(daemons, deadline):
                time.sleep(_POLL)
    ask = ["sinfo", "--noheader", "--Node", "--format=%T"]
    while _alive(daemons, deadline):
        said = subprocess.run(ask, check=False, capture_output=True, text=True, env=environment)
        if said.stdout.split() == ["idle"] * nodes:
            return ""
        time.sleep(_POLL)
    for daemon in daemons:
        daemon.kill()
        daemon.wait()
    return (folder / "daemons.log").read_text(errors="replace")[-2000:] or "its nodes did not become idle"


def _alive(daemons: list[subprocess.Popen[bytes]], deadline: float) -> bool:
    return time.monotonic() < deadline and all(daemon.poll() is None for daemon in daemons)


def keep(folder: Path, nodes: int) -> None:
    """Keep a sandbox until standard input closes."""
    for name in ("state", *(f"spool-n{i}" for i in range(1, nodes + 1))):
        (folder / name).mkdir()
    key = os.open(folder / "munge.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(key, "wb") as file:
        file.write(secrets.token_bytes(128))
    try:
        for _ in range(_TRIES):  # somebody may have taken a port meanwhile
            if not (why := _start(folder, nodes)):
                break
        sys.stdout.write(f"{why or 'ready'}\n")
        sys.stdout.flush()
        if not why:
            sys.stdin.read()
    finally:
        take_away(folder)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]))
