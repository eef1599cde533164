"""Networks of nodes of the process engine: found again, made again, and cheap to find."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.proc import NETWORK, RunningProcess, end, lives, marked
from batchai_scenario.emulator.engines.process.nodenets import NodeNetworks
from batchai_scenario.emulator.engines.subnets import PREFERRED
from tests.lacking import NAMESPACES, skip_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchai_scenario.emulator.state.home import Home


class Looks:
    """Counts the looks at all processes of the machine."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, marker: str, variable: str) -> Sequence[RunningProcess]:
        self.count += 1
        return marked(marker, variable)


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
def networks(home: Home, looks: Looks, exercise_process: None) -> Iterator[NodeNetworks]:
    networks = NodeNetworks(home, looks)
    if networks.missing:
        skip_for(NAMESPACES, networks.missing)
    yield networks
    networks.leave("c", "n", last=True)
    assert not [found for found in marked(variable=NETWORK) if found.marker.startswith(str(home.root))]


def held(home: Home, what: str = "n") -> RunningProcess:
    (found,) = [item for item in marked(variable=NETWORK) if item.marker == f"{home.root.resolve()}:c:{what}"]
    return found


def test_a_node_that_is_known_costs_no_look_at_all_processes(
    networks: NodeNetworks, looks: Looks, home: Home
) -> None:
    for _ in range(2):
        networks.join("c", "n", "10.0.0.4", PREFERRED)
    first, looks.count = networks.enter("c", "n"), 0
    for _ in range(3):
        networks.join("c", "n", "10.0.0.4", PREFERRED)
        assert networks.enter("c", "n") == first
    assert looks.count == 0
    again = NodeNetworks(home)  # as another emulator of the home has it
    again.join("c", "n", "10.0.0.4", PREFERRED)
    assert again.enter("c", "n") == first


def test_a_network_whose_holder_was_killed_is_made_again(networks: NodeNetworks, home: Home) -> None:
    for _ in range(2):
        networks.join("c", "n", "10.0.0.4", PREFERRED)
    networks.enter("c", "n")
    before = held(home)
    end([before])
    assert not lives(before)
    networks.join("c", "n", "10.0.0.4", PREFERRED)
    assert f"--target={held(home).pid}" in networks.enter("c", "n")


def test_what_a_killed_node_left_on_the_bridge_makes_way(networks: NodeNetworks, home: Home) -> None:
    """The kernel removes a dead node's end of the line in its own time; meanwhile the name is taken."""
    networks.join("c", "n", "10.0.0.4", PREFERRED)
    node, hub = held(home), held(home, "")
    into_hub = [word.replace(str(node.pid), str(hub.pid)) for word in networks.enter("c", "n")]
    end([node])
    left = "ip link del node4 2>/dev/null; until ip link add node4 type bridge; do sleep 0.01; done"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run([*into_hub, "sh", "-c", left], env={"PATH": path}, check=True, timeout=30)
    networks.join("c", "n", "10.0.0.4", PREFERRED)
    assert held(home).pid != node.pid
