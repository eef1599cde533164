"""What each toolkit of the service starts, and what it refuses."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest

from batchai_scenario.schema.jobs import toolkit_faults
from batchai_scenario.training.toolkits.base import JobNodes, Process, spread
from batchai_scenario.training.toolkits.registry import SETTINGS, delivered

SCRIPT = {"pythonScriptFilePath": "$AZ_BATCHAI_INPUT_SCRIPTS/train.py"}
RUN = "python $AZ_BATCHAI_INPUT_SCRIPTS/train.py"


def nodes(count: int) -> JobNodes:
    addresses = tuple(f"10.0.0.{4 + number}" for number in range(count))
    return JobNodes(addresses, PurePosixPath("/job/hostfile"), PurePosixPath("/job/shared"))


def planned(name: str, settings: dict[str, Any], count: int) -> tuple[list[Process], dict[str, str]]:
    completed = dict(settings)
    assert list(delivered().check(name, completed, count)) == []
    toolkit = delivered()[name]
    found = list(toolkit.processes(completed, nodes(count)))
    return found, dict(toolkit.variables(completed, nodes(count)))


def refused(name: str, settings: dict[str, Any], count: int) -> list[str]:
    return [fault.path for fault in delivered().check(name, dict(settings), count)]


def test_all_nine_toolkits_of_the_service_are_here() -> None:
    assert {toolkit.settings_name: toolkit.tool_type for toolkit in delivered()} == SETTINGS


def test_tensorflow_on_one_node_is_its_master_alone() -> None:
    (only,), _ = planned("tensorFlowSettings", {**SCRIPT, "masterCommandLineArgs": "--x 1"}, 1)
    assert (only.command, only.file_name("stdout")) == (f"{RUN} --x 1", "stdout-wk-0.txt")
    assert only.variables["AZ_BATCHAI_PS_HOSTS"] == ""
    assert only.variables["AZ_BATCHAI_WORKER_HOSTS"] == "10.0.0.4:2222"
    assert json.loads(only.variables["TF_CONFIG"])["task"] == {"type": "master", "index": 0}


def test_tensorflow_distributed_has_the_published_ports() -> None:
    arguments = {
        "masterCommandLineArgs": "--master",
        "workerCommandLineArgs": "--worker",
        "parameterServerCommandLineArgs": "--ps",
    }
    found, _ = planned("tensorFlowSettings", {**SCRIPT, **arguments}, 2)
    assert [(one.role, one.node, one.command.rpartition(" ")[2], one.server) for one in found] == [
        ("wk-0", 0, "--master", False),
        ("wk-1", 1, "--worker", False),
        ("ps-0", 0, "--ps", True),
    ]
    for one in found:
        assert one.variables["AZ_BATCHAI_PS_HOSTS"] == "10.0.0.4:2222"
        assert one.variables["AZ_BATCHAI_WORKER_HOSTS"] == "10.0.0.4:2223,10.0.0.5:2222"
    configuration = json.loads(found[2].variables["TF_CONFIG"])
    assert configuration == {
        "cluster": {"ps": ["10.0.0.4:2222"], "worker": ["10.0.0.4:2223", "10.0.0.5:2222"]},
        "task": {"type": "ps", "index": 0},
        "environment": "cloud",
    }
    assert [one.variables["AZ_BATCHAI_TASK_INDEX"] for one in found] == ["0", "1", "0"]


def test_nodes_that_share_this_machines_ports_get_each_its_own() -> None:
    addresses, ports = ("127.0.1.4", "127.0.1.5"), (10240, 20480)
    here = JobNodes(addresses, PurePosixPath("/job/hostfile"), PurePosixPath("/job/shared"), ports)
    settings = {**SCRIPT, "workerCount": 2, "parameterServerCount": 1}
    found = delivered()["tensorFlowSettings"].processes(settings, here)
    assert found[0].variables["AZ_BATCHAI_PS_HOSTS"] == "127.0.1.4:10240"
    assert found[0].variables["AZ_BATCHAI_WORKER_HOSTS"] == "127.0.1.4:10241,127.0.1.5:20480"


def test_tensorflow_fills_in_counts_of_distributed_jobs_only() -> None:
    for settings, count, filled in (
        (SCRIPT, 1, False),
        (SCRIPT, 2, True),
        ({**SCRIPT, "workerCommandLineArgs": "x"}, 1, True),
    ):
        completed: dict[str, Any] = dict(settings)
        list(delivered().check("tensorFlowSettings", completed, count))
        assert ("workerCount" in completed) is filled


@pytest.mark.parametrize(
    ("backend", "method"),
    [("Gloo", "file:///job/shared/"), ("TCP", "tcp://10.0.0.4:2222")],
)
def test_pytorch_starts_a_process_for_each_rank(backend: str, method: str) -> None:
    settings = {**SCRIPT, "communicationBackend": backend.lower(), "processCount": 4}
    found, variables = planned("pyTorchSettings", settings, 2)
    assert [(one.node, one.role, one.variables["AZ_BATCHAI_TASK_INDEX"]) for one in found] == [
        (0, "0", "0"),
        (0, "1", "1"),
        (1, "2", "2"),
        (1, "3", "3"),
    ]
    assert variables["AZ_BATCHAI_PYTORCH_BACKEND"] == backend.lower()
    assert variables["AZ_BATCHAI_PYTORCH_INIT_METHOD"].startswith(method)


def test_pytorch_by_mpi_is_one_command() -> None:
    (only,), _ = planned("pyTorchSettings", {**SCRIPT, "communicationBackend": "mpi"}, 2)
    assert only.command.startswith("mpirun ")
    assert only.command.endswith(f"-n 2 {RUN}")


def test_brainscript_calls_a_program_and_gets_no_environment() -> None:
    cntk = delivered()["cntkSettings"]
    for settings, program in (
        (SCRIPT, ""),
        ({**SCRIPT, "languageType": "python"}, ""),
        ({"configFilePath": "net.cntk"}, "cntk"),
        ({"configFilePath": "net.cntk", "languageType": "BRAINSCRIPT"}, "cntk"),
    ):
        assert cntk.program_for(settings) == program
        assert cntk.environment_for(settings) == (None if program else cntk.environment_program)


@pytest.mark.parametrize("name", ["pyTorchSettings", "caffe2Settings"])
def test_a_job_that_names_a_python_of_its_own_gets_no_environment(name: str) -> None:
    toolkit = delivered()[name]
    for named, given in (("", True), ("python", True), ("python3", False), ("/opt/venv/bin/python", False)):
        program = toolkit.environment_for({**SCRIPT, "pythonInterpreterPath": named})
        assert (program == toolkit.environment_program) is given
        assert (program is None) is not given


@pytest.mark.parametrize("name", ["chainerSettings", "horovodSettings"])
def test_a_job_of_mpi_that_names_a_python_of_its_own_gets_open_mpi_alone(name: str) -> None:
    toolkit = delivered()[name]
    open_mpi = delivered()["customMpiSettings"].environment_program
    assert toolkit.environment_for({**SCRIPT}) == toolkit.environment_program != open_mpi
    assert toolkit.environment_for({**SCRIPT, "pythonInterpreterPath": "/opt/python"}) == open_mpi


def test_caffe2_runs_on_each_node_with_its_rank() -> None:
    found, _ = planned("caffe2Settings", SCRIPT, 2)
    assert [(one.node, one.file_name("stderr")) for one in found] == [
        (0, "stderr-0.txt"),
        (1, "stderr-1.txt"),
    ]


@pytest.mark.parametrize("name", ["chainerSettings", "horovodSettings"])
def test_toolkits_of_mpi_run_one_process_on_each_node(name: str) -> None:
    (only,), _ = planned(name, {**SCRIPT, "commandLineArgs": "-g"}, 3)
    assert (only.role, only.command.endswith(f"-n 3 {RUN} -g")) == ("", True)


def test_caffe_trains_by_its_solver_or_by_a_script() -> None:
    (only,), _ = planned(
        "caffeSettings", {"configFilePath": "$D/my solver.prototxt", "commandLineArgs": "-x"}, 1
    )
    assert only.command == 'caffe train --solver="$D/my solver.prototxt" -x'
    (only,), _ = planned("caffeSettings", SCRIPT, 1)
    assert only.command == RUN


@pytest.mark.parametrize(
    ("name", "settings", "count", "path"),
    [
        ("tensorFlowSettings", {**SCRIPT, "workerCount": 1}, 2, "workerCount"),
        ("tensorFlowSettings", {**SCRIPT, "workerCount": 9}, 2, "workerCount"),
        ("tensorFlowSettings", {**SCRIPT, "parameterServerCount": 3}, 2, "parameterServerCount"),
        ("pyTorchSettings", {**SCRIPT, "processCount": 2}, 1, "communicationBackend"),
        ("pyTorchSettings", {**SCRIPT, "communicationBackend": "gloo", "processCount": 1}, 2, "processCount"),
        ("caffeSettings", {}, 1, "configFilePath"),
        ("caffeSettings", {**SCRIPT, "configFilePath": "x"}, 1, "configFilePath"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_path(
    name: str, settings: dict[str, Any], count: int, path: str
) -> None:
    assert refused(name, settings, count) == [path]


def test_two_toolkits_in_one_job_are_refused() -> None:
    definition = {"chainerSettings": dict(SCRIPT), "horovodSettings": dict(SCRIPT), "nodeCount": 1}
    (fault,) = toolkit_faults(definition, delivered())
    assert "chainerSettings and horovodSettings" in fault.why


@pytest.mark.parametrize(
    ("count", "on", "places"), [(3, 2, [0, 0, 1]), (5, 4, [0, 0, 1, 2, 3]), (2, 2, [0, 1])]
)
def test_processes_are_spread_so_that_no_node_is_empty(count: int, on: int, places: list[int]) -> None:
    assert spread(count, on) == places
