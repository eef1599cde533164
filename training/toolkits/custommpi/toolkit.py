"""The custom MPI toolkit: a command line in several processes, spread over the nodes by mpirun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from batchai_scenario.schema.body import Body
from batchai_scenario.schema.faults import Fault
from batchai_scenario.training.toolkits.base import JobNodes, Process, Toolkit, mpirun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class CustomMpiSettings(Body):
    """``customMpiSettings``."""

    command_line: str = Field(min_length=1)
    process_count: int | None = Field(None, ge=1)


class CustomMpi(Toolkit):
    """Toolkit custom MPI. One process on each node unless the settings say how many."""

    tool_type = "custommpi"
    settings_name = "customMpiSettings"
    settings = CustomMpiSettings

    def complete(self, settings: dict[str, Any], node_count: int) -> None:
        """Start one process on each node (recorded for other toolkits of MPI)."""
        settings.setdefault("processCount", node_count)

    def faults(self, settings: Mapping[str, Any], node_count: int) -> Iterator[Fault]:
        """Refuse a command line of nothing but spaces."""
        del node_count
        if not str(settings.get("commandLine") or "").strip():
            yield Fault("commandLine", "the command line is empty")

    def processes(self, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
        """Run the command line under mpirun, from the master."""
        command, count = str(settings["commandLine"]).strip(), int(settings["processCount"])
        return (Process(mpirun(command, count, len(nodes.addresses))),)


TOOLKIT = CustomMpi()
