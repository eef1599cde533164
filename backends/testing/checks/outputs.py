"""Checks of chapter B5: what a job wrote."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import NotFound
from batchai_scenario.backends.testing.verdicts import holds, refuses, same
from batchai_scenario.backends.testing.vocabulary import BIG, LINES, MANY, NAMES
from batchai_scenario.backends.testing.world import UnprobedError, variables

if TYPE_CHECKING:
    from batchai_scenario.backends.testing.world import World


def b5_1_std_files_are_whole(world: World) -> None:
    """Write two thousand lines, a last one without its newline, and a line to the other stream."""
    world.cluster()
    job = world.run("count")
    same(world.text(job, "stdout.txt"), LINES + "no newline", "stdout.txt")
    same(world.text(job, "stderr.txt"), "aside\n", "stderr.txt")


def b5_2_reads_from_any_offset(world: World) -> None:
    """Read a file from its start, its middle, its last byte and its end."""
    world.cluster()
    job = world.run("write")
    for offset in (0, 2, 4, 5):
        same(world.text(job, "deep/one.bin", "MODEL", offset), "model"[offset:], f"from offset {offset}")


def b5_3_is_readable_while_it_grows(world: World) -> None:
    """Read the output of a running job, let the job go on, and read more of it."""
    world.cluster()
    job = world.running("grow")

    def begun() -> str:
        with contextlib.suppress(NotFound):
            text = world.text(job, "stdout.txt")
            return text if text.startswith("first") else ""
        return ""

    read = world.until("the first line of a running job", begun)
    world.put("data/go", "")
    world.end(job)
    grown = world.text(job, "stdout.txt")
    holds(len(grown) > len(read) and grown.startswith(read), f"{read!r} did not grow, it became {grown!r}")


def b5_4_every_client_reads_the_same(world: World) -> None:
    """Read every file of a job from two clients."""
    world.cluster()
    job = world.run("count")
    other = world.client()
    for path in ("stdout.txt", "stderr.txt"):
        theirs = b"".join(other.read_output(job.id, "stdouterr", path)).decode()
        same(theirs, world.text(job, path), path)
        holds(theirs, f"{path} is empty")


def b5_5_lists_one_level_at_a_time(world: World) -> None:
    """List an output directory and a folder in it."""
    world.cluster()
    job = world.run("write")
    top = [(file.path, file.size) for file in world.backend.list_outputs(job.id, "MODEL")]
    same(top, [("deep", None), ("empty", 0), ("top.txt", 3)], "the top level")
    inner = [(file.path, file.size) for file in world.backend.list_outputs(job.id, "MODEL", "deep")]
    same(inner, [("deep/one.bin", 5)], "the level below")


def b5_6_outputs_are_a_jobs_own(world: World) -> None:
    """Run two jobs of the same directories and the same file names."""
    world.cluster()
    names = ("one", "other")
    jobs = [world.run("own", name, environmentVariables=variables({"WHO": name})) for name in names]
    for name, job in zip(names, jobs, strict=True):
        same(world.text(job, "who.txt", "MODEL"), name, f"output of the job {name!r}")


def b5_7_unknown_outputs_are_not_found(world: World) -> None:
    """Ask for directories and files that are not there."""
    world.cluster()
    job = world.run("succeed")
    same(world.backend.list_outputs(job.id, "MODEL"), [], "a directory without files")
    for directory, path in (("MODEL", "nothing"), ("stdouterr", "nothing.txt"), ("OTHER", "stdout.txt")):
        with refuses(NotFound, f"{path!r} of {directory!r}"):
            world.text(job, path, directory)
    with refuses(NotFound, "the directory OTHER"):
        world.backend.list_outputs(job.id, "OTHER")


def b5_8_an_empty_output_is_a_file(world: World) -> None:
    """List and read an empty file."""
    world.cluster()
    job = world.run("write")
    sizes = {file.path: file.size for file in world.backend.list_outputs(job.id, "MODEL")}
    same(sizes.get("empty"), 0, "size")
    same(world.text(job, "empty", "MODEL"), "")


def b5_9_names_of_outputs_keep_every_character(world: World) -> None:
    """Let a job write files with names of many scripts."""
    world.cluster()
    job = world.run("names")
    same([file.path for file in world.backend.list_outputs(job.id, "MODEL")], sorted(NAMES), "files")
    for index, name in enumerate(NAMES):
        same(world.text(job, name, "MODEL"), str(index), name)


def b5_10_a_large_folder_is_listed_whole(world: World) -> None:
    """Let a job write ten thousand files, and list them as outputs and on the share."""
    world.cluster()
    job = world.run("many")
    wanted = sorted(f"file-{index}" for index in range(MANY))
    holds(
        [file.path for file in world.backend.list_outputs(job.id, "MODEL")] == wanted, "outputs are missing"
    )
    folder = f"{job.segment}/outputs/Models"
    listed = [file.path.rpartition("/")[2] for file in world.backend.list_share(world.share, folder)]
    holds(listed == wanted, f"the share lists {len(listed)} of {MANY} files")


def b5_11_a_sparse_file_is_read_from_its_end(world: World) -> None:
    """Let a job write 2 GiB of nothing and three bytes."""
    world.cluster()
    job = world.run("big")
    same(
        [(file.path, file.size) for file in world.backend.list_outputs(job.id, "MODEL")],
        [("big.bin", BIG + 3)],
    )
    same(world.text(job, "big.bin", "MODEL", BIG - 1), "\0end", "the end")
    path = f"{job.segment}/outputs/Models/big.bin"
    same(b"".join(world.backend.read_share(world.share, path, BIG)), b"end", "the end, from the share")


def b5_12_outputs_stand_on_the_share(world: World) -> None:
    """Compare a job's outputs with the share, and with its folder where that can be looked at."""
    world.cluster()
    job = world.run("write")
    where = f"{job.segment}/outputs/Models"
    same(world.share_text(f"{where}/deep/one.bin"), "model")
    listed = [(file.path, file.size) for file in world.backend.list_share(world.share, where)]
    wanted = [(f"{where}/deep", None), (f"{where}/empty", 0), (f"{where}/top.txt", 3)]
    same(listed, wanted, "the share's listing")
    with contextlib.suppress(UnprobedError):
        folder = world.share_folder() / where
        same(sorted(path.name for path in folder.iterdir()), ["deep", "empty", "top.txt"], "the folder")
        same((folder / "deep" / "one.bin").read_bytes(), b"model", "the file in the folder")


def b5_13_files_belong_to_the_user(world: World) -> None:
    """Look at the owner of everything in the share's folder, past the backend."""
    world.cluster()
    world.run("write")
    root = world.share_folder()
    paths = [root, *root.rglob("*")]
    strangers = sorted(
        f"{path.relative_to(root)} of user {path.lstat().st_uid}" for path in paths if _strange(path.lstat())
    )
    same(strangers, [], f"files that do not belong to user {os.getuid()}")


def _strange(status: os.stat_result) -> bool:
    return status.st_uid != os.getuid()


def b5_14_a_url_is_read_without_credentials(world: World) -> None:
    """Read a file through its link, whole and in a range."""
    world.cluster()
    job = world.run("write")
    url = next(file.url for file in world.backend.list_outputs(job.id, "MODEL") if file.path == "top.txt")
    holds(url, "the file has no URL, and capabilities().urls is not False")
    same(world.bench.fetch(url, ""), b"top", "the file")
    same(world.bench.fetch(url, "bytes=1-"), b"op", "the range")
