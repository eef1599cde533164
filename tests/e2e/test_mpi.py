"""MPI for real: mpi-pi on several nodes, with this machine's Open MPI and with the package index's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import NO_ENGINE
from tests.lacking import needs_program

if TYPE_CHECKING:
    from tests.e2e.conftest import Command


def _found(command: Command, nodes: int, engine: str) -> None:
    finished = command.events("run", "mpi-pi", "--engine", engine, "--set", f"nodes={nodes}", timeout=900)[-1]
    assert (finished["state"], finished["exitCode"]) == ("succeeded", 0)
    metrics = finished["metrics"]
    assert (metrics["processes"], metrics["nodes"]) == (nodes, nodes)
    assert abs(metrics["pi"] - 3.14159265358979) < 1e-9


@needs_program("mpirun")
def test_four_nodes_find_pi_together_with_this_machines_mpi(
    scenario: Command, exercise_process: None
) -> None:
    scenario.environment["DOCKER_HOST"] = NO_ENGINE
    _found(scenario, 4, "process")


@pytest.mark.network
def test_nodes_find_pi_with_the_mpi_of_the_package_index(
    scenario: Command, exercise_process: None, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):  # all of PATH but MPI
        for program in Path(folder).glob("*"):
            hidden = program.name.startswith(("mpi", "orte", "prte"))
            if not hidden and not (programs / program.name).is_symlink():
                (programs / program.name).symlink_to(program)
    scenario.environment |= {"DOCKER_HOST": NO_ENGINE, "PATH": str(programs)}
    _found(scenario, 4, "process")


@pytest.mark.docker
@pytest.mark.network
@pytest.mark.timeout(1200)
def test_containers_find_pi_together(scenario: Command) -> None:
    _found(scenario, 4, "docker")


@pytest.mark.docker
@pytest.mark.network
@pytest.mark.timeout(1200)
def test_containers_of_a_plain_user_find_pi_together(plain_scenario: Command) -> None:
    _found(plain_scenario, 4, "docker")
    owner = plain_scenario.home.stat().st_uid
    written = [path for path in plain_scenario.home.rglob("*") if path.lstat().st_uid != owner]
    assert written == [], "files of another user are left in the home"


SSH = """
summary: Two nodes that log in to one another with ssh itself.
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: 2}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: ssh, relativeMountPath: files}]}}
jobs:
  login:
    nodeCount: 2
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    customToolkitSettings:
      commandLine: >-
        other=${AZ_BATCH_HOST_LIST#*,}; name=$AZ_BATCHAI_SHARED_JOB_TEMP/name;
        /usr/bin/ssh -p 23 $other hostname >$name && scp -q $name $other:/tmp/copied &&
        echo other $(/usr/bin/ssh $other cat /tmp/copied | cut -d- -f3)
expect:
  login:
    metrics:
      other: {from: stdout.txt, pattern: '^other ([0-9]+)', equals: 2}
"""


@pytest.mark.docker
@pytest.mark.network
@pytest.mark.timeout(1200)
def test_nodes_in_containers_log_in_to_one_another(scenario: Command) -> None:
    folder = scenario.home / "ssh"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(SSH)
    finished = scenario.events("run", str(folder), "--engine", "docker", timeout=900)[-1]
    assert (finished["state"], finished["metrics"]["other"]) == ("succeeded", 2)
