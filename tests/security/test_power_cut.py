"""The machine's power is lost: what was synced is there again, jobs end right, and nothing is left.

The home stands on a disk of its own, a file system in a file. It is shut down as a power cut does it, by what
the kernel has for such tests (``EXT4_IOC_SHUTDOWN`` without a flush), and all that ran is killed; then it is
mounted again. What nobody had synced is lost: new files are empty, the last transactions undone.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import struct
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.base import BackendOptions, ClusterSpec, JobSpec, JobState, Place
from batchai_scenario.backends.errors import BackendError
from batchai_scenario.backends.local import open_backend
from batchai_scenario.emulator.engines.proc import NETWORK, marked
from batchai_scenario.emulator.gateway.authority import Authority
from batchai_scenario.emulator.state.clock import SystemClock
from batchai_scenario.emulator.state.copies import copies, keep_copies
from batchai_scenario.emulator.state.health import problems
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.own import OwnCredentials
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from tests.e2e.conftest import Command
from tests.lacking import MOUNTS, needs_root, skip_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [needs_root, pytest.mark.timeout(600)]

_SHUTDOWN, _WITHOUT_FLUSH = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
PLACE = Place("cut", "eastus", "cut", "cut")
SHARE = {
    "accountName": "$STORAGE_ACCOUNT",
    "azureFileUrl": "$STORAGE_URL/cut",
    "credentials": {"accountKey": "$STORAGE_KEY"},
    "relativeMountPath": "files",
}
CLUSTER = {
    "vmSize": "STANDARD_D1",
    "scaleSettings": {"manual": {"targetNodeCount": 2}},
    "userAccountSettings": {"adminUserName": "cut", "adminUserPassword": "not-used-here-1"},
    "nodeSetup": {"mountVolumes": {"azureFileShares": [SHARE]}},
}
COMMANDS = {"good": "true", "bad": "exit 3", "slow": "sleep 2; exit 4"}


@dataclass
class Disk:
    """A file system of its own, whose power can be cut."""

    image: Path
    at: Path

    def make(self) -> None:
        self.at.mkdir()
        with self.image.open("wb") as file:
            file.truncate(192 * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True)

    def mount(self) -> bool:
        mounting = ["mount", "-o", "loop", str(self.image), str(self.at)]
        return subprocess.run(mounting, capture_output=True, check=False).returncode == 0

    def shut_down(self) -> None:
        """Lose everything that was not synced; from here on every call fails."""
        top = os.open(self.at, os.O_RDONLY)
        try:
            fcntl.ioctl(top, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSH))
        finally:
            os.close(top)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.at)], check=True)

    def come_back(self) -> None:
        """Mount what reached the disk: a copy, for others' namespaces may hold the broken one still."""
        self.unmount()
        lost = self.image
        self.image = lost.with_name(f"{lost.name}-")
        subprocess.run(["cp", "--sparse=always", str(lost), str(self.image)], check=True)
        lost.unlink()
        assert self.mount()


@pytest.fixture
def disk() -> Iterator[Disk]:
    # Not among the folders of other tests, which could not remove what a broken disk holds.
    with tempfile.TemporaryDirectory(prefix="cut-", ignore_cleanup_errors=True) as folder:
        made = Disk(Path(folder) / "image", Path(folder) / "disk")
        made.make()
        if not made.mount():
            skip_for(MOUNTS, "no file system in a file can be mounted here")
        yield made
        made.unmount()


def until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.05)


@dataclass
class Machine:
    """An emulator on a disk, both of which lose their power."""

    disk: Disk
    engine: str
    jobs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.command = Command(self.disk.at / "home")
        self.command.home.mkdir()
        self.start()

    def start(self) -> None:
        self.process = self.command.start("emulator", "serve", "--engine", self.engine, "--json")
        assert self.process.stdout is not None
        if '"url"' not in self.process.stdout.readline():
            pytest.fail(self.process.communicate()[1])
        self.backend = open_backend(BackendOptions(home=self.command.home, values={"engine": self.engine}))

    def cut(self) -> None:
        self.backend.close()
        self.disk.shut_down()
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        until(self._nothing_runs)
        self.disk.come_back()
        self.rename_boot()

    def rename_boot(self) -> None:
        """As after a start of the machine, which has another name then."""
        for note in (self.command.home / "storage" / ".staging").glob("note-*"):
            note.write_bytes(note.read_bytes().replace(b'"boot": "', b'"boot": "not '))

    def _nothing_runs(self) -> bool:
        home = f"{self.command.home.resolve()}:"
        found = [*marked(), *marked(variable=NETWORK)]
        mine = [process for process in found if process.marker.startswith(home)]
        for process in mine:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        return not self._kill_containers() and not mine

    def _kill_containers(self) -> bool:
        if self.engine != "docker":
            return False
        import docker

        with closing(docker.from_env()) as client:
            label: dict[str, Any] = {"label": f"scenario.home={self.command.home.resolve()}"}
            running = client.containers.list(filters=label, ignore_removed=True)
            for container in running:
                with suppress(docker.errors.APIError):
                    container.kill()
            return bool(running)

    def furnish(self) -> None:
        """Make what is not there (any more)."""
        self.backend.ensure_place(PLACE)
        self.backend.ensure_share("cut")
        self.backend.create_cluster(ClusterSpec(PLACE, "cut", CLUSTER))

    def submit(self, kind: str, name: str, image: str) -> None:
        body: dict[str, Any] = {
            "nodeCount": 1,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
            "containerSettings": {"imageSourceRegistry": {"image": image}},
            "customToolkitSettings": {"commandLine": COMMANDS[kind]},
        }
        self.jobs[self.backend.submit(JobSpec(PLACE, name, "cut", body)).id] = kind

    def ends(self) -> Counter[str]:
        """Wait for all jobs that are known still; each has its own end, or that the machine failed it."""
        found: Counter[str] = Counter()
        for job, kind in self.jobs.items():
            try:
                until(lambda job=job: self.backend.get_job(job).state.final)
            except BackendError:
                found["forgotten"] += 1
                continue
            status = self.backend.get_job(job)
            codes = [error.code for error in status.errors]
            if codes == ["InternalError"] or (codes and codes[0].startswith("FailedStarting")):
                assert status.state is JobState.FAILED
                found["lost"] += 1
                continue
            own = {"good": (JobState.SUCCEEDED, 0, []), "bad": (JobState.FAILED, 3, ["JobFailed"])}
            expected = own.get(kind, (JobState.FAILED, 4, ["JobFailed"]))
            assert (status.state, status.exit_code, codes) == expected, status
            found["own"] += 1
        return found

    def leave(self) -> None:
        """Delete the cluster; nothing of it is left."""
        self.backend.delete_cluster(PLACE, "cut")
        self.backend.close()
        self.process.terminate()
        self.process.communicate()
        swept = self.command("emulator", "gc")
        assert list((self.command.home / "nodes").iterdir()) == [], swept.stdout
        assert list((self.command.home / "storage" / ".staging").iterdir()) == []
        assert problems(Home(self.command.home)) == []


def rounds(machine: Machine, image: str, times: int) -> None:
    machine.furnish()
    kinds = list(COMMANDS)
    for number in range(times):
        for kind in kinds:
            machine.submit(kind, f"{kind}-{number}", image)
        time.sleep(random.uniform(0.0, 3.0))
        machine.cut()
        machine.start()
        machine.ends()
        machine.jobs.clear()
        machine.furnish()
    machine.submit("good", "last", image)
    assert machine.ends() == {"own": 1}
    machine.leave()


def test_what_a_home_cannot_do_without_is_on_the_disk_soon(disk: Disk) -> None:
    home = Home(disk.at / "home")
    home.make()
    with closing(Store(home.database, Seal.at(home.seal_key))) as store, ExitStack() as held:
        own, key = OwnCredentials.at(home.credentials), home.seal_key.read_bytes()
        certificate = Authority(home, SystemClock()).certificate().read_bytes()
        keep_copies(held, home, store, SystemClock(), pytest.fail)
        held.close()
        disk.shut_down()
    disk.come_back()
    assert problems(home) == []
    assert (OwnCredentials.at(home.credentials), home.seal_key.read_bytes()) == (own, key)
    assert Authority(home, SystemClock()).certificate().read_bytes() == certificate
    (copy,) = copies(home)
    assert (copy.folder / "seal.key").read_bytes() == key
    assert OwnCredentials.at(copy.folder / "credentials.json") == own


ENGINES = ["process", pytest.param("docker", marks=pytest.mark.docker)]


def image_of(engine: str, request: pytest.FixtureRequest) -> str:
    fixture = "docker_image" if engine == "docker" else "exercise_process"
    return str(request.getfixturevalue(fixture) or "ubuntu:16.04")


@pytest.mark.parametrize("engine", ENGINES)
def test_after_a_power_cut_jobs_end_right_and_nothing_is_left(
    engine: str, disk: Disk, request: pytest.FixtureRequest
) -> None:
    rounds(Machine(disk, engine), image_of(engine, request), 1)


@pytest.mark.endurance
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("engine", ENGINES)
def test_twenty_power_cuts(engine: str, disk: Disk, request: pytest.FixtureRequest) -> None:
    rounds(Machine(disk, engine), image_of(engine, request), 20)
