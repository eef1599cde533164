"""What containers write belongs to their owner, however they end."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import docker
import pytest

from batchai_scenario.emulator.engines.control import Owner
from tests.engines.test_docker import wait_for_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.docker

NOBODY = 65534
OTHER = Owner(NOBODY, NOBODY) if os.geteuid() == 0 else Owner(os.geteuid(), os.getegid())
"""Whoever runs the emulator, and is not the root of containers."""


@pytest.fixture
def api() -> Iterator[docker.APIClient]:
    with closing(docker.APIClient(version="auto")) as client:
        yield client


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in [folder, *folder.rglob("*")]}


def test_files_are_given_back_however_the_job_ends(lab_of: Callable[..., Any], api: Any) -> None:
    """The caller of this suite may be root, so another user stands for whoever runs the emulator."""
    lab = lab_of("docker", owner=OTHER)
    write = 'mkdir -p "$AZ_BATCHAI_OUTPUT_OUT/a/b"; echo x > "$AZ_BATCHAI_OUTPUT_OUT/a/b/c"; '
    assert lab.run(f"{write} ln -s /etc/passwd $AZ_BATCHAI_JOB_TEMP/link; exit 3").end.exit_code == 3
    assert owners(lab.share) == {OTHER.uid}
    assert owners(lab.place.disk / "LS_root" / "jobs") == {OTHER.uid}

    for way in ("stop", "kill", "taken", "remove"):
        task = lab.task(f"trap '' TERM; {write} echo up; sleep 300")
        lab.start(task)
        wait_for_output(lab, task)
        if way == "stop":
            lab.engine.stop(task.id, 0)
        elif way == "kill":
            api.kill(f"scenario-{task.id}", "KILL")
            lab.engine.wait(task.id)
        elif way == "taken":
            api.remove_container(f"scenario-{task.id}", force=True)
        lab.engine.remove(task.id)
        assert owners(lab.share) == {OTHER.uid}, way
        assert owners(lab.place.disk / "LS_root" / "jobs") == {OTHER.uid}, way


def test_files_are_given_back_with_a_node_whose_containers_were_taken(
    lab_of: Callable[..., Any], api: Any
) -> None:
    lab = lab_of("docker", owner=OTHER)
    task = lab.task('echo x > "$AZ_BATCHAI_OUTPUT_OUT/c"; echo up; sleep 300')
    lab.start(task)
    wait_for_output(lab, task)
    api.remove_container(f"scenario-{task.id}", force=True)
    lab.engine.remove_node(task.cluster, task.node)
    assert owners(lab.share) == {OTHER.uid}
    assert not lab.place.disk.exists()


def test_what_a_job_shut_is_open_to_its_owner(lab_of: Callable[..., Any]) -> None:
    lab = lab_of("docker", owner=OTHER)
    make = 'cd "$AZ_BATCHAI_OUTPUT_OUT"; mkdir d; echo x >d/f; ln -s f d/l; '
    assert lab.run(make + 'chmod 0 d/f d . "$AZ_BATCHAI_MOUNT_ROOT/share"').end.exit_code == 0
    found = [lab.share, *lab.share.rglob("*")]
    assert {path.name for path in found} >= {"d", "f", "l"}
    for path in found:
        needed = 0o700 if path.is_dir() else 0o600
        assert path.is_symlink() or path.stat().st_mode & needed == needed, path
