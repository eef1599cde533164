"""Looks at the world itself, past the backend: shares as folders, the engine, the process table.

What a probe knows is what docs/ tells everybody: where a share's folder is, which label a container has and
which variable marks a process. It shares no code with what it looks at.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from batchai_scenario.backends.base import JobState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.backends.memory import MemoryWorld

LARGE = 32 * 1024 * 1024
"""Files above this many bytes are data, and not searched for secrets."""


class Probes(Protocol):
    """What can be looked at without asking the backend."""

    def describe(self) -> str:
        """Say what is looked at, for the report."""
        ...

    def share_folder(self, share: str) -> Path | None:
        """Give the folder that is the share; None if it is none on this machine."""
        ...

    def running(self) -> list[str]:
        """List what runs for jobs of this backend, a line each."""
        ...

    def left(self) -> list[str]:
        """List what jobs and clusters hold: what runs, and networks, containers, folders of nodes."""
        ...

    def traces(self, secret: str) -> list[str]:
        """Tell where a secret shows that others may see or keep."""
        ...


class ModelProbes:
    """Looks into the model's world, past its backend."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world

    def describe(self) -> str:
        """Say what is looked at."""
        return "the model's own records"

    def share_folder(self, share: str) -> Path | None:  # noqa: ARG002 - the interface's
        """Give nothing: the model's shares are no folders."""
        return None

    def running(self) -> list[str]:
        """List the jobs that run."""
        with self._world.lock:
            return [job.name for job in self._world.jobs.values() if job.status.state is JobState.RUNNING]

    def left(self) -> list[str]:
        """List the jobs that run, and the clusters."""
        return self.running() + [cluster.id for cluster in self._world.clusters.values()]

    def traces(self, secret: str) -> list[str]:
        """Search the shares."""
        with self._world.lock:
            return [
                f"{share}/{path}"
                for share, files in self._world.shares.items()
                for path, content in files.items()
                if secret.encode() in content
            ]


class LocalProbes:
    """Looks at a home folder of the backend ``local``, at Docker and at the process table.

    ``engine`` is the backend's option; Docker is not asked if it is ``process``.
    """

    def __init__(self, home: Path, *, engine: str) -> None:
        self._home = home.resolve()
        self._docker = engine != "process"

    def describe(self) -> str:
        """Say what is looked at."""
        docker = f", {self._engine()}" if self._docker else ""
        return f"the share's folder, the home folder{docker}, the process table"

    def _engine(self) -> str:
        """Name the Docker engine and its version."""
        import docker

        try:
            client = docker.APIClient()
        except docker.errors.DockerException:
            return "no Docker engine"
        try:
            return f"the Docker engine {client.version()['Version']}"
        finally:
            client.close()

    def share_folder(self, share: str) -> Path | None:
        """Give ``<home>/storage/<account>/<share>``."""
        return next(iter(self._home.glob(f"storage/*/{share}")), None)

    def running(self) -> list[str]:
        """List processes that carry this home's mark, and containers that run with its label."""
        processes = [f"process {pid}: {command}" for pid, command in self._processes()]
        return processes + [f"container {name}" for name, running in self._containers() if running]

    def left(self) -> list[str]:
        """List what runs, and this home's containers, networks and folders of nodes."""
        held = self.running() + [f"container {name}" for name, _ in self._containers()]
        held += [f"network {name}" for name in self._networks()]
        return sorted({*held, *(f"folder {path}" for path in (self._home / "nodes").glob("*/*"))})

    def traces(self, secret: str) -> list[str]:
        """Search command lines, what Docker tells of containers, and every file of the home."""
        wanted = secret.encode()
        found = [
            f"command line of process {folder.name}"
            for folder in _proc()
            if wanted in _read(folder / "cmdline")
        ]
        found += [f"container {name}" for name in self._containers_with(secret)]
        found += [str(path) for path in self._files(len(wanted)) if wanted in _read(path)]
        return found

    def _files(self, least: int) -> Iterator[Path]:
        """Give the home's files that have at least so many bytes, and are not data."""
        for folder, _, names in os.walk(self._home):
            for name in names:
                path = Path(folder, name)
                with suppress(OSError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode) and least <= status.st_size < LARGE:
                        yield path

    def _processes(self) -> Iterator[tuple[int, str]]:
        mark = f"SCENARIO_TASK={self._home}:".encode("utf-8", "surrogateescape")
        for folder in _proc():
            if any(entry.startswith(mark) for entry in _read(folder / "environ").split(b"\0")):
                command = _read(folder / "cmdline").replace(b"\0", b" ").decode(errors="replace")
                if command:  # a process that has ended and was not waited for has none
                    yield int(folder.name), command

    def _containers(self) -> list[tuple[str, bool]]:
        return [
            (str(item["Names"][0]).lstrip("/"), item["State"] == "running")
            for item in self._ask("containers", all=True)
        ]

    def _networks(self) -> list[str]:
        return [str(item["Name"]) for item in self._ask("networks")]

    def _containers_with(self, secret: str) -> list[str]:
        if not self._docker:
            return []
        import docker

        client = docker.APIClient()
        try:
            return [name for name, _ in self._containers() if secret in str(client.inspect_container(name))]
        except docker.errors.NotFound:
            return []  # it went away meanwhile
        finally:
            client.close()

    def _ask(self, what: str, **more: bool) -> list[dict[str, Any]]:
        """Ask Docker for what has this home's label."""
        if not self._docker:
            return []
        import docker

        client = docker.APIClient()
        try:
            found: list[dict[str, Any]] = getattr(client, what)(
                filters={"label": f"scenario.home={self._home}"}, **more
            )
        finally:
            client.close()
        return found


def _proc() -> Iterator[Path]:
    own = os.getpid()
    return (folder for folder in Path("/proc").glob("[0-9]*") if folder.name != str(own))


def _read(path: Path) -> bytes:
    """Read a file; nothing if it is gone or not ours."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
