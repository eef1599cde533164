"""Toolkit Caffe2: a script, one process on each node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from batchai_scenario.schema.body import Body
from batchai_scenario.training.toolkits.base import JobNodes, Process, Toolkit, names_a_python, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Caffe2Settings(Body):
    """``caffe2Settings``."""

    python_script_file_path: str = Field(min_length=1)
    python_interpreter_path: str | None = None
    command_line_args: str | None = None


class Caffe2(Toolkit):
    """Toolkit Caffe2; the rank is ``AZ_BATCHAI_TASK_INDEX``."""

    tool_type = "caffe2"
    settings_name = "caffe2Settings"
    settings = Caffe2Settings

    def environment_for(self, settings: Mapping[str, Any]) -> Path | None:
        """Give Caffe2, unless the job names a Python of its own."""
        return None if names_a_python(settings) else self.environment_program

    def processes(self, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
        """Start the script on each node, with its rank."""
        return [
            Process(script(settings), node, str(node), {"AZ_BATCHAI_TASK_INDEX": str(node)})
            for node in range(len(nodes.addresses))
        ]


TOOLKIT = Caffe2()
