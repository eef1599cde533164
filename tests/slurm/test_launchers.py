"""Jobs in containers on Slurm's nodes: which image runs, how it ends, and that nothing of it is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.engines.base import NODE_TAKEN, Need
from batchai_scenario.emulator.engines.docker.api import connect
from batchai_scenario.emulator.engines.gpunodes import GpuWish
from batchai_scenario.emulator.engines.labels import container_name
from batchai_scenario.emulator.engines.proc import marked
from batchai_scenario.emulator.engines.slurm.engine import SlurmEngine
from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
from batchai_scenario.emulator.engines.supervisors import await_that
from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.launch.plan import ImageRequest
from batchai_scenario.emulator.state.home import Home
from tests.lacking import need_slurm
from tests.slurm.tasks import custom_task, custom_tasks, share_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchai_scenario.emulator.engines.base import NodePlace
    from batchai_scenario.emulator.engines.slurm.sandbox import Sandbox
    from batchai_scenario.emulator.launch.plan import NodeTask

SIZE = GpuWish("none", "STANDARD_D2")
LAUNCHER = """#!/bin/sh
case "$1 $2" in
    "image inspect") for last; do :; done; grep -qxF -- "$last" "$HAS" && echo "sha256:$last" ;;
    "images "*) cat "$HAS" ;;
    "pull "*)
        if grep -qxF -- "$3" "$CAN"; then echo "$3" >>"$HAS"; else echo "denied: $3" >&2; exit 1; fi ;;
esac
"""
PROGRAM = Path(__file__).parents[2] / "emulator" / "engines" / "slurm" / "container.sh"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Sandbox]]:
    need_slurm()
    home = Home(tmp_path_factory.mktemp("shared") / "home")
    home.make()
    with slurm_sandbox(2, home.slurm_settings) as sandbox:
        home.slurm_settings.write_text(f"{home.slurm_settings.read_text()}launcher: docker\n")
        yield home, sandbox
        SlurmEngine(home).sweep(frozenset())


@pytest.fixture
def world(cluster: tuple[Home, Sandbox], docker_image: str) -> Iterator[World]:
    world = World(*cluster, docker_image)
    yield world
    for task in world.engine.tasks():
        world.engine.remove(task)
    shutil.rmtree(share_of(world.home))
    assert world.containers() == []
    left = [file.name for file in world.home.nodes.glob("*/*/control/.*") if file.suffix != ".lock"]
    assert [name for name in left if name != ".starting"] == []


class World:
    """A home whose jobs run in containers of one node, which all tests share."""

    def __init__(self, home: Home, sandbox: Sandbox, image: str) -> None:
        self.home, self.sandbox, self.image = home, sandbox, image
        self.engine = SlurmEngine(home, pull="never")
        self.place: NodePlace = self.engine.place_node("launchers", "node", SIZE)
        self.heard: list[str] = []

    def task(self, name: str, command: str, image: str | None = "", **more: Any) -> NodeTask:
        named = None if image is None else {"image": image or self.image, **more}
        return custom_task(self.home, self.place, name, command, named)

    def start(self, name: str, command: str, **more: Any) -> NodeTask:
        task = self.task(name, command, **more)
        self.engine.start(task, self.heard.append)
        return task

    def said(self) -> list[str]:
        file = share_of(self.home) / "segment/stdouterr/stdout.txt"
        return file.read_text().splitlines() if file.exists() else []

    def containers(self) -> list[dict[str, Any]]:
        api = connect()
        try:
            mark = f"scenario.home={self.home.root.resolve()}"
            return list(api.containers(all=True, filters={"label": mark}))
        finally:
            api.close()


@pytest.mark.slurm
@pytest.mark.docker
def test_a_job_with_an_image_runs_in_a_container_of_its_node(world: World) -> None:
    command = (
        "cd $AZ_BATCHAI_MOUNT_ROOT/share; echo x >made; echo $AZ_BATCHAI_NUM_GPUS; id -u; "
        "readlink /proc/self/ns/pid; "
        "while [ ! -e go ]; do sleep 0.02; done; exit 3"
    )
    task = world.start("job", command)
    (found,) = world.containers()
    assert found["Names"] == [f"/{container_name(task.id)}"]
    assert found["Labels"]["scenario.cluster"] == "launchers"
    assert found["Labels"]["scenario.slurm_job"] == world.sandbox.run("squeue", "-ho%i").strip()
    assert "scenario.task" not in found["Labels"], "those are the engine docker's"
    (share_of(world.home) / "go").touch()
    end = world.engine.wait(task.id)
    assert (end.exit_code, end.phase, end.problem) == (3, "main", None)
    assert world.engine.wait(task.id) == end
    here = str(Path("/proc/self/ns/pid").readlink())
    *said, there = world.said()
    assert said == ["0", "0"]
    assert there != here
    assert {file.stat().st_uid for file in share_of(world.home).rglob("*")} == {os.geteuid()}

    beside = world.start("plain", "readlink /proc/self/ns/pid; exit 4", image=None)
    assert world.engine.wait(beside.id).exit_code == 4
    assert world.said()[-1] == here


@pytest.mark.slurm
@pytest.mark.docker
@pytest.mark.parametrize("victim", ["step", "supervisor", "allocation"])
def test_a_container_ends_with_its_step_however_that_ends(world: World, victim: str) -> None:
    task = world.start("job", "trap '' TERM; (trap '' TERM; sleep 300) & echo up; sleep 300")
    assert await_that(lambda: world.said() == ["up"], time.monotonic() + 60)
    if victim == "step":
        for process in marked("", "SLURM_JOB_ID"):
            if process.command[1:3] == (str(world.home.nodes / ".slurm-step.sh"), "run"):
                os.kill(process.pid, signal.SIGKILL)
    elif victim == "supervisor":
        api = connect()
        api.kill(container_name(task.id))
        api.close()
    else:
        world.sandbox.run("scancel", *world.sandbox.run("squeue", "-ho%i").split())
    end = world.engine.wait(task.id)
    assert end.problem is not None
    assert (end.problem.code == NODE_TAKEN) == (victim == "allocation")
    assert end.exit_code == 137
    assert world.engine.wait(task.id) == end
    assert await_that(lambda: not world.containers(), time.monotonic() + 60)
    if victim == "allocation":
        world.engine.remove_node("launchers", "node")


@pytest.mark.slurm
@pytest.mark.docker
def test_an_image_that_a_node_lacks_is_named_with_a_way_out(world: World) -> None:
    credentials = {"credentials": {"username": "somebody"}}
    with pytest.raises(EngineError) as raised:
        world.start("job", "true", image="nobody/none:1", **credentials)
    problem = raised.value.problem
    assert problem.code == "FailedStartingContainer"
    assert problem.details == (
        ("imageName", "nobody/none:1"),
        (
            "Info",
            (
                "On node n1 with the launcher docker: no image: nobody/none:1: it is not there, and pulling "
                "is switched off. Let nodes reach its registry, or bring the image there ('docker load')."
            ),
        ),
    )
    assert world.engine.tasks() == []
    with pytest.raises(EngineError) as raised:
        world.start("job", "true", image="--privileged")
    assert raised.value.problem.details[1] == ("Info", "it is not the name of an image")


@pytest.mark.slurm
@pytest.mark.docker
def test_nodes_of_a_job_find_in_their_containers_what_the_masters_command_names(world: World) -> None:
    other = world.engine.place_node("launchers", "other", SIZE)
    command = "cd $AZ_BATCHAI_MOUNT_ROOT/share; echo seen >made; ssh other cat $PWD/made"
    tasks = custom_tasks(world.home, [world.place, other], "pair", command, {"image": world.image})
    for task in tasks:
        world.engine.start(task, world.heard.append)
    assert world.engine.wait(tasks[0].id).exit_code == 0
    world.engine.stop(tasks[1].id)
    assert world.engine.wait(tasks[1].id).exit_code == 0
    assert world.said() == ["seen"]
    world.engine.remove_node("launchers", "other")


@pytest.mark.slurm
def test_a_job_with_an_image_needs_no_environment_of_its_toolkit(cluster: tuple[Home, Sandbox]) -> None:
    need = Need("custom", Path("/none/such/program"), ImageRequest("an/image"), "node/x:y")
    engine = SlurmEngine(cluster[0])
    assert engine.lacks(need) is None
    engine.obtain(need, print, print)


@pytest.fixture
def find_image(tmp_path: Path) -> Callable[..., tuple[str, list[str]]]:
    """Have a node find an image: what its launcher has and can pull, and what may stand for the image."""
    (tmp_path / "control").mkdir()
    launcher = tmp_path / "launcher"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)

    def find(has: str, can: str, wanted: str) -> tuple[str, list[str]]:
        for name, words in (("has", has), ("can", can), ("wanted", wanted)):
            (tmp_path / name).write_text("".join(f"{word}\n" for word in words.split(", ") if word))
        script = (
            f"control={tmp_path}/control/id; . {PROGRAM}; named=asked:1 pull=missing launcher={launcher}\n"
            f'wanted() {{ cat {tmp_path}/wanted; }}\nfind_image; echo "$image"'
        )
        values = {**os.environ, "HAS": str(tmp_path / "has"), "CAN": str(tmp_path / "can")}
        command = ["/bin/sh", "-c", script]
        done = subprocess.run(command, env=values, check=False, capture_output=True, text=True)
        failed, told = (tmp_path / "control" / f".id.{name}" for name in ("failed", "told"))
        lines = told.read_text().splitlines() if told.exists() else []
        return (failed.read_text() if failed.exists() else done.stdout).strip(), lines

    return find


@pytest.mark.parametrize(
    ("has", "can", "wanted", "runs"),
    [
        ("asked:1", "", "image other:1", "asked:1"),
        ("other:1", "asked:1", "image other:1", "asked:1"),
        ("other:1", "", "image other:1", "other:1"),
        ("last:1", "other:1", "image other:1, image last:1", "last:1"),
        ("", "last:1", "build other:1, image last:1", "last:1"),
        ("docker.io/library/debian:11, debian:9", "", "local debian:*", "docker.io/library/debian:11"),
        ("localhost/scenario/node:latest, x:1", "", "local scenario/*", "localhost/scenario/node:latest"),
    ],
)
def test_a_node_looks_for_an_image_as_the_engine_docker_does(
    find_image: Callable[..., tuple[str, list[str]]], has: str, can: str, wanted: str, runs: str
) -> None:
    found, told = find_image(has, can, wanted)
    assert found == runs
    assert (f"image: asked:1 is not available; running {runs}" in told) == (runs != "asked:1")


def test_all_that_was_tried_for_an_image_is_told(find_image: Callable[..., tuple[str, list[str]]]) -> None:
    found, told = find_image("", "", "image other:1, build made:1")
    assert found == (
        "no image: asked:1: denied: asked:1; other:1: denied: other:1; "
        "made:1: it is not there, and nodes build none"
    )
    assert told == ["image: pulling asked:1", "image: pulling other:1"]
