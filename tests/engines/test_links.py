"""What a job puts in the place of its node's folders leads nobody anywhere."""

from __future__ import annotations

import dataclasses
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.local.cleaning import _removed
from batchai_scenario.emulator.engines.control import control_folder, lost_end, note, recorded_end
from batchai_scenario.emulator.engines.nodes import drop_disk, ready_tree
from batchai_scenario.emulator.engines.proc import marked
from batchai_scenario.emulator.engines.supervisors import await_that, running_tasks
from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.launch.layout import NODE_TREE
from batchai_scenario.emulator.launch.plan import Mount
from batchai_scenario.emulator.state.home import Home
from tests.state.swapping import Swapping, moves, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchai_scenario.emulator.launch.plan import NodeTask

ROOT = "${AZ_BATCHAI_MOUNT_ROOT%/mounts}"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "ws" / "exp").mkdir(parents=True)
    for path in (folder, folder / "ws", folder / "ws" / "exp"):
        (path / "precious").write_text("mine")
    return folder


@pytest.mark.parametrize("swapped", ["jobs", "jobs/ws", "jobs/ws/exp", "mounts", "mounts/share"])
def test_a_folder_that_a_job_swapped_for_a_link_is_made_anew(lab: Any, swapped: str, outside: Path) -> None:
    before = snapshot(outside)
    place = lab.place.disk / NODE_TREE / swapped
    lab.run(f"cd / && R={ROOT} && mv $R/{swapped} $R/moved && ln -s '{outside}' $R/{swapped}")
    if not place.is_symlink():  # a mount cannot be moved from where it is mounted
        place.rename(place.with_name("moved"))
        place.symlink_to(outside)
    outcome = lab.run("echo there > $AZ_BATCHAI_JOB_TEMP/file && cat $AZ_BATCHAI_JOB_TEMP/file")
    assert (outcome.end.exit_code, outcome.text()) == (0, "there\n")
    assert snapshot(outside) == before
    lab.engine.remove_node(lab.cluster, lab.place.node)
    assert snapshot(outside) == before


PLANTED: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "link": lambda path: path.symlink_to("/dev/tty"),
    "folder": lambda path: path.mkdir(),
    "shut": lambda path: path.touch(mode=0),
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_a_job_in_a_container_puts_for_a_lock_holds_nobody_up(tmp_path: Path, planted: str) -> None:
    """Looking for tasks that run, as ``scenario cache prune`` does, waited for somebody to write."""
    home = Home(tmp_path / "home")
    control = home.nodes / "cluster" / "node" / "control" / "task-0"
    control.mkdir(parents=True)
    PLANTED[planted](control / "alive")
    assert running_tasks(home) == []


def test_what_a_job_shut_goes_with_its_node_and_its_share(lab: Any) -> None:
    make = "mkdir -p $F/d/e && echo x >$F/d/e/f && ln -s / $F/d/l; chmod 0 $F/d/e/f $F/d/e $F/d; "
    own = "$AZ_BATCHAI_JOB_TEMP $AZ_BATCHAI_OUTPUT_OUT"
    shut = f"cd $AZ_BATCHAI_MOUNT_ROOT/share; for F in {ROOT} . {own}; do {make} done; "
    task = lab.task(f"{shut} chmod 0 {own} {ROOT} .; exec sleep 600")
    lab.start(task)
    assert await_that(lambda: not lab.share.stat().st_mode & 0o777, time.monotonic() + 60)
    lab.engine.remove_node(lab.cluster, lab.place.node)
    assert not lab.place.disk.exists()
    assert _removed(lab.home.storage)
    assert not lab.home.storage.exists()


@pytest.mark.parametrize("work", ["ready", "drop"])
def test_swaps_while_the_node_is_made_ready_or_removed_reach_nothing(
    lab_of: Any, outside: Path, tmp_path: Path, work: str
) -> None:
    lab = lab_of("process-plain")
    before = snapshot(outside)
    for seed in range(200):
        disk = tmp_path / f"disk{seed}"
        tree = disk / NODE_TREE
        victims = [tree / "jobs", tree / "jobs" / "ws", tree / "jobs" / "ws" / "exp", tree / "mounts"]
        victims[2].mkdir(parents=True)
        victims[3].mkdir()
        for folder in (*victims, tree / "jobs" / "ws" / "exp" / "old"):
            folder.mkdir(exist_ok=True)
            (folder / "precious").write_text("theirs")
        swapping = Swapping(victims, outside, tmp_path / f"aside{seed}")
        with suppress(OSError), moves().watch(swapping.seeded(seed)):
            if work == "ready":
                ready_tree(disk, lab.task("true"))
            else:
                drop_disk(disk)
        assert snapshot(outside) == before, f"seed {seed}"


def test_what_a_job_left_in_its_control_folder_shows_nothing_of_this_machine(lab: Any, outside: Path) -> None:
    """The end of a task is read without following links, or waiting for a pipe."""
    task = lab.task("true")
    folder = control_folder(lab.home, lab.cluster, task.node, task.id)
    folder.mkdir(parents=True)
    for name in ("log", "phase", "begun"):
        (folder / name).symlink_to(outside / "precious")
    os.mkfifo(folder / "status")
    assert recorded_end(folder) is None
    end = lost_end(folder, 1, "The container is lost.")
    assert end.problem is not None
    assert end.problem.message == "The container is lost."
    assert end.phase == "start"
    (folder / "status").unlink()
    (folder / "status").symlink_to(outside / "precious")
    assert recorded_end(folder) is None
    lab.engine.remove(task.id)
    assert (outside / "precious").read_text() == "mine"


def test_times_that_no_calendar_has_are_no_times(lab_of: Any) -> None:
    lab = lab_of("process-plain")
    task = lab.task("true")
    folder = control_folder(lab.home, lab.cluster, task.node, task.id)
    folder.mkdir(parents=True)
    (folder / "phase").write_text("main\n")
    for seconds in (2**40, -(2**40), 4_000_000_000):
        os.utime(folder / "phase", (seconds, seconds))
        lost_end(folder, 1, "Lost.")


FORGE = """
set -- /mnt/batch/tasks/control "$HOME"/../control/*
for control; do
    [ -d "$control" ] || continue
    printf '%80s\\n' '' >"$control/status"
    printf 'main 0 ok end\\n' 1<>"$control/status"
    for seal in '' 0 0123456789abcdef0123456789abcdef "$seal"; do
        printf '%s\\n' "main 0 ok $seal end" 1<>"$control/status"
    done
    chmod 0 "$control/status" || true
done
kill -9 $PPID
exit 3
"""


def test_a_job_that_writes_its_own_end_is_not_believed(lab: Any) -> None:
    """It ends its supervisor before that can write another one."""
    end = lab.run(FORGE).end
    assert end.exit_code != 0
    lab.run("true")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("main 7 ok 0123456789abcdef end\n", 7),
        ("main 7 ok 0123456789abcdee end\n", None),
        ("main 7 ok 0123456789abcdef0 end\n", None),
        ("main 7 ok  end\n", None),
        ("main 7 ok end\n", None),
        ("main 7 ok 0123456789abcdef", None),
    ],
)
def test_an_end_without_its_seal_is_none(tmp_path: Path, line: str, code: int | None) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "status").write_text(line)
    assert recorded_end(folder) is None  # nothing is noted yet
    note(folder, "seal", "0123456789abcdef")
    end = recorded_end(folder)
    assert (end.exit_code if end else None) == code


def test_the_seal_of_an_end_is_nothing_that_a_job_finds(lab: Any) -> None:
    task = lab.task('env; set; cat /mnt/batch/tasks/control/* "$HOME"/../control/*/*; exit 0')
    lab.start(task)
    folder = control_folder(lab.home, lab.cluster, task.node, task.id)
    seal = folder.with_name(f".{folder.name}.seal").read_text()
    outcome = lab.finish(task)
    assert outcome.end.exit_code == 0
    assert len(seal) == 32
    assert seal not in outcome.text()
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("kind", ["process", "process-plain"])
def test_a_job_that_deletes_what_is_kept_of_it_fails_and_goes(lab_of: Any, kind: str) -> None:
    lab = lab_of(kind)
    task = lab.task('rm -rf "$HOME"/../control; touch $AZ_BATCHAI_OUTPUT_OUT/done; sleep 300')
    lab.start(task)
    done = lab.logs(task).parent / "outputs" / "results" / "done"
    assert await_that(done.exists, time.monotonic() + 30)
    end = lab.another().wait(task.id)
    assert end.problem is not None
    lab.engine.stop(task.id)
    assert [process for process in marked() if process.marker.endswith(task.id)] == []


def with_server(lab: Any, task: NodeTask) -> tuple[NodeTask, Path]:
    """Give a task a folder of a file server's disk at ``mounts/nfs``; and that folder."""
    folder = lab.home.servers / "server" / "data"
    folder.mkdir(parents=True)
    (folder / "file").write_text("served")
    target = task.mounts[0].target / "mounts" / "nfs"
    return dataclasses.replace(task, mounts=(*task.mounts, Mount(folder, target))), folder


def test_a_folder_of_a_file_server_is_mounted(lab: Any) -> None:
    task, _ = with_server(lab, lab.task("cat $AZ_BATCHAI_MOUNT_ROOT/nfs/file"))
    lab.start(task)
    outcome = lab.finish(task)
    assert (outcome.end.exit_code, outcome.text()) == (0, "served")


def test_a_folder_of_a_file_server_that_became_a_link_is_not_mounted(lab: Any, outside: Path) -> None:
    task, folder = with_server(lab, lab.task("true"))
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(outside)
    with pytest.raises(EngineError, match="no folder of its file server any more"):
        lab.start(task)


@pytest.mark.docker
def test_a_folder_that_is_swapped_before_it_is_mounted_ends_the_task_before_the_job(
    lab_of: Any, outside: Path
) -> None:
    lab = lab_of("docker")
    before = snapshot(outside)
    task, folder = with_server(lab, lab.task("echo seen > $AZ_BATCHAI_MOUNT_ROOT/nfs/precious; exit 0"))
    lab.start_and_die(task, before="start")
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(outside)
    lab.start(task)
    end = lab.finish(task).end
    assert end.problem is not None
    assert "is not the one of its file server" in end.problem.message
    assert snapshot(outside) == before


@pytest.mark.parametrize("kind", ["process", "process-plain"])
@pytest.mark.parametrize("inside", ["", "bin"])
def test_what_the_engine_writes_on_a_nodes_disk_goes_through_no_link(
    lab_of: Any, kind: str, inside: str, outside: Path
) -> None:
    lab = lab_of(kind)
    lab.run("true")
    before = snapshot(outside)
    for name in ("python", "system"):
        folder = lab.place.disk / name / (inside if name == "python" else "")
        if folder.is_dir():
            folder.rename(lab.place.disk / f"moved-{name}")
            folder.symlink_to(outside)
    if inside:  # what else would say that the environment must be laid again
        (lab.place.disk / "python" / "pyvenv.cfg").write_text("of another Python")
    assert lab.run("python3 -c 'print(7)'").text() == "7\n"
    assert snapshot(outside) == before
