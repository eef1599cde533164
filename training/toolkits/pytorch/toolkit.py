"""Toolkit PyTorch: a script in several ranks, which find one another by the communication backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from batchai_scenario.schema.body import Body, lower
from batchai_scenario.schema.faults import Fault
from batchai_scenario.training.toolkits.base import (
    JobNodes,
    Process,
    Toolkit,
    mpirun,
    names_a_python,
    script,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_BACKEND, _METHOD = "AZ_BATCHAI_PYTORCH_BACKEND", "AZ_BATCHAI_PYTORCH_INIT_METHOD"


class PyTorchSettings(Body):
    """``pyTorchSettings``; the backend is matched without regard to case (recorded: ``gloo``)."""

    python_script_file_path: str = Field(min_length=1)
    python_interpreter_path: str | None = None
    command_line_args: str | None = None
    process_count: int | None = Field(None, ge=1)
    communication_backend: Annotated[Literal["tcp", "gloo", "mpi"] | None, BeforeValidator(lower)] = None


class PyTorch(Toolkit):
    """Toolkit PyTorch.

    With ``gloo`` ranks meet at a file in the folder that the job's nodes share, with ``tcp`` at the master's
    first port (our decision, as nothing more is known), with ``mpi`` they are started by mpirun.
    """

    tool_type = "pytorch"
    settings_name = "pyTorchSettings"
    settings = PyTorchSettings

    def complete(self, settings: dict[str, Any], node_count: int) -> None:
        """Start one process on each node (recorded)."""
        settings.setdefault("processCount", node_count)

    def faults(self, settings: Mapping[str, Any], node_count: int) -> Iterator[Fault]:
        """Demand a backend of a distributed job, and a process for each node."""
        count = int(settings["processCount"])
        if count > 1 and not settings.get("communicationBackend"):
            yield Fault("communicationBackend", f"it is required for {count} processes: tcp, gloo or mpi")
        if count < node_count:
            yield Fault("processCount", f"it is at least the nodeCount, {node_count}")

    def variables(self, settings: Mapping[str, Any], nodes: JobNodes) -> Mapping[str, str]:
        """Tell the backend and where ranks meet."""
        backend = settings.get("communicationBackend") or ""
        methods = {
            "gloo": f"file://{nodes.shared_temp}/pytorch-{len(nodes.addresses)}.init",
            "tcp": f"tcp://{nodes.addresses[0]}:{nodes.port(0)}",
        }
        return {_BACKEND: backend, _METHOD: methods.get(backend, "")}

    def environment_for(self, settings: Mapping[str, Any]) -> Path | None:
        """Give PyTorch 1.0, unless the job names a Python of its own."""
        return None if names_a_python(settings) else self.environment_program

    def processes(self, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
        """Start a process for each rank; by mpirun with the backend ``mpi``."""
        command, count = script(settings), int(settings["processCount"])
        if settings.get("communicationBackend") == "mpi":
            return (Process(mpirun(command, count, len(nodes.addresses)), role="0"),)
        return [
            Process(command, node, str(rank), {"AZ_BATCHAI_TASK_INDEX": str(rank)})
            for rank, node in enumerate(spread(count, len(nodes.addresses)))
        ]


TOOLKIT = PyTorch()
