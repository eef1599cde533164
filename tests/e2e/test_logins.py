"""Logging in to nodes with ssh, as ``listRemoteLoginInformation`` says, with the cluster's account."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import asyncssh
import pytest

from batchai_scenario.backends.base import BackendOptions, ClusterSpec, JobSpec, Place
from batchai_scenario.backends.local import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import Command

PLACE = Place("login", "eastus", "login", "login")
PASSWORD = "let-me-in-1"
SHARE = {
    "accountName": "$STORAGE_ACCOUNT",
    "azureFileUrl": "$STORAGE_URL/login",
    "credentials": {"accountKey": "$STORAGE_KEY"},
    "relativeMountPath": "files",
}


class World:
    """An emulator with a cluster of two idle nodes."""

    def __init__(self, command: Command, engine: str, image: str, key: Path) -> None:
        self.home = command.home
        (self.home / "images.yaml").write_text(json.dumps({"node/*:*": [{"local": image}]}))
        self.process = command.start("emulator", "serve", "--engine", engine, "--json")
        assert self.process.stdout is not None
        assert self.process.stdout.readline()
        self.backend: Any = open_backend(BackendOptions(home=command.home, values={"engine": engine}))
        self.backend.ensure_place(PLACE)
        self.backend.ensure_share("login")
        self.image, self.key = image, key
        account = {
            "adminUserName": "visitor",
            "adminUserPassword": PASSWORD,
            "adminUserSshPublicKey": key.with_suffix(".pub").read_text(),
        }
        body = {
            "vmSize": "STANDARD_D1",
            "scaleSettings": {"manual": {"targetNodeCount": 2}},
            "userAccountSettings": account,
            "nodeSetup": {"mountVolumes": {"azureFileShares": [SHARE]}},
        }
        self.backend.create_cluster(ClusterSpec(PLACE, "login", body))
        self.until(lambda: self.backend.get_cluster(PLACE, "login").nodes.get("idle") == 2)

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def delete(self) -> None:
        self.backend.delete_cluster(PLACE, "login")
        self.until(lambda: not list(self.home.glob("nodes/*")))

    def submit(self, name: str, command: str, nodes: int = 1) -> str:
        body = {
            "nodeCount": nodes,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
            "containerSettings": {"imageSourceRegistry": {"image": self.image}},
            "customToolkitSettings": {"commandLine": command},
        }
        return str(self.backend.submit(JobSpec(PLACE, name, "login", body)).id)

    def ports(self) -> list[int]:
        return [login.port for login in self.backend.remote_logins(PLACE, "login")]

    def run(self, port: int, command: str | None, **options: Any) -> asyncssh.SSHCompletedProcess:
        async def run() -> asyncssh.SSHCompletedProcess:
            known = {"password": PASSWORD, "client_keys": None, "known_hosts": None, "config": None}
            async with asyncssh.connect("127.0.0.1", port, username="visitor", **known) as connection:
                return await connection.run(command, **options)

        return asyncio.run(run())

    def close(self) -> None:
        self.delete()
        self.backend.close()
        self.process.terminate()
        self.process.communicate()


@pytest.fixture
def world(scenario: Command, engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    image = request.getfixturevalue("docker_image") if engine == "docker" else "ubuntu:16.04"
    key = tmp_path / "id"
    made = asyncssh.generate_private_key("ssh-ed25519")
    made.write_private_key(key)
    key.chmod(0o600)
    made.write_public_key(key.with_suffix(".pub"))
    world = World(scenario, engine, str(image), key)
    yield world
    world.close()


@pytest.mark.timeout(180)
def test_one_logs_in_to_idle_nodes_and_beside_jobs(world: World) -> None:
    ports = world.ports()
    assert len(set(ports)) == 2
    assert world.ports() == ports
    _refuses_strangers(ports[0])

    said = world.run(ports[1], 'cat; echo "$AZ_BATCHAI_JOB_NAME" >&2; exit 7', input="typed\n")
    assert (said.exit_status, said.stdout, said.stderr) == (7, "typed\n", "\n")
    wait = 'cd "$AZ_BATCHAI_MOUNT_ROOT/files"; pwd -P >seen; until [ -e go ]; do sleep 0.1; done; exit 3'
    job = world.submit("held", wait)
    world.until(lambda: world.backend.get_cluster(PLACE, "login").nodes.get("running") == 1)
    (share,) = world.home.glob("storage/*/login")
    world.until(lambda: (share / "seen").exists() and (share / "seen").read_text().endswith("\n"))
    mine = (share / "seen").read_text().strip()  # where the job sees the share, so does who logs in
    world.until(lambda: mine in str(world.run(ports[0], f"cat {mine}/seen").stdout))
    shell = world.run(ports[0], None, term_type="dumb", input=f"tty && echo $((40 + 2)) >{mine}/go\nexit\n")
    assert "/dev/" in str(shell.stdout)
    world.until(lambda: world.backend.get_job(job).state.final)
    assert world.backend.get_job(job).exit_code == 3
    assert "42" in str(world.run(ports[0], f"cat {mine}/go").stdout)
    assert not list(world.home.glob("nodes/*/*/control/login-*")), "the last session ended"

    if shutil.which("ssh"):
        _gives_way_to_a_job(world, ports[0])
    world.delete()
    world.until(lambda: not any(_listens(port) for port in ports))


def _refuses_strangers(port: int) -> None:
    async def log_in(user: str, password: str) -> None:
        known = {"password": password, "client_keys": None, "known_hosts": None, "config": None}
        async with asyncssh.connect("127.0.0.1", port, username=user, **known):
            pass

    for user, password in (("visitor", "wrong"), ("root", PASSWORD), ("visitor", "")):
        with pytest.raises(asyncssh.PermissionDenied):
            asyncio.run(log_in(user, password))


def _listens(port: int) -> bool:
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


def _gives_way_to_a_job(world: World, port: int) -> None:
    """Who is logged in to an idle node (by OpenSSH, with the account's key) does not keep a job from it."""
    options = ["-F", "none", "-i", str(world.key), "-p", str(port), "-o", "BatchMode=yes"]
    options += [
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
    ]
    with subprocess.Popen(
        ["ssh", *options, "visitor@127.0.0.1", "echo here; sleep 600"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == b"here\n"
        job = world.submit("next", "true", nodes=2)
        world.until(lambda: world.backend.get_job(job).state.final)
        assert world.backend.get_job(job).exit_code == 0
        assert session.wait(30) != 0
