"""Toolkit CNTK: a Python script, or a BrainScript configuration for the program ``cntk``."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from batchai_scenario.schema.body import Body
from batchai_scenario.schema.faults import Fault
from batchai_scenario.training.toolkits.base import JobNodes, Process, Toolkit, join, mpirun, quoted, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def _language(value: Any) -> Any:  # noqa: ANN401 - whatever the caller wrote
    known = {"brainscript": "BrainScript", "python": "Python"}
    return known.get(value.lower(), value) if isinstance(value, str) else value


class CntkSettings(Body):
    """``cntkSettings``; the language is matched without regard to case (recorded traffic)."""

    language_type: Annotated[Literal["BrainScript", "Python"] | None, BeforeValidator(_language)] = None
    config_file_path: str | None = None
    python_script_file_path: str | None = None
    python_interpreter_path: str | None = None
    command_line_args: str | None = None
    process_count: int | None = Field(None, ge=1)


class Cntk(Toolkit):
    """Toolkit CNTK.

    ``KERAS_BACKEND``: recipe Keras-GPU says that it follows the toolkit, not how.
    """

    tool_type = "cntk"
    settings_name = "cntkSettings"
    settings = CntkSettings
    defaults = MappingProxyType({"KERAS_BACKEND": "cntk"})
    node_image = "microsoft/cntk:latest"

    def complete(self, settings: dict[str, Any], node_count: int) -> None:
        """Infer the language from the path that is given, and start one process on each node (recorded)."""
        settings.setdefault("languageType", "BrainScript" if settings.get("configFilePath") else "Python")
        settings.setdefault("processCount", node_count)

    def environment_for(self, settings: Mapping[str, Any]) -> Path | None:
        """Give none to BrainScript: the wheels hold no program ``cntk``."""
        return None if self.program_for(settings) else self.environment_program

    def program_for(self, settings: Mapping[str, Any]) -> str:
        """Name ``cntk`` for BrainScript; settings may stand as the user wrote them."""
        default = "brainscript" if text(settings, "configFilePath") else "python"
        language = text(settings, "languageType").lower() or default
        return "cntk" if language == "brainscript" else ""

    def faults(self, settings: Mapping[str, Any], node_count: int) -> Iterator[Fault]:
        """Demand the one path that the language needs."""
        del node_count
        script, config = "pythonScriptFilePath", "configFilePath"
        language = settings["languageType"]
        needed = script if language == "Python" else config
        alien = (config,) if language == "Python" else (script, "pythonInterpreterPath")
        if not text(settings, needed):
            yield Fault(needed, f"it is required with {language}")
        for name in alien:
            if name in settings:
                yield Fault(name, f"it does not go with {language}")

    def processes(self, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
        """Run the script or the configuration on the master; with mpirun if there are several processes."""
        arguments = text(settings, "commandLineArgs")
        if settings["languageType"] == "Python":
            interpreter = text(settings, "pythonInterpreterPath") or "python"
            command = join(interpreter, quoted(text(settings, "pythonScriptFilePath")), arguments)
        else:
            command = join("cntk", f"configFile={quoted(text(settings, 'configFilePath'))}", arguments)
        count = int(settings["processCount"])
        return (Process(command if count == 1 else mpirun(command, count, len(nodes.addresses))),)


TOOLKIT = Cntk()
