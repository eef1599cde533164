"""Toolkit Caffe: a solver's configuration for the program ``caffe``, or a Python script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from batchai_scenario.schema.body import Body
from batchai_scenario.schema.faults import Fault
from batchai_scenario.training.toolkits.base import (
    JobNodes,
    Process,
    Toolkit,
    join,
    mpirun,
    quoted,
    script,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class CaffeSettings(Body):
    """``caffeSettings``."""

    config_file_path: str | None = None
    python_script_file_path: str | None = None
    python_interpreter_path: str | None = None
    command_line_args: str | None = None
    process_count: int | None = Field(None, ge=1)


class Caffe(Toolkit):
    """Toolkit Caffe: ``caffe train --solver=CONFIG ARGUMENTS``, or the script; mpirun starts several."""

    tool_type = "caffe"
    framework = "Caffe"
    settings_name = "caffeSettings"
    settings = CaffeSettings

    def complete(self, settings: dict[str, Any], node_count: int) -> None:
        """Start one process on each node (published default)."""
        settings.setdefault("processCount", node_count)

    def faults(self, settings: Mapping[str, Any], node_count: int) -> Iterator[Fault]:
        """Demand exactly one of configuration and script."""
        del node_count
        config, path = text(settings, "configFilePath"), text(settings, "pythonScriptFilePath")
        if bool(config) == bool(path):
            yield Fault("configFilePath", "give exactly one of configFilePath and pythonScriptFilePath")
        if config and text(settings, "pythonInterpreterPath"):
            yield Fault("pythonInterpreterPath", "it goes with pythonScriptFilePath only")

    def processes(self, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
        """Run the solver or the script on the master; with mpirun if there are several processes."""
        config, count = text(settings, "configFilePath"), int(settings["processCount"])
        solver = join("caffe train", f"--solver={quoted(config)}", text(settings, "commandLineArgs"))
        command = solver if config else script(settings)
        return (Process(command if count == 1 else mpirun(command, count, len(nodes.addresses))),)


TOOLKIT = Caffe()
