"""Checks of chapters B11 and B12: names, and what a job sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import ClusterSpec
from batchai_scenario.backends.errors import UserError
from batchai_scenario.backends.testing.verdicts import refuses, same
from batchai_scenario.backends.testing.vocabulary import PLAIN, SECRET
from batchai_scenario.backends.testing.world import variables

if TYPE_CHECKING:
    from batchai_scenario.backends.testing.world import World

GOOD_NAMES = ("a", "A-b_9", "x" * 64)
BAD_NAMES = ("", "x" * 65, "a b", "a/b", "größe", "a.b", "../up", "semi;colon")


def b11_1_accepts_the_services_names(world: World) -> None:
    """Name jobs and a cluster in the shortest, the longest and the oddest way that is allowed."""
    world.cluster(0)
    for name in GOOD_NAMES:
        same(world.submit("succeed", name).id.rpartition("/")[2], name, "name of the job")
        status = world.backend.create_cluster(ClusterSpec(world.place, name, world.cluster_body(0)))
        same(status.id.rpartition("/")[2], name, "name of the cluster")


def b11_2_refuses_other_names(world: World) -> None:
    """Name jobs and clusters as it is not allowed."""
    world.cluster(0)
    job = world.job("succeed")
    for name in BAD_NAMES:
        with refuses(UserError, f"a job named {name!r}"):
            world.backend.submit(replace(job, name=name))
        with refuses(UserError, f"a cluster named {name!r}"):
            world.backend.create_cluster(ClusterSpec(world.place, name, world.cluster_body(0)))
    same(world.backend.list_jobs(world.place), [], "jobs")


def b12_1_an_input_directory_has_the_uploaded_files(world: World) -> None:
    """Upload a file, and let a job copy it."""
    world.cluster()
    world.put("data/one.txt", "what was uploaded")
    same(world.text(world.run("copy"), "copy.txt", "MODEL"), "what was uploaded", "the job's copy")


def b12_2_an_output_directory_is_ready(world: World) -> None:
    """Let a job write into the folder that the variable names, without making it."""
    world.cluster()
    job = world.run("own", environmentVariables=variables({"WHO": "me"}))
    same(world.share_text(f"{job.segment}/outputs/Models/who.txt"), "me")


def b12_3_variables_and_secrets_reach_the_command(world: World) -> None:
    """Give a job a variable with characters that shells like, and a secret whose length it writes."""
    world.cluster()
    job = world.run(
        "variables",
        environmentVariables=variables({"PLAIN": PLAIN}),
        secrets=variables({"TOKEN": SECRET}),
    )
    same(world.share_text(f"{job.segment}/outputs/Models/plain"), PLAIN, "the variable")
    same(world.share_text(f"{job.segment}/outputs/Models/length"), str(len(SECRET)), "length of the secret")
