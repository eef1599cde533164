"""What a person may change on the page: the same requests that any client sends, at the same door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.batchai.versions.registry import delivered
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.ui.views import cluster_key, job_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.arm.manager import ResourceManager


class Actions:
    """Asks the resource manager; every method takes a request's JSON and may block.

    All raise the ServiceError with which the resource manager refuses, or 400 for a body that lacks ``id``.
    """

    def __init__(self, manager: Callable[[], ResourceManager]) -> None:
        self._manager = manager

    def resize(self, body: Mapping[str, Any]) -> None:
        """Give a cluster ``nodes`` nodes; one that scales by itself does so no more."""
        nodes = body.get("nodes")
        if not isinstance(nodes, int) or isinstance(nodes, bool) or nodes < 0:
            raise ServiceError(400, "InvalidParameter", "'nodes' is a whole number, zero or more.", "nodes")
        scale = {"manual": {"targetNodeCount": nodes}}
        self._ask("PATCH", cluster_key(_id(body)).path, body={"properties": {"scaleSettings": scale}})

    def delete_cluster(self, body: Mapping[str, Any]) -> None:
        """Delete a cluster; its jobs fail."""
        self._ask("DELETE", cluster_key(_id(body)).path)

    def terminate(self, body: Mapping[str, Any]) -> None:
        """End a job."""
        self._ask("POST", f"{job_key(_id(body)).path}/terminate")

    def delete_job(self, body: Mapping[str, Any]) -> None:
        """Delete a job, which is ended first if it runs; its files stay."""
        self._ask("DELETE", job_key(_id(body)).path)

    def _ask(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> None:
        newest = {"api-version": next(iter(delivered()))}
        self._manager().handle(method, path, query=newest, headers={}, body=body, base_url="http://127.0.0.1")


def _id(body: Mapping[str, Any]) -> str:
    found = body.get("id")
    if not isinstance(found, str):
        raise ServiceError(400, "MissingParameter", "'id' is the id of a cluster or job.", "id")
    return found
