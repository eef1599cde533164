"""Toolkit Horovod: a script in several processes, spread over the nodes by mpirun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from batchai_scenario.schema.body import Body
from batchai_scenario.training.toolkits.base import JobNodes, Process, Toolkit, mpirun, script, with_mpi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class HorovodSettings(Body):
    """``horovodSettings``."""

    python_script_file_path: str = Field(min_length=1)
    python_interpreter_path: str | None = None
    command_line_args: str | None = None
    process_count: int | None = Field(None, ge=1)


class Horovod(Toolkit):
    """Toolkit Horovod. One process on each node unless the settings say how many (recorded)."""

    tool_type = "horovod"
    settings_name = "horovodSettings"
    settings = HorovodSettings

    def complete(self, settings: dict[str, Any], node_count: int) -> None:
        """Start one process on each node (recorded)."""
        settings.setdefault("processCount", node_count)

    def environment_for(self, settings: Mapping[str, Any]) -> Path | None:
        """Give Horovod on TensorFlow 1.8; a job that names a Python of its own gets Open MPI alone."""
        return with_mpi(self.environment_program, settings)

    def processes(self, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
        """Run the script under mpirun, from the master."""
        count = int(settings["processCount"])
        return (Process(mpirun(script(settings), count, len(nodes.addresses))),)


TOOLKIT = Horovod()
