"""The custom toolkit: a command line that runs on the master; the other nodes are prepared and wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from batchai_scenario.schema.body import Body
from batchai_scenario.schema.faults import Fault
from batchai_scenario.training.toolkits.base import JobNodes, Process, Toolkit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class CustomSettings(Body):
    """``customToolkitSettings``."""

    command_line: str = Field(min_length=1)


class Custom(Toolkit):
    """Toolkit custom."""

    tool_type = "custom"
    settings_name = "customToolkitSettings"
    settings = CustomSettings

    def faults(self, settings: Mapping[str, Any], node_count: int) -> Iterator[Fault]:
        """Refuse a command line of nothing but spaces."""
        del node_count
        if not str(settings.get("commandLine") or "").strip():
            yield Fault("commandLine", "the command line is empty")

    def processes(self, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
        """Run the command line on the master."""
        del nodes
        return (Process(str(settings["commandLine"])),)


TOOLKIT = Custom()
