"""Engines by name, made when they are first asked for; ``auto`` takes Docker if it answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.base import Admits, MountsByCommand
from batchai_scenario.emulator.errors import EngineUnavailable, Problem
from batchai_scenario.schema.engines import ENGINE_CHOICES

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.emulator.engines.base import Engine
    from batchai_scenario.emulator.engines.docker.engine import DockerEngine
    from batchai_scenario.emulator.engines.process.engine import ProcessEngine
    from batchai_scenario.emulator.engines.slurm.engine import SlurmEngine
    from batchai_scenario.emulator.engines.substitutes import PullPolicy
    from batchai_scenario.emulator.state.home import Home


class Engines:
    """Gives engines by name; safe to call from several threads.

    Args:
        home: whose nodes they run.
        training: the folder of programs and tables that images are made with.
        default: what an empty name means, one of ENGINE_CHOICES; unless it is ``auto``, new
            clusters get no other. Those that are there keep theirs.
        pull: Docker's policy for images that it does not have.
        python: the interpreter that toolkit environments of the process engine are made from.
    """

    def __init__(
        self,
        home: Home,
        training: Path,
        default: str = "auto",
        *,
        pull: PullPolicy = "missing",
        python: str = "",
    ) -> None:
        self._home = home
        self._training = training
        self._default = default
        self._pull: PullPolicy = pull
        self._python = python
        self._lock = threading.Lock()
        self._made: dict[str, DockerEngine | ProcessEngine | SlurmEngine] = {}
        self._chosen = ""
        self.notes: tuple[str, ...] = ()
        """Why ``auto`` did not choose Docker; empty if it did, or was not asked yet."""

    def __call__(self, name: str = "") -> Engine:
        """Give the engine of that name.

        Raises:
            EngineUnavailable: the name is none of ENGINE_CHOICES. An engine that is named but does not
                answer says so when it is used.
        """
        wanted = name or self._default
        if wanted not in ENGINE_CHOICES:
            problem = Problem("InternalError", f"There is no engine '{wanted}'.")
            raise EngineUnavailable(problem, f"Choose one of {', '.join(ENGINE_CHOICES)}.")
        with self._lock:
            return self._get(self._choose() if wanted == "auto" else wanted)

    def for_new(self, name: str) -> Engine:
        """Give the engine that a new cluster asks for; one that was chosen for all is the only one.

        Raises:
            EngineUnavailable: the cluster asks for another one.
        """
        if self._default == "auto" or name in ("", "auto", self._default):
            return self(name if self._default == "auto" else "")
        text = f"This emulator was started with the engine '{self._default}' and runs nothing on '{name}'."
        raise EngineUnavailable(
            Problem("EngineRefused", text),
            f"Ask for '{self._default}' or for none, or start the emulator with --engine auto.",
        )

    def refusal(self, name: str, size: str, nodes: int) -> tuple[str, str] | None:
        """Say which property of a cluster's body an engine cannot fulfil, and why; None: it may be tried."""
        engine = self(name)
        try:
            return engine.refusal(size, nodes) if isinstance(engine, Admits) else None
        except EngineUnavailable:
            return None  # the cluster's errors tell that

    def mount_refusal(self, name: str, command: str) -> str:
        """Say why an engine cannot mount what a user's command mounts; empty: it may be tried."""
        try:
            engine = self(name)
            if isinstance(engine, MountsByCommand):
                return engine.mount_refusal(command)
        except EngineUnavailable:
            return ""  # the cluster's errors tell that
        return (
            f"on the engine '{engine.name}' nodes are machines that others look after; have them mount it, "
            "or take another engine"
        )

    def _choose(self) -> str:
        if not self._chosen:
            try:
                self._get("docker").info()
            except EngineUnavailable as error:
                self._made.pop("docker").close()
                self.notes = (f"Docker is not used: {error.problem.message}",)
                self._chosen = "process"
            else:
                self._chosen = "docker"
        return self._chosen

    def _get(self, name: str) -> DockerEngine | ProcessEngine | SlurmEngine:
        if name not in self._made:
            if name == "docker":
                from batchai_scenario.emulator.engines.docker.engine import DockerEngine

                self._made[name] = DockerEngine(self._home, training=self._training, pull=self._pull)
            elif name == "slurm":
                from batchai_scenario.emulator.engines.slurm.engine import SlurmEngine

                self._made[name] = SlurmEngine(self._home, training=self._training, pull=self._pull)
            else:
                from batchai_scenario.emulator.engines.process.engine import ProcessEngine

                self._made[name] = ProcessEngine(self._home, python=self._python)
        return self._made[name]

    def close(self) -> None:
        """Let go of connections; tasks go on."""
        with self._lock:
            for engine in self._made.values():
                engine.close()
            self._made.clear()
