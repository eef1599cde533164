"""What is special about Docker."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest

from batchai_scenario.emulator.engines.choose import Engines
from batchai_scenario.emulator.engines.docker.engine import DockerEngine
from batchai_scenario.emulator.errors import CleanupIncomplete, EngineError, EngineUnavailable
from batchai_scenario.emulator.launch.layout import NODE_ROOT
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from tests.lacking import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.docker


@pytest.fixture
def api() -> Iterator[docker.APIClient]:
    with closing(docker.APIClient(version="auto")) as client:
        yield client


@pytest.fixture
def lab(lab_of: Callable[..., Any]) -> Any:
    return lab_of("docker")


class WithoutInit:
    """An engine's client whose containers with an init cannot start, as where ``docker-init`` is missing."""

    def __init__(self, api: docker.APIClient) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def start(self, container: str) -> None:
        if self._api.inspect_container(container)["HostConfig"]["Init"]:
            text = 'exec: "docker-init": executable file not found in $PATH: unknown'
            raise docker.errors.APIError("500 Server Error", explanation=text)
        self._api.start(container)


@pytest.fixture
def lab_without_init(lab: Any, api: docker.APIClient) -> Any:
    lab.engine._api.close()
    lab.engine._api = WithoutInit(api)
    return lab


def test_an_engine_without_an_init_is_used_without_one(lab_without_init: Any) -> None:
    lab = lab_without_init
    outcome = lab.run("(sleep 0.1 & exec sleep 0.2) & wait; echo done; exit 3")
    assert (outcome.end.phase, outcome.end.exit_code, outcome.end.problem) == ("main", 3, None)
    assert outcome.text() == "done\n"
    assert [line for line in lab.announced if "docker-init" in line] == [lab.announced[-1]]
    assert lab.run("echo again").text() == "again\n"
    assert len([line for line in lab.announced if "docker-init" in line]) == 1


def test_a_job_is_stopped_where_the_engine_has_no_init(lab_without_init: Any) -> None:
    lab = lab_without_init
    task = lab.task("trap 'echo ended; exit 9' TERM; echo begun; while :; do sleep 0.05; done")
    lab.start(task)
    wait_for_output(lab, task)
    lab.engine.stop(task.id, 5.0)
    outcome = lab.finish(task)
    assert outcome.end.problem is None
    assert outcome.text() == "begun\nended\n"


def run_command(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from batchai_scenario.scenarios.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "--home", str(home.root), *arguments]
    root = Path(__file__).parents[2] / "src"
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)


def wait_for_output(lab: Any, task: Any) -> None:
    file = lab.logs(task) / "stdout.txt"
    while not (file.exists() and file.read_text()):
        pass


def test_inspect_shows_no_value_of_the_environment(lab: Any, api: Any) -> None:
    task = lab.task("sleep 300", variables={"PLAIN": "plain-value"}, secrets={"WORD": "s3cr3t-value"})
    lab.start(task)
    seen = json.dumps(api.inspect_container(f"scenario-{task.id}"))
    assert "s3cr3t-value" not in seen
    assert "plain-value" not in seen
    assert "AZ_BATCHAI" not in seen
    labels = api.inspect_container(f"scenario-{task.id}")["Config"]["Labels"]
    assert labels["scenario.home"] == str(lab.home.root.resolve())
    assert (labels["scenario.cluster"], labels["scenario.task"]) == (lab.cluster, task.id)
    lab.engine.stop(task.id, 0)


def test_a_node_has_its_address_on_its_clusters_own_network(lab: Any, api: Any) -> None:
    task = lab.task("sleep 300")
    lab.start(task)
    networks = api.inspect_container(f"scenario-{task.id}")["NetworkSettings"]["Networks"]
    assert list(networks) == [f"scenario-{lab.cluster}"]
    assert networks[f"scenario-{lab.cluster}"]["IPAddress"] == lab.place.address
    assert lab.place.address.endswith(".4")
    assert lab.place.root == NODE_ROOT
    second = lab.engine.place_node(lab.cluster, "second")
    assert second.address.endswith(".5")
    lab.engine.stop(task.id, 0)
    lab.engine.remove_node(lab.cluster, "second")


def test_a_network_that_was_pruned_is_made_again(lab: Any, api: Any) -> None:
    api.remove_network(f"scenario-{lab.cluster}")
    assert lab.run("exit 3").end.exit_code == 3
    assert lab.engine.place_node(lab.cluster, lab.place.node) == lab.place


def test_where_nvidias_runtime_may_be_the_default_a_task_without_gpus_gets_none(lab: Any, api: Any) -> None:
    facts = lab.engine._facts
    lab.engine._facts = replace(facts, info={**facts.info, "Runtimes": {"nvidia": {}}})
    task = lab.task("true", gpus="none")
    lab.start(task)
    assert "NVIDIA_VISIBLE_DEVICES=void" in api.inspect_container(f"scenario-{task.id}")["Config"]["Env"]
    lab.finish(task)


def test_a_task_whose_container_was_taken_away_is_not_run_again(lab: Any, api: Any) -> None:
    task = lab.task("echo ran >> $AZ_BATCHAI_MOUNT_ROOT/share/ran; exit 3")
    lab.start(task)
    assert lab.engine.wait(task.id).exit_code == 3
    api.remove_container(f"scenario-{task.id}", force=True)
    lab.start(task)
    assert lab.finish(task).end.exit_code == 3
    assert (lab.share / "ran").read_text() == "ran\n"


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_a_container_that_was_killed_from_outside_did_not_succeed(lab: Any, api: Any, signal: str) -> None:
    task = lab.task("echo up; sleep 300")
    lab.start(task)
    wait_for_output(lab, task)
    api.kill(f"scenario-{task.id}", signal)
    end = lab.finish(task).end
    assert (end.phase, end.exit_code) == ("main", 137 if signal == "KILL" else 143)
    assert end.problem is not None  # somebody else ended it, and says nothing of the command


def test_a_container_that_was_removed_from_outside_did_not_succeed(lab: Any, api: Any) -> None:
    task = lab.task("echo up; sleep 300")
    lab.start(task)
    wait_for_output(lab, task)
    api.remove_container(f"scenario-{task.id}", force=True)
    end = lab.engine.wait(task.id)
    assert end.problem is not None
    assert end == lab.engine.wait(task.id)
    lab.engine.remove(task.id)


def test_an_end_is_known_although_the_container_is_gone(lab: Any, api: Any) -> None:
    task = lab.task("exit 3")
    lab.start(task)
    end = lab.engine.wait(task.id)
    api.remove_container(f"scenario-{task.id}")
    assert lab.engine.wait(task.id) == end
    lab.engine.remove(task.id)


def test_an_image_that_is_not_to_be_had_is_named_and_nothing_is_left(lab: Any, api: Any) -> None:
    task = lab.task("true", containerSettings={"imageSourceRegistry": {"image": "acme/nothing:1"}})
    with pytest.raises(EngineError) as caught:
        lab.start(task)
    assert caught.value.problem.code == "FailedStartingContainer"
    assert ("imageName", "acme/nothing:1") in caught.value.problem.details
    assert lab.engine.tasks() == []
    assert list((lab.place.disk / "control").iterdir()) == []
    lab.engine.remove(task.id)


def test_a_substitute_is_announced(lab: Any) -> None:
    candidates = f'[{{image: "acme/not-here:1"}}, {{image: "{lab.image}"}}]'
    lab.home.images_table.write_text(f'"acme/nothing:*": {candidates}')
    outcome = lab.run("echo ran", containerSettings={"imageSourceRegistry": {"image": "acme/nothing:1"}})
    assert outcome.text() == "ran\n"
    assert any(
        line.startswith(f"image: acme/nothing:1 is not available; running {lab.image} (sha256:")
        for line in lab.announced
    )


def test_an_image_without_a_shell_is_refused_in_words(lab: Any, api: Any) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("file"))
    api.import_image_from_data(data.getvalue(), "scenario-test", "no-shell")
    try:
        settings = {"imageSourceRegistry": {"image": "scenario-test:no-shell"}}
        task = lab.task("true", containerSettings=settings)
        lab.start(task)
        end = lab.finish(task).end
        assert (end.phase, end.exit_code) == ("start", None)
        assert end.problem.code == "FailedStartingContainer"
        assert "no shell" in dict(end.problem.details)["Info"]
        assert dict(end.problem.details)["imageName"] == "scenario-test:no-shell"
    finally:
        api.remove_image("scenario-test:no-shell")


def test_shm_size_is_the_jobs(lab: Any) -> None:
    settings = {"imageSourceRegistry": {"image": lab.image}, "shmSize": "128 mb"}
    outcome = lab.run("while read -r l; do echo $l; done < /proc/mounts", containerSettings=settings)
    line = next(line for line in outcome.text().splitlines() if " /dev/shm " in line)
    assert "size=131072k" in line


def test_sweep_takes_containers_of_homes_that_are_gone(
    lab: Any, lab_of: Any, tmp_path: Path, api: Any
) -> None:
    gone = Home(tmp_path / "gone")
    gone.make()
    engine = DockerEngine(gone, training=gone.root, pull="never")
    place = engine.place_node("gone-cluster", "n1")
    other = type(lab)("docker", engine, gone, lab.image, "gone-cluster", place)
    other.share.mkdir(parents=True)
    task = other.task("sleep 300")
    other.start(task)
    assert lab.engine.sweep(frozenset({lab.cluster})) == []
    assert engine.tasks() == [task.id]
    gone.root.rename(tmp_path / "moved")
    assert len(lab.engine.sweep(frozenset({lab.cluster}))) == 2
    assert api.containers(all=True, filters={"label": "scenario.cluster=gone-cluster"}) == []
    assert api.networks(names=["scenario-gone-cluster"]) == []
    engine.close()


@needs_root
def test_no_permission_is_told_apart_from_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import docker, os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from batchai_scenario.emulator.engines.docker.api import connect\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: connect()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    root = str(Path(__file__).parents[2] / "src")
    socket = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    with pytest.raises(EngineUnavailable, match="No Docker engine answers") as caught:
        DockerEngine(Home(tmp_path), training=tmp_path).info()
    assert "--engine process" in str(caught.value)
    monkeypatch.delenv("DOCKER_HOST")
    told = subprocess.run(
        [sys.executable, "-c", program, root],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert "EngineUnavailable" in told.stdout
    assert "permission denied" in told.stdout
    assert "group docker" in told.stdout


def test_auto_takes_docker_if_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines(Home(tmp_path), tmp_path)
    assert engines("auto").name == "docker"
    assert engines("") is engines("docker")
    assert engines("process").name == "process"
    assert engines.notes == ()
    engines.close()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    engines = Engines(Home(tmp_path), tmp_path)
    assert engines().name == "process"
    assert "Docker is not used" in engines.notes[0]
    with pytest.raises(EngineUnavailable, match="podman"):
        engines("podman")
    engines.close()


def test_a_network_that_somebody_holds_is_told_and_goes_when_it_is_free(
    lab: Any, api: Any, home: Home
) -> None:
    """A container of somebody else's hangs on a cluster's network: the rest goes, this is said."""
    held = lab.engine.place_node("held-cluster", "n1")
    other = lab.engine.place_node("other-cluster", "n1")
    network = "scenario-held-cluster"
    stranger = api.create_container(
        lab.image, command=["sleep", "300"], host_config=api.create_host_config(network_mode=network)
    )["Id"]
    api.start(stranger)
    name = api.inspect_container(stranger)["Name"].lstrip("/")
    try:
        with pytest.raises(CleanupIncomplete) as caught:
            lab.engine.sweep(frozenset({lab.cluster}))
        assert "network scenario-other-cluster" in caught.value.removed
        (stays,) = caught.value.stays
        assert stays.startswith(f"network {network}: ")
        assert f"'docker network disconnect -f {network} {name}'" in stays
        assert not held.disk.exists()
        assert not other.disk.exists()
        Store(home.database, Seal.at(home.seal_key)).close()
        told = run_command(home, "emulator", "gc")
        assert told.returncode == 4
        assert f"docker network disconnect -f {network} {name}" in told.stderr
        assert "nothing to remove" not in told.stdout
        told = run_command(home, "emulator", "gc", "--json")
        assert told.returncode == 4
        assert name in json.loads(told.stdout)["stays"][0]
    finally:
        api.remove_container(stranger, force=True)
    assert f"network {network}" in lab.engine.sweep(frozenset({lab.cluster}))
    assert lab.engine.sweep(frozenset({lab.cluster})) == []
