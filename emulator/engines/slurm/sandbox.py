"""A Slurm cluster of this machine alone, to try things on: Debian's daemons in a folder of their own.

The daemons belong to a guard, a process that ends them and deletes the folder as soon as its standard input
closes: so also when whoever opened the sandbox is killed. Nothing needs root, and no port is fixed.
"""

from __future__ import annotations

import getpass
import json
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

from batchai_scenario.emulator.engines.proc import RunningProcess, end, marked, named, with_descendants
from batchai_scenario.emulator.errors import EngineUnavailable, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MARKER = "SCENARIO_SLURM_SANDBOX"
"""Environment variable of every daemon of a sandbox: its folder."""

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "sinfo", "squeue")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_START, _TRIES = 30.0, 3
_POLL = 0.02

_DEVICES = ("/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
GPUS = len(_DEVICES)
"""How many GPUs a node can say to have: Slurm wants a device of each, and nobody opens it."""


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
def slurm_sandbox(nodes: int = 2, settings: Path | None = None, gpus: int = 0) -> Iterator[Sandbox]:
    """Start a cluster, all of whose nodes are idle; afterwards nothing of it and its jobs is left.

    Args:
        nodes: how many.
        settings: a home's ``slurm.yaml``, which is written for the time of the sandbox.
        gpus: how many each node says to have; they are none, but Slurm gives them out. At most GPUS.

    Raises:
        EngineUnavailable: programs are missing, the home has such a file already, or a daemon did not start,
            with what its log says.
    """
    lacking = missing()
    if lacking:
        raise EngineUnavailable(
            Problem("SlurmUnavailable", f"A Slurm cluster cannot be started here: {lacking}."),
            "Install them (Debian, Ubuntu: apt-get install slurm-wlm munge); their services need not run.",
        )
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        if settings is not None:
            _write_settings(settings, folder)
        with subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder), str(nodes), str(gpus), str(settings or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            text=True,
            start_new_session=True,
        ) as guard:
            assert guard.stdin is not None  # noqa: S101 - it is a pipe
            assert guard.stdout is not None  # noqa: S101
            said = guard.stdout.readline().strip()
            if said != "ready":
                text = f"The Slurm sandbox did not start: {said}{guard.stdout.read()}"
                raise EngineUnavailable(Problem("SlurmUnavailable", text.strip()))
            try:
                yield Sandbox(folder, guard.pid)
            finally:
                guard.stdin.close()
                guard.wait()
    finally:
        take_away(folder, settings)  # the guard may have been killed


def _write_settings(file: Path, folder: Path) -> None:
    """Write a home's settings for the sandbox in a folder; EngineUnavailable if it has some."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = [
        f"# for the sandbox in {folder}, and gone with it",
        f"shared_folder: {json.dumps(str(file.parent))}",
        f"slurm_conf: {json.dumps(str(folder / 'slurm.conf'))}",
        'sizes: {"*": {partition: all}}',
    ]
    try:
        with file.open("x") as written:
            written.write("".join(f"{line}\n" for line in lines))
    except FileExistsError:
        raise EngineUnavailable(
            Problem("InvalidSlurmSettings", f"{file} is there already, for a cluster of your own."),
            "Name another home for the sandbox with SCENARIO_HOME.",
        ) from None


def processes(folder: Path) -> list[RunningProcess]:
    """Find the daemons of a sandbox and what runs on it; whoever only speaks to it is none of these.

    A slurmstepd overwrites its variables, but keeps the log of its slurmd open; what a job starts has the
    variables of Slurm's jobs and the sandbox's configuration.
    """
    jobs = {process.pid for process in marked(variable="SLURM_JOB_ID")}
    found = [each for each in marked(str(folder / "slurm.conf"), "SLURM_CONF") if each.pid in jobs]
    found += marked(str(folder), MARKER)
    found += [each for each in named("slurmstepd") if _has_open(each.pid, folder)]
    return with_descendants(found)


def _has_open(pid: int, folder: Path) -> bool:
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(file.readlink()).startswith(f"{folder}/"):
                    return True
    return False


def take_away(folder: Path, settings: Path | None = None) -> None:
    """Kill what belongs to a sandbox until nothing does, then delete its folder and the settings for it."""
    while found := processes(folder):
        end(found, 1.0)
    if settings is not None:
        with suppress(OSError):
            if str(folder) in settings.read_text():
                settings.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _write_configuration(folder: Path, nodes: int, gpus: int) -> None:
    with ExitStack() as stack:  # all at once, so that no two are the same
        free = [stack.enter_context(socket.socket()) for _ in range(nodes + 1)]
        for each in free:
            each.bind(("", 0))
        control, *ports = (each.getsockname()[1] for each in free)
    name, user, processors = socket.gethostname(), getpass.getuser(), os.cpu_count() or 1
    gres = f" Gres=gpu:{gpus}" if gpus else ""
    (folder / "gres.conf").write_text("".join(f"Name=gpu File={each}\n" for each in _DEVICES[:gpus]))
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
        "ReturnToService=1",  # what somebody sets down stays so
        "SlurmdTimeout=60",  # a machine under load is no lost node
        "MessageTimeout=30",
        "KillWait=2",
        "SchedulerParameters=sched_interval=1,batch_sched_delay=0",
        "SlurmdParameters=config_overrides",
        *(
            f"NodeName=n{i} NodeHostname={name} NodeAddr=127.0.1.{i} Port={port} CPUs={processors}{gres}"
            for i, port in enumerate(ports, 1)
        ),
        *(["GresTypes=gpu"] if gpus else []),
        "PartitionName=all Nodes=ALL Default=YES State=UP",
    ]
    (folder / "slurm.conf").write_text("".join(f"{line}\n" for line in lines))


def _start(folder: Path, nodes: int, gpus: int) -> str:
    """Start the daemons; give why that failed, empty: all nodes are idle."""
    _write_configuration(folder, nodes, gpus)
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), MARKER: str(folder)}
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


def keep(folder: Path, nodes: int, gpus: int, settings: Path | None) -> None:
    """Keep a sandbox until standard input closes; ``settings`` go with it."""
    for name in ("state", *(f"spool-n{i}" for i in range(1, nodes + 1))):
        (folder / name).mkdir()
    key = os.open(folder / "munge.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(key, "wb") as file:
        file.write(secrets.token_bytes(128))
    try:
        for _ in range(_TRIES):  # somebody may have taken a port meanwhile
            if not (why := _start(folder, nodes, gpus)):
                break
        sys.stdout.write(f"{why or 'ready'}\n")
        sys.stdout.flush()
        if not why:
            sys.stdin.read()
    finally:
        take_away(folder, settings)


if __name__ == "__main__":
    _folder, _nodes, _gpus, _settings = sys.argv[1:]
    keep(Path(_folder), int(_nodes), int(_gpus), Path(_settings) if _settings else None)
