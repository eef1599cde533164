"""The engine on a Slurm cluster of this machine: nodes that wait, are refused, and are taken away."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from batchai_scenario.emulator.engines.base import NODE_TAKEN, Lost
from batchai_scenario.emulator.engines.control import control_folder
from batchai_scenario.emulator.engines.gpunodes import GpuWish
from batchai_scenario.emulator.engines.slurm.engine import SlurmEngine
from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
from batchai_scenario.emulator.engines.supervisors import await_that, is_free
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, NodeTaken
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.scenarios.cli.app import scenario
from tests.lacking import need_slurm
from tests.slurm.tasks import custom_task, share_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchai_scenario.emulator.engines.base import NodePlace
    from batchai_scenario.emulator.engines.slurm.sandbox import Sandbox
    from batchai_scenario.emulator.launch.plan import GpuMode

pytestmark = pytest.mark.slurm

D2 = GpuWish("auto", "STANDARD_D2")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Sandbox]]:
    need_slurm()
    home = Home(tmp_path_factory.mktemp("shared") / "home")
    home.make()
    with slurm_sandbox(2, home.slurm_settings, gpus=2) as sandbox:
        yield home, sandbox


@pytest.fixture
def home(cluster: tuple[Home, Sandbox]) -> Iterator[Home]:
    home, _ = cluster
    text = home.slurm_settings.read_text()
    yield home
    home.slurm_settings.write_text(text)
    SlurmEngine(home).sweep(frozenset())
    assert _queue(cluster[1]) == []
    assert not list(home.nodes.glob("*/*"))


@pytest.fixture
def engine(home: Home) -> SlurmEngine:
    return SlurmEngine(home, patience=0.0)


def _queue(sandbox: Sandbox) -> list[str]:
    return sorted(sandbox.run("squeue", "--noheader", "--format=%i", "--states=PENDING,RUNNING").split())


def _placed(engine: SlurmEngine, node: str, wish: GpuWish = D2) -> NodePlace:
    """Ask for a node until it is there, as the cluster room does."""
    for _ in range(60):  # each asks Slurm, at most twice a second
        with suppress(EngineUnavailable):
            return engine.place_node("guid", node, wish)
    pytest.fail(f"node {node} did not come")


def test_a_node_that_waits_says_why_and_keeps_its_place(
    cluster: tuple[Home, Sandbox], engine: SlurmEngine
) -> None:
    engine.ask_for("guid", ["a", "b", "c"], D2)
    _placed(engine, "a")
    _placed(engine, "b")
    queued = _queue(cluster[1])
    with pytest.raises(EngineUnavailable, match=r"Slurm lets the nodes wait: \w+") as raised:
        engine.place_node("guid", "c", D2)
    assert raised.value.asked
    assert _queue(cluster[1]) == queued
    engine.remove_node("guid", "a")
    assert _placed(engine, "c").address in {"127.0.1.1", "127.0.1.2"}
    assert len(_queue(cluster[1])) == 2


def test_a_refusal_is_slurms_own_and_leaves_nothing(
    cluster: tuple[Home, Sandbox], home: Home, engine: SlurmEngine
) -> None:
    text = home.slurm_settings.read_text()
    home.slurm_settings.write_text(text.replace("partition: all", "partition: all, constraint: fast"))
    with pytest.raises(EngineError, match=r"feature specification\. It comes from sizes\.\*\.constraint in"):
        engine.place_node("guid", "a", D2)
    assert _queue(cluster[1]) == []


def test_whoever_was_not_heard_asks_again_for_the_same(
    cluster: tuple[Home, Sandbox], home: Home, tmp_path: Path
) -> None:
    program = tmp_path / "sbatch"
    program.write_text(
        '#!/bin/sh\nPATH=${PATH#*:} sbatch "$@"\necho "sbatch: error: Socket timed out" >&2; exit 1\n'
    )
    program.chmod(0o755)
    deaf = SlurmEngine(home, environment={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    for ask in (lambda: deaf.place_node("guid", "a", D2), lambda: deaf.ask_for("guid", ["b"], D2)):
        with pytest.raises(EngineUnavailable) as raised:
            ask()
        assert raised.value.asked
    queued = _queue(cluster[1])
    assert len(queued) == 2
    _placed(deaf, "a")
    assert _queue(cluster[1]) == queued


@pytest.mark.parametrize("taken", ["idle", "with a task"])
def test_a_node_that_is_taken_away_is_missed(
    cluster: tuple[Home, Sandbox], home: Home, engine: SlurmEngine, taken: str
) -> None:
    place = _placed(engine, "a")
    assert engine.lost_nodes("guid") == Lost()
    task = custom_task(home, place, "job", "sleep 600")
    struck = custom_task(home, place, "struck", "kill -s TERM $$")  # as Slurm does before it says so
    if taken == "with a task":
        engine.start(struck, lambda _: None)
        folder = control_folder(home, "guid", "a", struck.id)
        assert await_that(lambda: is_free(folder), time.monotonic() + 60)
        engine.start(task, lambda _: None)  # which empties the node, so that nothing may run there
    cluster[1].run("scancel", *_queue(cluster[1]))
    if taken == "with a task":
        end = engine.wait(task.id)
        assert end.problem is not None
        assert end.problem.code == NODE_TAKEN
        assert "Slurm took node n1 away" in end.problem.message or "node n2" in end.problem.message
        assert engine.wait(task.id) == end
        assert engine.wait(struck.id).problem == end.problem
    for _ in range(60):  # each asks Slurm, at most twice a second
        if (lost := engine.lost_nodes("guid")) != Lost():
            break
    assert lost == Lost(taken=("a",))


def test_a_task_that_somebody_cancels_has_failed(
    cluster: tuple[Home, Sandbox], home: Home, engine: SlurmEngine
) -> None:
    task = custom_task(home, _placed(engine, "a"), "job", "sleep 600")
    engine.start(task, lambda _: None)
    cluster[1].run("scancel", f"{_queue(cluster[1])[0]}.0")
    end = engine.wait(task.id)
    assert end.problem is not None
    assert end.problem.code == "InternalError"
    struck = custom_task(home, _placed(engine, "a"), "struck", "kill -s TERM $$")
    engine.start(struck, lambda _: None)
    assert (engine.wait(struck.id).exit_code, engine.wait(struck.id).problem) == (143, None)
    assert engine.lost_nodes("guid") == Lost()


def test_gpus_are_those_that_slurm_gave(home: Home, engine: SlurmEngine) -> None:
    home.slurm_settings.write_text(
        home.slurm_settings.read_text().replace("partition: all", 'partition: all, gres: "gpu:2"')
    )
    assert engine.info().gpus
    place = _placed(engine, "a")
    assert place.gpus == ("0", "1")
    heard: list[str] = []
    modes: tuple[GpuMode, ...] = ("auto", "none")
    for mode in modes:
        command = 'echo "[$CUDA_VISIBLE_DEVICES] $AZ_BATCHAI_NUM_GPUS"'
        task = custom_task(home, place, f"job-{mode}", command, gpus=mode)
        engine.start(task, heard.append)
        assert engine.wait(task.id).exit_code == 0
        engine.remove(task.id)
    assert (share_of(home) / "segment/stdouterr/stdout.txt").read_text() == "[0,1] 2\n[] 0\n"
    assert "gpus: the job has 2 (by Slurm's gres)" in heard
    shutil.rmtree(share_of(home))


def test_a_controller_that_is_silent_decides_nothing(
    cluster: tuple[Home, Sandbox], home: Home, engine: SlurmEngine
) -> None:
    place = _placed(engine, "a")
    ended, runs, new = (
        custom_task(home, place, name, command)
        for name, command in (("ended", "exit 3"), ("runs", "sleep 600"), ("new", "exit 5"))
    )
    text = home.slurm_settings.read_text()
    elsewhere = cluster[1].folder / "nobody.conf"
    conf = (cluster[1].folder / "slurm.conf").read_text()
    elsewhere.write_text(
        conf.replace("MessageTimeout=30", "MessageTimeout=1").replace("SlurmctldPort=", "SlurmctldPort=1\n#")
    )
    engine.start(ended, lambda _: None)
    assert engine.wait(ended.id).exit_code == 3  # the next one's start empties the node
    engine.start(runs, lambda _: None)
    home.slurm_settings.write_text(text.replace("/slurm.conf", "/nobody.conf"))
    apart = SlurmEngine(home)
    assert apart.wait(ended.id).exit_code == 3
    for act in (
        lambda: apart.lost_nodes("guid"),
        lambda: apart.start(new, lambda _: None),
        lambda: apart.remove(runs.id),
        lambda: apart.remove_node("guid", "a"),
    ):
        with pytest.raises(EngineUnavailable) as raised:
            act()
        assert raised.value.silent
    assert set(engine.tasks()) == {ended.id, runs.id}
    assert len(_queue(cluster[1])) == 1
    engine.start(new, lambda _: None)
    assert engine.wait(new.id).exit_code == 5


def test_a_node_that_its_administrator_wants_is_given_back_and_set_down_it_is_taken(
    cluster: tuple[Home, Sandbox], home: Home, engine: SlurmEngine
) -> None:
    place = _placed(engine, "a")
    task, late = (custom_task(home, place, name, "sleep 600") for name in ("job", "late"))
    engine.start(task, lambda _: None)
    host = cluster[1].run("squeue", "--noheader", "--format=%N").strip()

    def set_to(state: str) -> None:
        cluster[1].run("scontrol", "update", f"nodename={host}", f"state={state}", "reason=new memory")

    set_to("drain")
    for _ in range(60):  # each asks Slurm, at most twice a second
        if (lost := engine.lost_nodes("guid")) != Lost():
            break
    assert lost == Lost(wanted=("a",))
    set_to("down")
    problem = engine.wait(task.id).problem
    assert problem is not None
    assert problem.code == NODE_TAKEN
    assert problem.message.endswith("is NODE_FAIL, for the node was set down: new memory.")
    with pytest.raises(NodeTaken) as raised:
        engine.start(late, lambda _: None)
    assert raised.value.node == "a"
    assert engine.tasks() == [task.id]
    assert engine.lost_nodes("guid") == Lost(taken=("a",))
    set_to("resume")


def test_what_cannot_be_is_known_beforehand(home: Home) -> None:
    def refusal(sizes: str) -> tuple[str, str]:
        kept = [line for line in home.slurm_settings.read_text().splitlines() if "sizes" not in line]
        home.slurm_settings.write_text("\n".join([*kept, f"sizes: {{{sizes}}}"]))
        found = SlurmEngine(home).refusal("STANDARD_D2", 3)
        assert found is not None
        return found

    assert refusal('"*": {partition: all}') == (
        "properties.scaleSettings",
        "Slurm's partition all has 2 nodes, and 3 are asked for",
    )
    path, why = refusal("STANDARD_D9: {partition: all}")
    assert path == "properties.vmSize"
    assert why.startswith(f"no row of sizes in {home.slurm_settings} is for STANDARD_D2")
    path, why = refusal('"*": {partition: none}')
    assert path == "properties.vmSize"
    assert why.startswith("Slurm has no partition none, which sizes.* in")


def test_what_cannot_be_is_refused_at_the_door(cluster: tuple[Home, Sandbox], tmp_path: Path) -> None:
    other = Home(tmp_path / "home")
    other.make()
    text = f"shared_folder: {tmp_path}\nslurm_conf: {cluster[1].folder}/slurm.conf\n"
    other.slurm_settings.write_text(f"{text}sizes: {{STANDARD_D9: {{partition: all}}}}\n")
    arguments = ["--home", str(other.root), "run", "hello", "--backend", "local", "--engine", "slurm"]
    done = CliRunner().invoke(scenario, arguments)
    assert "no row of sizes in" in " ".join(done.output.split())
    assert not list(other.nodes.glob("*/*"))
