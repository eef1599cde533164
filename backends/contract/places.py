"""Checks of rules B1 and B2: places, clusters and shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.base import ClusterSpec, Upload
from backends.contract.world import SHARE, cluster_body, holds, refuses, same
from backends.errors import InvalidSpec, NotFound, UserError

if TYPE_CHECKING:
    from backends.contract.world import World

LARGE = "large \u00fc.bin"
SIZE = 10_240_000


def b1_ensuring_twice_keeps_what_exists(world: World) -> None:
    """Create place, share and cluster twice: the second time nothing changes."""
    backend = world.open()
    same(backend.ensure_place(world.place), wanted=True)
    same(backend.ensure_place(world.place), wanted=False)
    world.cluster(backend)
    first = backend.get_cluster(world.place, "nodes")
    source = world.folder / "kept.txt"
    source.write_text("kept")
    backend.upload([Upload(source, SHARE, "kept.txt")])
    backend.ensure_share(SHARE)
    again = backend.create_cluster(ClusterSpec(world.place, "nodes", cluster_body()))
    same(again.id, first.id)
    same([file.path for file in backend.list_share(SHARE)], ["kept.txt"])


def b1_refuses_a_cluster_by_property(world: World) -> None:
    """Misspell a property deep inside: the refusal gives its path, and nothing was created."""
    backend = world.open()
    backend.ensure_place(world.place)
    body = cluster_body() | {"nodeSetup": {"mountVolumes": {"azureFileShare": []}}}
    with refuses(InvalidSpec) as refusal:
        backend.create_cluster(ClusterSpec(world.place, "nodes", body))
    same(refusal.field, "properties.nodeSetup.mountVolumes.azureFileShare")
    with refuses(NotFound):
        backend.get_cluster(world.place, "nodes")


def b2_uploads_only_what_changed(world: World) -> None:
    """Upload, upload again, change one file to another of the same size, upload again."""
    backend = world.open()
    backend.ensure_share(SHARE)
    small, large = world.folder / "small.txt", world.folder / "large.bin"
    small.write_text("one")
    large.write_bytes(bytes(range(256)) * (SIZE // 256))
    files = [Upload(small, SHARE, "a/b/small.txt"), Upload(large, SHARE, LARGE)]
    heard: list[tuple[str, int, int]] = []
    report = backend.upload(files, lambda *step: heard.append(step))
    same((report.sent, report.sent_bytes, report.unchanged), (2, SIZE + 3, 0))
    holds((LARGE, SIZE, SIZE) in heard, "progress was not told of the last byte")
    same(world.open().upload(files).unchanged, 2)
    small.write_text("two")
    report = backend.upload(files)
    same((report.sent, report.sent_bytes, report.unchanged), (1, 3, 1))
    same(b"".join(backend.read_share(SHARE, "a/b/small.txt")), b"two")
    same(b"".join(backend.read_share(SHARE, LARGE, SIZE - 1)), b"\xff")
    same(b"".join(backend.read_share(SHARE, LARGE)), large.read_bytes())
    same([(file.path, file.size) for file in backend.list_share(SHARE)], [("a", None), (LARGE, SIZE)])
    same([file.path for file in backend.list_share(SHARE, "a/b")], ["a/b/small.txt"])


def b2_refuses_unusable_uploads_before_sending(world: World) -> None:
    """Mix a good upload with an unusable one: nothing is sent."""
    backend = world.open()
    backend.ensure_share(SHARE)
    good = world.folder / "good.txt"
    good.write_text("good")
    for wrong in (
        Upload(world.folder / "is not there", SHARE, "x"),
        Upload(good, SHARE, "../x"),
        Upload(good, SHARE, "/x"),
        Upload(good, SHARE, "a//x"),
    ):
        with refuses(UserError):
            backend.upload([Upload(good, SHARE, "good.txt"), wrong])
    same(backend.list_share(SHARE), [])


def b2_what_is_not_there_is_not_found(world: World) -> None:
    """List and read what does not exist."""
    backend = world.open()
    backend.ensure_share(SHARE)
    with refuses(NotFound):
        backend.list_share("no-such-share")
    with refuses(NotFound):
        backend.list_share(SHARE, "no folder")
    with refuses(NotFound):
        b"".join(backend.read_share(SHARE, "no file"))
