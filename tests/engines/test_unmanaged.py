"""File systems that users' own commands mount: there for the job, right in the end, and gone with it."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.engines.docker.volumes import mount_refusal as docker_refusal
from batchai_scenario.emulator.engines.docker.volumes import volume_options
from batchai_scenario.emulator.engines.process.engine import ProcessEngine
from batchai_scenario.emulator.engines.process.unmanaged import mount_refusal
from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.launch.plan import CommandMount
from tests.engines.conftest import NODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home

WHERE = '"$AZ_BATCHAI_MOUNT_ROOT/of mine"'
TMPFS = "mount -t tmpfs -o size=1m,mode=777 tmpfs"
WRONG = "mount -t ext4 -o password=hidden /dev/there-is-none"


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def lab(request: pytest.FixtureRequest, lab_of: Callable[..., Any]) -> Any:
    return lab_of(request.param)


def mounts(lab: Any, *commands: str) -> tuple[CommandMount, ...]:
    names = ("of mine", *(f"other{number}" for number in range(1, len(commands))))
    root = PurePosixPath(lab.place.root) / "mounts"
    return tuple(
        CommandMount(*each) for each in zip(commands, (root / name for name in names), names, strict=True)
    )


def task_with(lab: Any, command: str, *commands: str) -> NodeTask:
    task: NodeTask = lab.task(command)
    return dataclasses.replace(task, commands=mounts(lab, *commands))


def here() -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "of\\040mine" in line]


def test_a_job_sees_what_its_command_mounts_and_it_goes_with_the_job(lab: Any) -> None:
    command = f'ls {WHERE}; stat -f -c "%T %b %S" {WHERE}; echo kept >{WHERE}/file; cat {WHERE}/file'
    for _ in range(2):  # each job mounts it anew
        task = task_with(lab, command, TMPFS)
        lab.start(task)
        kind, blocks, size, text = lab.finish(task).text().split()
        assert (kind, int(blocks) * int(size), text) == ("tmpfs", 1 << 20, "kept")
    assert here() == []
    assert not list((lab.place.disk / "LS_root" / "mounts" / "of mine").iterdir())


def test_a_folder_of_this_machine_is_written_and_keeps_its_owner_and_modes(lab: Any, tmp_path: Path) -> None:
    folder = tmp_path / "shared by me"
    folder.mkdir()
    shut = folder / "shut"
    shut.write_text("mine\n")
    shut.chmod(0o400)
    before = shut.stat()
    task = task_with(lab, f"cat {WHERE}/shut; echo theirs >{WHERE}/new", f"mount --bind '{folder}'")
    lab.start(task)
    outcome = lab.finish(task)
    assert (outcome.text(), outcome.text("stderr.txt")) == ("mine\n", "")
    assert (folder / "new").read_text() == "theirs\n"
    after = shut.stat()
    assert (after.st_mode, after.st_uid, after.st_ctime_ns) == (
        before.st_mode,
        before.st_uid,
        before.st_ctime_ns,
    )
    assert here() == []


def test_a_command_that_fails_fails_its_job_by_name_and_leaves_nothing(lab: Any) -> None:
    task = task_with(lab, "echo ran", TMPFS, WRONG)
    try:
        lab.start(task)
        problem = lab.engine.wait(task.id).problem
    except EngineError as error:
        problem = error.problem
    lab.engine.remove(task.id)
    assert problem.code == "UnmanagedMountError"
    said = problem.message
    assert "'other1'" in said
    assert "mountCommand" in said
    assert "hidden" not in said
    assert not lab.logs(task).exists()
    assert here() == []


def test_commands_are_tried_before_a_node_is_ready(lab: Any) -> None:
    lab.engine.try_mounts(lab.cluster, NODE, mounts(lab, TMPFS))
    with pytest.raises(EngineError) as found:
        lab.engine.try_mounts(lab.cluster, NODE, mounts(lab, TMPFS, WRONG))
    assert found.value.problem.code == "UnmanagedMountError"
    said = found.value.problem.message
    assert "'other1'" in said
    assert "hidden" not in said
    assert here() == []
    assert [path.name for path in (lab.place.disk / "control").glob(".mounts-*")] == []


def test_a_command_that_mounts_nothing_is_no_success(lab_of: Callable[..., Any]) -> None:
    lab = lab_of("process")
    with pytest.raises(EngineError) as found:
        lab.engine.try_mounts(lab.cluster, NODE, mounts(lab, "true"))
    assert "mounted nothing" in found.value.problem.message


def test_without_a_file_tree_of_its_own_a_job_is_refused_what_commands_mount(
    lab_of: Callable[..., Any],
) -> None:
    lab = lab_of("process-plain")
    assert "take the Docker engine, or fileServers" in lab.engine.mount_refusal(TMPFS)
    with pytest.raises(EngineError, match="of mine"):
        lab.start(task_with(lab, "true", TMPFS))
    assert lab.engine.tasks() == []


@pytest.mark.parametrize(
    ("command", "kind", "device", "options"),
    [
        ("mount -t nfs 10.0.0.5:/data", "nfs", ":/data", "addr=10.0.0.5"),
        ("sudo mount -o vers=4.1,_netdev,ro -t nfs4 nfs:/a/b", "nfs4", ":/a/b", "vers=4.1,ro,addr=nfs"),
        ("mount.nfs [fe80::1]:/data -o nolock", "nfs", ":/data", "nolock,addr=fe80::1"),
        (
            "mount -t cifs //s/f -o 'username=u,password=p q'",
            "cifs",
            "//s/f",
            "username=u,password=p q,addr=s",
        ),
        ("/bin/mount -ttmpfs -osize=1m tmpfs", "tmpfs", "tmpfs", "size=1m"),
        ("mount --bind -r '/a b'", "none", "/a b", "bind,ro"),
        ("mount -t tmpfs none", "tmpfs", "tmpfs", ""),  # which the engine would take for no mount at all
        ("mount -t ext4 /dev/sdc1", "ext4", "/dev/sdc1", ""),
    ],
)
def test_docker_reads_a_command_of_mount(command: str, kind: str, device: str, options: str) -> None:
    found = volume_options(command)
    assert (found["type"], found["device"], found.get("o", "")) == (kind, device, options)


@pytest.mark.parametrize(
    "command",
    [
        "sshfs me@host:/data",
        "mount /dev/sdc1",
        "mount -t nfs",
        "mount -t nfs nowhere",
        "mount --bind folder",
        "mount -t cifs //s/f -o credentials=/etc/secret",
        "mount -o loop -t ext4 /disk.img",
        "mkdir /x && mount -t tmpfs tmpfs",
        "mount -t tmpfs 'tmpfs",
        "mount --make-shared -t tmpfs tmpfs",
        " ",
    ],
)
def test_docker_refuses_what_it_cannot_mount_with_the_way_out(command: str) -> None:
    assert "engine" in docker_refusal(command) or "no command" in docker_refusal(command)


def test_a_process_is_refused_a_program_that_this_machine_lacks() -> None:
    assert mount_refusal("no_such_program x", "") == "this machine has no program no_such_program; install it"
    if shutil.which("mount.glusterfs", path=f"{os.environ['PATH']}:/sbin:/usr/sbin") is None:
        said = mount_refusal("mount -t glusterfs 10.0.0.4:gv0", "")
        assert said == "this machine has no mount.glusterfs; install the package glusterfs-client"
    assert ("only root may mount ext4" in mount_refusal("mount -t ext4 /dev/sdc1", "")) == bool(os.geteuid())
    assert mount_refusal("mount -t tmpfs tmpfs", "") == ""


def test_what_is_tried_leaves_no_process(home: Home, lab_of: Callable[..., Any]) -> None:
    lab = lab_of("process")
    lab.engine.try_mounts(lab.cluster, NODE, mounts(lab, f"sleep 1000 & {TMPFS}"))
    assert isinstance(lab.engine, ProcessEngine)
    assert lab.engine.sweep(frozenset({lab.cluster})) == []
    assert home.root.exists()
