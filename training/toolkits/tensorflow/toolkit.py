"""Toolkit TensorFlow: a script in the roles master, worker and parameter server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import Field

from batchai_scenario.schema.body import Body
from batchai_scenario.schema.faults import Fault
from batchai_scenario.training.toolkits.base import (
    JobNodes,
    Process,
    Toolkit,
    names_a_python,
    script,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_DISTRIBUTED = (
    "workerCommandLineArgs",
    "parameterServerCommandLineArgs",
    "workerCount",
    "parameterServerCount",
)
_MOST_WORKERS = 4
"""On a node: the service's limit."""


class TensorFlowSettings(Body):
    """``tensorFlowSettings``."""

    python_script_file_path: str = Field(min_length=1)
    python_interpreter_path: str | None = None
    master_command_line_args: str | None = None
    worker_command_line_args: str | None = None
    parameter_server_command_line_args: str | None = None
    worker_count: int | None = Field(None, ge=1)
    parameter_server_count: int | None = Field(None, ge=1)


class TensorFlow(Toolkit):
    """Toolkit TensorFlow.

    A job of one node that says nothing of workers and servers is one process, the master. Every other job is
    distributed: worker 0 is the master and gets its arguments; a node's ports begin at 2222 where it has a
    network of its own, one for each of its processes, parameter servers first (published example).
    """

    tool_type = "tensorflow"
    settings_name = "tensorFlowSettings"
    settings = TensorFlowSettings

    def complete(self, settings: dict[str, Any], node_count: int) -> None:
        """Give a distributed job a worker on each node and one parameter server (published defaults)."""
        if node_count > 1 or any(settings.get(name) is not None for name in _DISTRIBUTED):
            settings.setdefault("workerCount", node_count)
            settings.setdefault("parameterServerCount", 1)

    def faults(self, settings: Mapping[str, Any], node_count: int) -> Iterator[Fault]:
        """Hold the counts to the service's limits: four workers and one parameter server on a node."""
        workers, servers = settings.get("workerCount"), settings.get("parameterServerCount")
        if workers is not None and not node_count <= workers <= node_count * _MOST_WORKERS:
            why = f"{node_count} nodes have {node_count} to {node_count * _MOST_WORKERS} workers"
            yield Fault("workerCount", f"{why}, not {workers}")
        if servers is not None and servers > node_count:
            yield Fault(
                "parameterServerCount", f"{node_count} nodes have at most {node_count}, not {servers}"
            )

    def environment_for(self, settings: Mapping[str, Any]) -> Path | None:
        """Give TensorFlow 1.8, unless the job names a Python of its own."""
        return None if names_a_python(settings) else self.environment_program

    def processes(self, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
        """Start parameter servers and workers; worker 0 is the master's process."""
        servers, workers = _places(settings, nodes)
        found = []
        for index, (node, _) in enumerate(workers):
            arguments = "masterCommandLineArgs" if index == 0 else "workerCommandLineArgs"
            kind = "worker" if "workerCount" in settings else "master"
            variables = _variables(nodes, servers, workers, kind, index)
            found.append(Process(script(settings, arguments), node, f"wk-{index}", variables))
        for index, (node, _) in enumerate(servers):
            variables = _variables(nodes, servers, workers, "ps", index)
            command = script(settings, "parameterServerCommandLineArgs")
            found.append(Process(command, node, f"ps-{index}", variables, server=True))
        return found


def _places(
    settings: Mapping[str, Any], nodes: JobNodes
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Give (node, port) of each parameter server and each worker."""
    count = len(nodes.addresses)
    ports = [nodes.port(node) for node in range(count)]

    def taken(node: int) -> tuple[int, int]:
        ports[node] += 1
        return node, ports[node] - 1

    servers = [taken(node) for node in range(int(settings.get("parameterServerCount") or 0))]
    workers = [taken(node) for node in spread(int(settings.get("workerCount") or 1), count)]
    return servers, workers


def _variables(
    nodes: JobNodes,
    servers: Sequence[tuple[int, int]],
    workers: Sequence[tuple[int, int]],
    kind: str,
    index: int,
) -> dict[str, str]:
    hosts = {
        name: [f"{nodes.addresses[node]}:{port}" for node, port in places]
        for name, places in (("ps", servers), ("worker", workers))
    }
    cluster = {"ps": hosts["ps"], "worker": hosts["worker"]} if kind != "master" else {}
    task = {"type": kind, "index": index}
    return {
        "AZ_BATCHAI_PS_HOSTS": ",".join(hosts["ps"]),
        "AZ_BATCHAI_WORKER_HOSTS": ",".join(hosts["worker"]),
        "AZ_BATCHAI_TASK_INDEX": str(index),
        "TF_CONFIG": json.dumps({"cluster": cluster, "task": task, "environment": "cloud"}),
    }


TOOLKIT = TensorFlow()
