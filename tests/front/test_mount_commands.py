"""Commands that mount are given back as they were asked for, or refused by name before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.choose import Engines
from batchai_scenario.emulator.state.home import Home
from tests.front.conftest import CLUSTER, JOB, WS
from tests.front.test_provider import body, done

if TYPE_CHECKING:
    from pathlib import Path

    from tests.front.conftest import Front

MOUNT = {"mountCommand": "mount -t nfs 10.0.0.5:/data", "relativeMountPath": "nfs"}
WRONG = {"mountCommand": "sshfs me@host:/data", "relativeMountPath": "ssh"}


def with_volumes(properties: dict[str, Any], *mounts: dict[str, str]) -> dict[str, Any]:
    volumes = {"mountVolumes": {"unmanagedFileSystems": [*mounts]}}
    return {"properties": {**properties, **({"nodeSetup": volumes} if properties is CLUSTER else volumes)}}


def test_commands_of_clusters_and_jobs_are_given_back(populated: Front) -> None:
    for path, properties in ((f"{WS}/clusters/with", CLUSTER), (f"{WS}/experiments/ex/jobs/with", JOB)):
        assert done(populated, populated.ask("PUT", path, with_volumes(properties, MOUNT)))
        shown = body(populated.ask("GET", path))["properties"]
        volumes = (shown.get("nodeSetup") or shown)["mountVolumes"]
        assert volumes["unmanagedFileSystems"] == [MOUNT]


def test_a_command_that_the_engine_cannot_take_is_refused_by_its_path_and_nothing_is_made(
    populated: Front,
) -> None:
    populated.unmountable[WRONG["mountCommand"]] = "this machine has no program sshfs; install it"
    for path, properties, where in (
        (f"{WS}/clusters/with", CLUSTER, "nodeSetup.mountVolumes"),
        (f"{WS}/experiments/ex/jobs/with", JOB, "mountVolumes"),
    ):
        refusal = populated.refused("PUT", path, with_volumes(properties, MOUNT, WRONG))
        assert (refusal.status, refusal.code) == (400, "PropertyNotSupported")
        assert refusal.target == f"properties.{where}.unmanagedFileSystems[1].mountCommand"
        assert "this machine has no program sshfs; install it" in refusal.message
        assert populated.refused("GET", path).status == 404


def test_an_engine_whose_nodes_are_others_machines_mounts_nothing(tmp_path: Path) -> None:
    engines = Engines(Home(tmp_path / "home"), tmp_path)
    assert "have them mount it" in engines.mount_refusal("slurm", MOUNT["mountCommand"])
    assert engines.mount_refusal("docker", MOUNT["mountCommand"]) == ""
    assert "process engine" in engines.mount_refusal("docker", WRONG["mountCommand"])
    engines.close()
