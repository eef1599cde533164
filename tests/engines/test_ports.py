"""Nodes that share this machine's ports: each has some of its own, whoever else runs here."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines import nodes
from batchai_scenario.emulator.engines.nodes import free_ports, make_disk
from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.training.toolkits.base import PORTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_no_two_nodes_of_a_home_share_a_port_and_each_keeps_its_own(home: Home) -> None:
    given = {}
    for index in range(40):
        cluster, node = f"c{index % 3}", f"n{index}"
        given[cluster, node] = free_ports(home, cluster, node)
        make_disk(home, cluster, node, {"port": given[cluster, node]})
    every = [first + index for first in given.values() for index in range(PORTS)]
    assert len(set(every)) == len(every)
    assert all(10240 <= port < 32768 for port in every)
    assert {key: free_ports(home, *key) for key in given} == given


def test_ports_that_a_program_of_this_machine_has_are_left_to_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = int(other.getsockname()[1])
        monkeypatch.setattr(nodes, "_PORTS", (taken - 3, taken - 3 + PORTS))
        with pytest.raises(EngineError, match="no 8 free ports left for n1"):
            free_ports(home, "c", "n1")
