"""Docker itself is restarted, stands still, or is killed in the middle of a job: an engine of our own."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import docker
import pytest

from batchai_scenario.emulator.cluster.controller import Controller
from batchai_scenario.emulator.cluster.model import (
    ClusterKey,
    ExecutionState,
    ExperimentKey,
    JobKey,
    WorkspaceKey,
)
from batchai_scenario.emulator.engines.docker.engine import DockerEngine
from batchai_scenario.emulator.state.clock import SystemClock
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.emulator.cluster.model import Job

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(240),
    # Docker's client leaves a socket to the garbage collector where it could not connect.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

WORKSPACE = WorkspaceKey("s", "group", "ws")
_, RUNNING, _, SUCCEEDED, FAILED = ExecutionState


@dataclass
class OwnDocker:
    """A Docker engine of our own: its socket, data and networks are nobody else's."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/sock"

    def start(self) -> None:
        (self.folder / "config.json").write_text("{}")
        names = {"config-file": "config.json", "data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        paths = [word for name, file in names.items() for word in (f"--{name}", str(self.folder / file))]
        network = ["--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"]
        pool = ("--default-address-pool", "base=10.213.0.0/16,size=24")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                # In a network of its own: an engine without the default bridge deletes the one that it finds.
                ["unshare", "--net", "dockerd", "--host", self.url, *paths, *network, *pool],
                stdout=log,
                stderr=log,
            )
        until(self._answers, 60)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as knocking:
            try:
                knocking.connect(f"{self.folder}/sock")
            except OSError:
                return False
        with closing(docker.APIClient(base_url=self.url, version="1.41")) as api:
            return bool(api.ping())

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.send(number)
            self.process.wait(60)
            self.process = None
            for file in ("pid", "exec/containerd/containerd.pid"):  # whose processes nobody may have reaped
                (self.folder / file).unlink(missing_ok=True)

    def close(self) -> None:
        """End the engine, and the containerd and containers that it left if it was killed."""
        if self.process is None:
            self.start()
        with closing(docker.APIClient(base_url=self.url, version="1.41")) as api:
            for found in api.containers(all=True):
                api.remove_container(found["Id"], force=True)
        self.end()
        for kind in ("data", "exec"):  # it mounts its folders onto themselves
            subprocess.run(["umount", "-l", str(self.folder / kind)], capture_output=True, check=False)


def until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.05)


class FolderShares:
    """Every share is one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount_source(
        self, account: str, azure_file_url: str, account_key: str, target: PurePosixPath
    ) -> Path:
        return self.folder

    def mount_container(self, account: str, container: str, account_key: str) -> Path:
        return self.folder

    def mount_server(self, server_id: str, directory: str) -> Path:
        return self.folder

    def count_untold(self, account: str, share: str, path: str) -> int:
        return 0


@dataclass
class World:
    """A cluster room with Docker behind it."""

    own: OwnDocker
    home: Home
    engine: DockerEngine
    controller: Controller
    share: Path
    names: Iterator[int] = field(default_factory=lambda: iter(range(100)))

    def submit(self, command: str, **more: Any) -> JobKey:
        key = JobKey(ExperimentKey(WORKSPACE, "e"), f"j{next(self.names)}")
        definition = {
            "nodeCount": 1,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/share",
            "containerSettings": {"imageSourceRegistry": {"image": "scenario-test:busybox"}},
            "customToolkitSettings": {"commandLine": command},
            **more,
        }
        self.controller.create_job(key, ClusterKey(WORKSPACE, "c"), definition, {})
        return key

    def begun(self, key: JobKey) -> None:
        until(lambda: self.output(key).startswith("begun"))

    def output(self, key: JobKey) -> str:
        job = self.controller.get_job(key)
        file = self.share / (job.segment if job else "") / "stdouterr" / "stdout.txt"
        return file.read_text() if file.exists() else ""

    def recorded(self, key: JobKey) -> bool:
        """Tell whether the job's supervisor has written how it ended."""
        job = self.controller.get_job(key)
        assert job is not None
        file = self.home.nodes.glob(f"*/*/control/{job.guid}-0/status")
        return any(path.read_text().startswith("main ") for path in file)

    def ended(self, key: JobKey, seconds: float = 40) -> Job:
        found: list[Job] = []

        def look() -> bool:
            job = self.controller.get_job(key)
            if job is not None and job.execution_state.final:
                found.append(job)
            return bool(found)

        until(look, seconds)
        return found[0]


@pytest.fixture(scope="module")
def own(docker_image: str) -> Iterator[OwnDocker]:
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("an engine of one's own needs root and dockerd")
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="own-", ignore_cleanup_errors=True) as folder:
        yield from serve(OwnDocker(Path(folder)), docker_image)


def serve(own: OwnDocker, docker_image: str) -> Iterator[OwnDocker]:
    own.start()
    with closing(docker.APIClient(version="auto")) as shared:
        image = b"".join(shared.get_image(docker_image))
    with closing(docker.APIClient(base_url=own.url, version="1.41")) as api:
        assert list(api.load_image(image)) is not None  # type: ignore[no-untyped-call]
    yield own
    own.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture
def world(own: OwnDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("DOCKER_HOST", own.url)
    if own.process is None:
        own.start()
    home = Home(tmp_path / "home")
    home.make()
    share = tmp_path / "share"
    share.mkdir()
    engine = DockerEngine(home, training=home.root, pull="never")
    with closing(Store(home.database, Seal.at(home.seal_key))) as store:
        controller = Controller(store, SystemClock(), lambda _: engine, FolderShares(share))
        controller.start()
        mounts = {"azureFileShares": [{"accountName": "a", "azureFileUrl": "https://a/share"}]}
        mounts["azureFileShares"][0]["relativeMountPath"] = "share"
        definition = {
            "vmSize": "STANDARD_D1",
            "scaleSettings": {"manual": {"targetNodeCount": 1}},
            "nodeSetup": {"mountVolumes": mounts},
        }
        key = ClusterKey(WORKSPACE, "c")
        controller.create_cluster(key, definition, {})
        yield World(own, home, engine, controller, share)
        if own.process is None:
            own.start()
        controller.delete_cluster(key)
        until(lambda: controller.get_cluster(key) is None, 90)
        with closing(docker.APIClient(base_url=own.url, version="1.41")) as api:
            assert api.containers(all=True) == []
            assert [network for network in api.networks() if network["Name"].startswith("scenario-")] == []
        assert list(home.nodes.iterdir()) == []
        controller.close()
    engine.close()


def test_a_restart_of_the_engine_fails_the_job_that_it_ends(world: World) -> None:
    job = world.submit("echo begun; sleep 300")
    world.begun(job)
    world.own.end()
    world.own.start()
    end = world.ended(job)
    assert (end.execution_state, end.exit_code) == (FAILED, 143)
    assert "told to end by somebody other than the emulator" in end.errors[0].message


def test_a_job_that_takes_the_engines_end_for_its_own_has_not_succeeded(world: World) -> None:
    job = world.submit("trap 'exit 0' TERM; echo begun; while :; do sleep 0.1; done")
    world.begun(job)
    world.own.end()
    world.own.start()
    end = world.ended(job)
    assert end.execution_state is FAILED
    assert "told to end by somebody other than the emulator" in end.errors[0].message


@pytest.mark.parametrize("late", [False, True])
def test_an_engine_that_is_killed_in_the_middle_of_a_job_tells_the_truth(world: World, late: bool) -> None:
    """A container runs on without its engine; one that comes back soon ends it, a late one finds the end."""
    job = world.submit("echo begun; sleep 2; echo done")
    world.begun(job)
    world.own.end(signal.SIGKILL)
    if late:
        until(lambda: world.recorded(job))
    world.own.start()
    end = world.ended(job)
    assert (end.execution_state is SUCCEEDED) == (world.output(job) == "begun\ndone\n")
    assert (end.exit_code == 0) == (end.execution_state is SUCCEEDED)
    assert end.execution_state is SUCCEEDED or not late


def test_a_job_that_ends_while_the_engine_stands_still_ends_with_its_own_code(world: World) -> None:
    job = world.submit("echo begun; sleep 1; exit 7")
    world.begun(job)
    world.own.send(signal.SIGSTOP)
    until(lambda: world.recorded(job))
    world.own.send(signal.SIGCONT)
    end = world.ended(job)
    assert (end.execution_state, end.exit_code) == (FAILED, 7)


def test_a_job_waits_for_an_engine_that_is_not_there(world: World) -> None:
    first = world.submit("echo begun")
    assert world.ended(first).exit_code == 0
    world.own.end()
    job = world.submit("echo begun; exit 0")
    until(lambda: world.controller._settler.jobs._resting)
    world.own.start()
    end = world.ended(job)
    assert (end.execution_state, end.exit_code) == (SUCCEEDED, 0)


STANDSTILL = 70.0
"""Seconds: longer than Docker's client waits for an answer."""


@pytest.mark.endurance
@pytest.mark.timeout(600)
@pytest.mark.parametrize("length", [20, 100], ids=["ends-meanwhile", "outlives-it"])
def test_jobs_go_on_while_the_engine_stands_still_for_more_than_a_minute(world: World, length: int) -> None:
    job = world.submit(f"echo begun; sleep {length}; exit 7")
    world.begun(job)
    world.own.send(signal.SIGSTOP)
    late = world.submit("echo begun; exit 5")
    stands_until = time.monotonic() + STANDSTILL
    until(lambda: time.monotonic() > stands_until, 2 * STANDSTILL)
    assert world.recorded(job) == (length < STANDSTILL)
    world.own.send(signal.SIGCONT)
    for key, code in ((job, 7), (late, 5)):
        end = world.ended(key, 2 * STANDSTILL)
        assert (end.execution_state, end.exit_code) == (FAILED, code)
        assert world.output(key) == "begun\n"
