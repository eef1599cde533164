"""The backend ``notebook``: jobs are Python functions of this process, at most ``nodes`` at a time.

It is built on the reference model, ``batchai_scenario.backends.memory``, as a wrapper that changes three
things: it has an option, it makes smaller clusters, and it refuses what it does not do by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.base import Capabilities
from batchai_scenario.backends.errors import NotSupported, UserError
from batchai_scenario.backends.memory import MemoryBackend
from batchai_scenario.backends.offers import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.backends.base import Backend, BackendOptions, ClusterSpec, ClusterStatus
    from batchai_scenario.backends.memory import MemoryWorld, ProgramCall, Result

OPTIONS = ("nodes",)


class NotebookBackend(MemoryBackend):
    """A model whose clusters have at most ``nodes`` nodes."""

    name = "notebook"

    def __init__(
        self,
        nodes: int = 1,
        programs: Mapping[str, Callable[[ProgramCall], Result]] | None = None,
        world: MemoryWorld | None = None,
    ) -> None:
        super().__init__(programs, world)
        self._nodes = nodes

    def capabilities(self) -> Capabilities:
        """Declare what there is; everything else may be skipped, and only that."""
        return Capabilities(max_nodes=self._nodes, gpus=False, real_time=False, urls=False)

    def details(self) -> dict[str, str]:
        """Say where this is, for records and reports."""
        return {**super().details(), "engine": "functions", "nodes": str(self._nodes)}

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        """Refuse larger clusters than declared, by the property's path, before anything is created."""
        wanted = spec.properties.get("scaleSettings", {}).get("manual", {}).get("targetNodeCount", 0)
        if isinstance(wanted, int) and wanted > self._nodes:
            raise NotSupported(
                f"a cluster has at most {self._nodes} nodes",
                field="properties.scaleSettings.manual.targetNodeCount",
            )
        return super().create_cluster(spec)


def options_of(options: BackendOptions) -> int:
    """Read the options: unknown ones and unusable values are refused by name."""
    refuse_unknown("notebook", options, OPTIONS)
    text = options.values.get("nodes", "1")
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{text!r} is not a number of nodes", field="nodes")
    return int(text)


def open_backend(options: BackendOptions) -> Backend:
    """Open the backend: what the entry point names."""
    return NotebookBackend(options_of(options))
