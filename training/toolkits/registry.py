"""The toolkits that there are: found by their folders, so that adding one touches nothing else."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchai_scenario.schema.faults import Fault
from batchai_scenario.training.toolkits.base import Toolkit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SETTINGS = {
    "cntkSettings": "cntk",
    "pyTorchSettings": "pytorch",
    "tensorFlowSettings": "tensorflow",
    "caffeSettings": "caffe",
    "caffe2Settings": "caffe2",
    "chainerSettings": "chainer",
    "customToolkitSettings": "custom",
    "customMpiSettings": "custommpi",
    "horovodSettings": "horovod",
}
"""Settings property -> ``toolType``, of every toolkit that the service had (SDK 2.0.0)."""


class Toolkits:
    """Toolkits by their settings property; no two may have the same property or tool type."""

    def __init__(self, toolkits: Iterable[Toolkit]) -> None:
        self._found: dict[str, Toolkit] = {}
        for toolkit in toolkits:
            taken = [*self._found, *(other.tool_type for other in self)]
            if toolkit.settings_name in taken or toolkit.tool_type in taken:
                raise ValueError(f"there is another toolkit {toolkit.tool_type} ({toolkit.settings_name})")
            self._found[toolkit.settings_name] = toolkit

    def __iter__(self) -> Iterator[Toolkit]:
        """Give each toolkit."""
        return iter(self._found.values())

    def __getitem__(self, settings_name: str) -> Toolkit:
        """Give the toolkit of a settings property; KeyError."""
        return self._found[settings_name]

    def __contains__(self, settings_name: object) -> bool:
        """Tell whether there is a toolkit of this settings property."""
        return settings_name in self._found

    @property
    def names(self) -> list[str]:
        """Every settings property: the service's, and of toolkits that only we have."""
        return list(dict.fromkeys([*SETTINGS, *self._found]))

    def tool_type(self, definition: Mapping[str, Any]) -> str:
        """Give the ``toolType`` of a job's definition; empty if it has no toolkit's settings."""
        for name in self.names:
            if definition.get(name) is not None:
                return self._found[name].tool_type if name in self._found else SETTINGS[name]
        return ""

    def complete(self, definition: Mapping[str, Any]) -> None:
        """Fill in, in place, what the service filled in of the toolkit's settings."""
        for toolkit in self:
            if definition.get(toolkit.settings_name) is not None:
                toolkit.complete(definition[toolkit.settings_name], definition.get("nodeCount", 1))

    def faults(self, definition: Mapping[str, Any]) -> Iterator[Fault]:
        """Find what is wrong with the toolkit of a job's definition, with completed settings."""
        given = [name for name in self.names if definition.get(name) is not None]
        if len(given) != 1:
            wrong = f"{' and '.join(given)} are given" if given else "none is given"
            yield Fault("properties", f"a job has exactly one toolkit's settings, and {wrong}")
            return
        path = f"properties.{given[0]}"
        if given[0] not in self._found:
            known = ", ".join(self._found)
            yield Fault(path, f"the toolkits are {known}", "unsupported")
            return
        for fault in self._found[given[0]].faults(definition[given[0]], definition.get("nodeCount", 1)):
            yield fault.below(path)


def toolkits_in(folder: Path, package: str) -> Iterator[Toolkit]:
    """Import the toolkits whose folders lie in ``folder``, which is the package ``package``."""
    for file in sorted(folder.glob("*/toolkit.py")):
        found = import_module(f"{package}.{file.parent.name}.toolkit").TOOLKIT
        if not isinstance(found, Toolkit) or found.tool_type != file.parent.name:
            raise TypeError(f"{file}: TOOLKIT is no Toolkit with the tool type {file.parent.name}")
        yield found


@cache
def delivered() -> Toolkits:
    """Give the toolkits of this package."""
    return Toolkits(toolkits_in(Path(__file__).parent, __package__))
