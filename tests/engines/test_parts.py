"""Nodes of a cluster share one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.limits import read_limits
from batchai_scenario.emulator.engines.parts import part_of, part_variables
from batchai_scenario.emulator.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engines.conftest import Lab

SECOND = "tvm-1_2-20180606t120000z"


@pytest.mark.parametrize(
    ("cores", "nodes", "parts"),
    [
        (2, 1, [(0, 1)]),
        (2, 2, [(0,), (1,)]),
        (2, 3, [(0,), (1,), (0,)]),
        (8, 3, [(0, 1), (2, 3, 4), (5, 6, 7)]),
        (4, 2, [(0, 1), (2, 3)]),
    ],
)
def test_cores_are_divided_and_each_node_has_one(
    cores: int, nodes: int, parts: list[tuple[int, ...]]
) -> None:
    assert [part_of(range(cores), index, nodes) for index in range(nodes)] == parts


def test_open_mpi_does_not_bind_and_waits_politely_where_nodes_share_a_core() -> None:
    own, shared = part_variables((0,), 2, 2), part_variables((0,), 2, 3)
    assert own["OMP_NUM_THREADS"] == own["OPENBLAS_NUM_THREADS"] == "1"
    assert own["OMPI_MCA_hwloc_base_binding_policy"] == "none"
    assert own["PRTE_MCA_hwloc_default_binding_policy"] == "none"
    assert shared == {**own, "OMPI_MCA_mpi_yield_when_idle": "1"}


def test_a_node_of_two_has_half_the_cores_and_libraries_know(lab: Lab) -> None:
    ask = "echo $(nproc) $OMP_NUM_THREADS"
    whole = int(lab.run(ask).text().split()[0])
    if whole == 1:
        pytest.skip("this machine has one core")
    lab.engine.place_node(lab.cluster, SECOND)
    try:
        half = whole // 2
        assert lab.run("echo $(OMP_NUM_THREADS= nproc) $OMP_NUM_THREADS").text() == f"{half} {half}\n"
        assert any("machine: the node has core" in line for line in lab.announced)
        assert lab.run("echo $OMP_NUM_THREADS", variables={"OMP_NUM_THREADS": "7"}).text() == "7\n"
        lab.home.limits_table.write_text("cores: all\n")
        assert lab.run(ask).text() == f"{whole}\n"
    finally:
        lab.engine.remove_node(lab.cluster, SECOND)


def test_memory_is_divided_too_unless_the_user_says_how_much(tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    assert read_limits(file, 1000_000_000, 4).memory == 225_000_000
    file.write_text("memory: 64m\n")
    assert read_limits(file, 1000_000_000, 4).memory == 64 * 1024**2
    file.write_text("cores: all\n")
    assert read_limits(file, 1000_000_000, 4).memory == 900_000_000
    file.write_text("cores: half\n")
    with pytest.raises(EngineError, match="cores: 'half' is neither 'divided' nor 'all'"):
        read_limits(file)
