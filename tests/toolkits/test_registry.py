"""Toolkits are found by their folders: adding one is a folder, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.base import NodePlace
from batchai_scenario.emulator.launch.build import JobToPlan, plan_job
from batchai_scenario.schema.faults import FaultsFound
from batchai_scenario.schema.jobs import JobCreate, with_toolkits
from batchai_scenario.schema.reading import read
from batchai_scenario.training.toolkits.base import JobNodes
from batchai_scenario.training.toolkits.registry import SETTINGS, Toolkits, delivered, toolkits_in

if TYPE_CHECKING:
    from collections.abc import Iterator

ECHO = '''
"""Toolkit echo: every node says its role."""

from pydantic import Field

from batchai_scenario.schema.body import Body
from batchai_scenario.schema.faults import Fault
from batchai_scenario.training.toolkits.base import Process, Toolkit


class EchoSettings(Body):
    word: str = Field(min_length=1)
    loudness: int | None = None


class Echo(Toolkit):
    tool_type = "echo"
    settings_name = "echoSettings"
    settings = EchoSettings
    defaults = {"ECHO": "on"}
    node_image = "echo:1"

    def complete(self, settings, node_count):
        settings.setdefault("loudness", node_count)

    def faults(self, settings, node_count):
        if " " in settings["word"]:
            yield Fault("word", "it is one word")

    def variables(self, settings, nodes):
        return {"AZ_BATCHAI_ECHO_HOSTS": ",".join(nodes.addresses)}

    def processes(self, settings, nodes):
        return [
            Process(f"echo {settings['word']} {i}", i, f"wk-{i}", {"AZ_BATCHAI_TASK_INDEX": str(i)})
            for i, _ in enumerate(nodes.addresses)
        ]


TOOLKIT = Echo()
'''


@pytest.fixture
def toolkits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toolkits]:
    """The delivered toolkits, and echo, which is a folder and nothing else."""
    folder = tmp_path / "added_toolkits" / "echo"
    folder.mkdir(parents=True)
    (folder / "toolkit.py").write_text(ECHO)
    (folder / "make_environment.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield Toolkits([*delivered(), *toolkits_in(folder.parent, "added_toolkits")])
    for name in [name for name in sys.modules if name.startswith("added_toolkits")]:
        del sys.modules[name]


def body(settings: dict[str, object]) -> dict[str, object]:
    properties = {
        "cluster": {"id": "c"},
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/logs",
        "echoSettings": settings,
    }
    return {"properties": properties}


def test_a_toolkit_is_a_folder_and_nothing_else(toolkits: Toolkits, tmp_path: Path) -> None:
    definition = read(with_toolkits(JobCreate, toolkits), body({"WORD": "hello"}))
    assert toolkits.tool_type(definition) == "echo"
    assert definition["echoSettings"] == {"word": "hello", "loudness": 1}
    root = PurePosixPath("/mnt/batch/tasks/shared/LS_root")
    nodes = [NodePlace("c", f"n{i}", f"10.0.0.{i + 4}", tmp_path / f"n{i}", root) for i in range(2)]
    tasks = plan_job(
        JobToPlan(
            job_guid="g",
            workspace="w",
            experiment="e",
            job="j",
            segment="s",
            definition=definition,
            secrets={},
            nodes=nodes,
            cluster_mounts=[],
            job_mounts=[],
        ),
        toolkits,
    ).tasks
    commands = [task.main.command if task.main else "" for task in tasks]
    assert [f"echo hello {i}\n" in command for i, command in enumerate(commands)] == [True, True]
    assert [task.main.stdout.name for task in tasks if task.main] == ["stdout-wk-0.txt", "stdout-wk-1.txt"]
    assert [task.environment["AZ_BATCHAI_TASK_INDEX"] for task in tasks] == ["0", "1"]
    assert tasks[1].environment["AZ_BATCHAI_ECHO_HOSTS"] == "10.0.0.4,10.0.0.5"
    assert tasks[0].environment["ECHO"] == "on"
    assert (tasks[0].toolkit, tasks[0].node_image) == ("echo", "echo:1")
    assert tasks[0].environment_program == tmp_path / "added_toolkits" / "echo" / "make_environment.py"


@pytest.mark.parametrize(
    ("settings", "target"),
    [
        ({}, "properties.echoSettings.word"),
        ({"word": ""}, "properties.echoSettings.word"),
        ({"word": "a b"}, "properties.echoSettings.word"),
        ({"word": "a", "sound": 1}, "properties.echoSettings.sound"),
    ],
)
def test_its_settings_are_checked_like_any(
    toolkits: Toolkits, settings: dict[str, object], target: str
) -> None:
    with pytest.raises(FaultsFound) as caught:
        read(with_toolkits(JobCreate, toolkits), body(settings))
    assert [fault.path for fault in caught.value.faults] == [target]


def test_the_delivered_toolkits_are_the_services() -> None:
    for settings_name, tool_type in SETTINGS.items():
        assert delivered()[settings_name].tool_type == tool_type


def test_no_two_toolkits_share_a_name() -> None:
    (first, *_) = delivered()
    with pytest.raises(ValueError, match="there is another toolkit"):
        Toolkits([first, first])


def test_a_folder_whose_name_is_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "misnamed_toolkits" / "hello"
    folder.mkdir(parents=True)
    (folder / "toolkit.py").write_text(ECHO)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TypeError, match="hello"):
        list(toolkits_in(folder.parent, "misnamed_toolkits"))


def test_processes_of_mpi_are_spread_evenly_over_the_nodes() -> None:
    toolkit = delivered()["customMpiSettings"]
    settings: dict[str, object] = {"commandLine": " ./program --fast "}
    toolkit.complete(settings, 2)
    assert settings["processCount"] == 2
    nodes = JobNodes(("10.0.0.4", "10.0.0.5"), PurePosixPath("/hosts"), PurePosixPath("/shared"))
    (process,) = toolkit.processes({**settings, "processCount": 7}, nodes)
    assert "--map-by ppr:4:node " in process.command
    assert process.command.endswith(" -n 7 ./program --fast")
    assert (process.node, process.file_name("stdout")) == (0, "stdout.txt")
    assert [fault.path for fault in toolkit.faults({"commandLine": " "}, 2)] == ["commandLine"]
