"""The toolkits that there are: found by their folders, so that adding one touches nothing else."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchai_scenario.training.toolkits.base import Toolkit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from batchai_scenario.schema.body import Body
    from batchai_scenario.schema.faults import Fault

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

    def model(self, name: str) -> type[Body] | None:
        """Give the model of a settings property; None if we have no such toolkit."""
        return self._found[name].settings if name in self._found else None

    def check(self, name: str, settings: dict[str, Any], node_count: int) -> Iterator[Fault]:
        """Complete settings in place as the service did, and find what is wrong with them."""
        self._found[name].complete(settings, node_count)
        yield from self._found[name].faults(settings, node_count)


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
