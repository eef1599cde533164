"""Checks of chapter B15: bad input is refused by name, and creates nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import ClusterSpec
from batchai_scenario.backends.errors import InvalidSpec, NotFound, ScenarioError
from batchai_scenario.backends.testing.verdicts import holds, refuses, same
from batchai_scenario.backends.testing.world import CLUSTER, variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.backends.testing.world import World


def _refused_job(world: World, field: str, **more: object) -> None:
    with refuses(InvalidSpec, f"a job with {more}") as refusal:
        world.submit("succeed", "refused", **more)
    same(refusal.field, field, "the field that is named")
    same(world.backend.list_jobs(world.place), [], "jobs")


def _refused_cluster(world: World, field: str, more: Mapping[str, object]) -> None:
    with refuses(InvalidSpec, f"a cluster with {more}") as refusal:
        world.backend.create_cluster(ClusterSpec(world.place, "refused", {**world.cluster_body(), **more}))
    same(refusal.field, field, "the field that is named")
    with refuses(NotFound, "reading a cluster that was refused"):
        world.backend.get_cluster(world.place, "refused")


def b15_1_refuses_an_unknown_property(world: World) -> None:
    """Misspell properties, at the top and deep inside."""
    world.cluster(0)
    _refused_job(world, "properties.nodeCounts", nodeCounts=1)
    container = {"imageSourceRegistry": {"img": "busybox"}}
    world.bench.container, kept = None, world.bench.container
    try:
        where = "properties.containerSettings.imageSourceRegistry.img"
        _refused_job(world, where, containerSettings=container)
    finally:
        world.bench.container = kept
    volumes: dict[str, object] = {"nodeSetup": {"mountVolumes": {"azureFileShare": []}}}
    _refused_cluster(world, "properties.nodeSetup.mountVolumes.azureFileShare", volumes)


def b15_2_refuses_a_wrong_type(world: World) -> None:
    """Send words for numbers and lists for texts."""
    world.cluster(0)
    _refused_job(world, "properties.nodeCount", nodeCount="one")
    _refused_job(
        world, "properties.customToolkitSettings.commandLine", customToolkitSettings={"commandLine": []}
    )
    _refused_cluster(world, "properties.vmSize", {"vmSize": 6})


def b15_3_refuses_a_readable_storage_key(world: World) -> None:
    """Put the storage key where everybody can read it."""
    world.cluster(0)
    exposed = variables({"KEY": "$STORAGE_KEY"})
    _refused_job(world, "properties.environmentVariables[0].value", environmentVariables=exposed)


def b15_4_refuses_a_job_without_one_toolkit(world: World) -> None:
    """Leave the toolkit out, and name two."""
    world.cluster(0)
    job = world.job("succeed")
    without = {name: value for name, value in job.properties.items() if name != "customToolkitSettings"}
    two = {**job.properties, "cntkSettings": {"pythonScriptFilePath": "train.py"}}
    for properties in (without, two):
        with refuses(InvalidSpec, "a job without exactly one toolkit"):
            world.backend.submit(replace(job, properties=properties))
    same(world.backend.list_jobs(world.place), [], "jobs")


def b15_5_refuses_an_unknown_cluster(world: World) -> None:
    """Submit a job to a cluster that does not exist."""
    world.cluster(0)
    with refuses(ScenarioError, "a job on a cluster that does not exist") as refusal:
        world.backend.submit(replace(world.job("succeed"), cluster=f"{CLUSTER}-not"))
    holds(f"{CLUSTER}-not" in str(refusal.error), f"the cluster is not named: {refusal.error}")
    same(world.backend.list_jobs(world.place), [], "jobs")


def b15_6_refuses_another_cluster_in_the_body(world: World) -> None:
    """Name one cluster beside the body and another in it."""
    world.cluster(0)
    _refused_job(world, "properties.cluster", cluster={"id": f"{CLUSTER}-not"})
