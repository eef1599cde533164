"""Checks of chapter B2: shares and uploads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import Upload
from batchai_scenario.backends.errors import NotFound, UserError
from batchai_scenario.backends.testing.verdicts import holds, refuses, same
from batchai_scenario.backends.testing.vocabulary import NAMES

if TYPE_CHECKING:
    from batchai_scenario.backends.testing.world import World

SIZE = 5_000_000


def b2_1_sends_only_what_differs(world: World) -> None:
    """Upload twice, then another content of the same size."""
    world.backend.ensure_share(world.share)
    small, large = world.file("small.txt", "one"), world.file("large.bin", os.urandom(SIZE))
    files = [Upload(small, world.share, "a/b/small.txt"), Upload(large, world.share, "large.bin")]
    reports = [world.backend.upload(files), world.client().upload(files)]
    small.write_text("two")
    reports.append(world.backend.upload(files))
    told = [(report.sent, report.sent_bytes, report.unchanged) for report in reports]
    same(told, [(2, SIZE + 3, 0), (0, 0, 2), (1, 3, 1)], "files sent, bytes sent, files unchanged")
    same(world.share_text("a/b/small.txt"), "two")


def b2_2_reads_back_every_byte(world: World) -> None:
    """Upload some megabytes, hear of their progress, and read them from several offsets."""
    content = os.urandom(SIZE)
    path = world.file("bytes.bin", content)
    world.backend.ensure_share(world.share)
    heard: list[tuple[str, int, int]] = []
    world.backend.upload([Upload(path, world.share, "bytes.bin")], lambda *step: heard.append(step))
    holds(("bytes.bin", SIZE, SIZE) in heard, "progress was not told of the last byte")
    for offset in (0, 1, SIZE // 2, SIZE - 1, SIZE):
        read = b"".join(world.backend.read_share(world.share, "bytes.bin", offset))
        holds(read == content[offset:], f"other bytes from offset {offset} ({len(read)} of {SIZE - offset})")


def b2_3_refuses_unusable_uploads_before_sending(world: World) -> None:
    """Mix a good upload with an unusable one: nothing is sent."""
    backend = world.backend
    backend.ensure_share(world.share)
    good = world.file("good.txt")
    for wrong in (
        Upload(world.folder / "is not there", world.share, "x"),
        *(Upload(good, world.share, path) for path in ("../x", "/x", "a//x", "a/./x", "")),
    ):
        with refuses(UserError, f"an upload of {wrong.source.name} to {wrong.path!r}"):
            backend.upload([Upload(good, world.share, "good.txt"), wrong])
    same(backend.list_share(world.share), [], "files on the share")


def b2_4_what_is_not_there_is_not_found(world: World) -> None:
    """List and read what does not exist."""
    backend = world.backend
    backend.ensure_share(world.share)
    with refuses(NotFound, "a share that is not there"):
        backend.list_share(f"{world.share}-not")
    with refuses(NotFound, "a folder that is not there"):
        backend.list_share(world.share, "no folder")
    with refuses(NotFound, "a file that is not there"):
        b"".join(backend.read_share(world.share, "no file"))


def b2_5_names_keep_every_character(world: World) -> None:
    """Upload files of many scripts into folders of such names."""
    world.backend.ensure_share(world.share)
    source = world.file("name.txt", "x")
    folders = ("größe 数", "data & more")
    uploads = [Upload(source, world.share, f"{folder}/{name}") for folder in folders for name in NAMES]
    world.backend.upload(uploads)
    same([file.path for file in world.backend.list_share(world.share)], sorted(folders))
    for folder in folders:
        listed = [file.path for file in world.backend.list_share(world.share, folder)]
        same(listed, sorted(f"{folder}/{name}" for name in NAMES))
    for upload in uploads:
        same(world.share_text(upload.path), "x", upload.path)


def b2_6_an_empty_file_is_a_file(world: World) -> None:
    """Upload nothing, list it and read it."""
    world.put("empty", "")
    same([(file.path, file.size) for file in world.backend.list_share(world.share)], [("empty", 0)])
    same(world.share_text("empty"), "")


def b2_7_an_upload_stands_in_the_shares_folder(world: World) -> None:
    """Look into the share's own folder, past the backend; what is put there is served."""
    world.put("deep/file.txt", "from a client")
    folder = world.share_folder()
    same((folder / "deep" / "file.txt").read_text(), "from a client", "the file in the share's folder")
    (folder / "deep" / "other.txt").write_text("from outside")
    same(world.share_text("deep/other.txt"), "from outside", "a file that was put into the share's folder")
