"""Building images: from a base that is there, from packages, and what is said if neither can be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import training.images.debian.build as debian
import training.images.node.build as node
import training.toolkits.cntk.build_image as cntk
from batchai_scenario.emulator.engines.substitutes import build_programs, delivered_tables, read_table
from training.images.builder import RECIPE_LABEL, ImageRecipe, _imported, _pack_tree, _split, build
from training.images.rootfs import make_rootfs
from training.support.events import Events, RequirementError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.training.conftest import Heard

TRAINING = Path(debian.__file__).parents[2]


def fill(folder: Path, _events: Events) -> None:
    (folder / "opt" / "deep").mkdir(parents=True)
    (folder / "opt" / "deep" / "file").write_text("laid over\n")
    (folder / "opt" / "link").symlink_to("/bin/sh")


def recipe(base: str = "scenario-none/none:none", finish: str = "", contents: str = "1") -> ImageRecipe:
    return ImageRecipe("tried", "An image of the tests", base, "bookworm", (), (contents,), fill, finish)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH: no apt, no mmdebstrap unless a test puts one there."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sh", "cp"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


USUAL = {
    "curl": "curl",
    "git": "git",
    "ping": "iputils-ping",
    "ssh": "openssh-client",
    "sudo": "sudo",
    "unzip": "unzip",
    "wget": "wget",
}


def test_a_nodes_own_system_has_what_the_services_ubuntu_had() -> None:
    assert set(USUAL.values()) <= set(node.RECIPE.packages)


# Parts ---------------------------------------------------------------------------------------------------


def test_every_build_in_the_tables_has_a_program() -> None:
    tables = [read_table(path) for path in delivered_tables(TRAINING)]
    entries = [entry for table in tables for entries in table.values() for entry in entries]
    builds = {entry.name for entry in entries if entry.kind == "build"}
    assert builds <= set(build_programs(TRAINING))
    assert builds >= {"cntk", "debian", "node"}


def test_a_build_is_the_last_resort_of_every_pattern() -> None:
    for table in map(read_table, delivered_tables(TRAINING)):
        for entries in table.values():
            assert [e.kind == "build" for e in entries] == [False] * (len(entries) - 1) + [True]


def test_a_recipe_is_known_by_what_is_in_it() -> None:
    assert recipe().fingerprint() == recipe(base="another").fingerprint()
    assert recipe().fingerprint() != recipe(contents="2").fingerprint()
    assert recipe().fingerprint() != recipe(finish="true").fingerprint()
    assert debian.RECIPE.fingerprint() != cntk.RECIPE.fingerprint()


def test_tags_are_split_at_the_tag() -> None:
    assert _split("scenario/cntk:latest") == ("scenario/cntk", "latest")
    assert _split("scenario/cntk") == ("scenario/cntk", "latest")
    assert _split("host:5000/cntk") == ("host:5000/cntk", "latest")


class NoEngine:
    """An engine that says nothing of itself."""

    def info(self) -> dict[str, str]:
        return {}


def test_an_import_that_failed_is_not_taken_for_an_image() -> None:
    assert _imported('{"status":"sha256:1"}\n', NoEngine()) == "sha256:1"
    with pytest.raises(RequirementError, match="no space"):
        _imported('{"status":"Importing"}\n{"error":"no space left on device"}\n', NoEngine())


def test_a_tree_belongs_to_root(tmp_path: Path, heard: Heard) -> None:
    with tarfile.open(_pack_tree(recipe(), tmp_path, heard)) as tar:
        assert {(entry.uid, entry.gid, entry.uname) for entry in tar} == {(0, 0, "root")}
        assert tar.getmember("opt/link").linkname == "/bin/sh"


# Packages ------------------------------------------------------------------------------------------------


def test_a_system_is_made_with_mmdebstrap(tmp_path: Path, tools: Path, heard: Heard) -> None:
    put(tools, "apt-get", "exit 1")
    put(
        tools,
        "mmdebstrap",
        f'for a; do echo "$a" >> {tmp_path}/said; done; echo "I: extracting archives..." >&2',
    )
    make_rootfs("bookworm", ("wget", "procps"), tmp_path / "tree.tar", "true", tmp_path / "out.tar", heard)
    said = (tmp_path / "said").read_text().splitlines()
    assert said[-2:] == ["bookworm", str(tmp_path / "out.tar")]
    assert "--include=wget,procps" in said
    hooks = [word for word in said if "hook" in word]
    assert hooks == [
        f"--customize-hook=tar-in {tmp_path}/tree.tar /",
        "--customize-hook=chroot \"$1\" /bin/sh -c 'true'",
    ]
    assert heard.last()["file"] == "Debian bookworm: extracting archives"


def test_a_mirror_can_be_named(
    tmp_path: Path, tools: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tools, "apt-get", "exit 1")
    put(tools, "mmdebstrap", f'for a; do last="$a"; done; echo "$last" > {tmp_path}/said')
    monkeypatch.setenv("SCENARIO_DEBIAN_MIRROR", "file:///srv/debian")
    make_rootfs("bookworm", (), None, "", tmp_path / "out.tar", heard)
    assert (tmp_path / "said").read_text() == "file:///srv/debian\n"


def test_what_mmdebstrap_says_is_said(tmp_path: Path, tools: Path, heard: Heard) -> None:
    put(tools, "apt-get", "exit 1")
    put(tools, "mmdebstrap", 'echo "E: no mirror answers" >&2; exit 25')
    with pytest.raises(RequirementError, match="no mirror answers"):
        make_rootfs("bookworm", (), None, "", tmp_path / "out.tar", heard)


def test_without_apt_the_remedy_is_named(tmp_path: Path, tools: Path, heard: Heard) -> None:
    with pytest.raises(RequirementError, match="no apt") as caught:
        make_rootfs("bookworm", (), None, "", tmp_path / "out.tar", heard)
    assert "mmdebstrap" in caught.value.remedy


def test_mmdebstrap_is_fetched_if_it_is_not_installed(tmp_path: Path, tools: Path, heard: Heard) -> None:
    """apt-get and dpkg-deb are stand-ins: the package is a folder that is copied."""
    package = tmp_path / "package" / "usr" / "bin"
    package.mkdir(parents=True)
    put(package, "mmdebstrap", f"echo ran > {tmp_path}/said")
    put(tools, "apt-get", 'echo > "$3_1_all.deb"')
    put(tools, "dpkg-deb", f"cp -R {tmp_path}/package/usr .")
    make_rootfs("bookworm", (), None, "", tmp_path / "out.tar", heard)
    assert (tmp_path / "said").read_text() == "ran\n"


def test_mmdebstrap_that_cannot_be_fetched_is_said(tmp_path: Path, tools: Path, heard: Heard) -> None:
    put(tools, "apt-get", 'echo "E: Unable to locate package $3" >&2; exit 100')
    with pytest.raises(RequirementError, match="Unable to locate package mmdebstrap"):
        make_rootfs("bookworm", (), None, "", tmp_path / "out.tar", heard)


def test_without_an_engine_the_program_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    command = [sys.executable, str(debian.__file__), "--tag", "scenario-tried:none", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "error"
    assert "no Docker engine answers" in last["message"]


# With an engine ------------------------------------------------------------------------------------------


@pytest.fixture
def tag(docker_image: str) -> Iterator[str]:
    """A tag of the test's own; the image and what it was made of are removed."""
    import docker

    name = f"scenario-tried:{os.getpid()}"
    yield name
    engine = docker.from_env()
    if engine.images.list(name):
        engine.images.remove(name, force=True)
    ours: dict[str, Any] = {"label": "scenario.image.build", "ancestor": docker_image}  # others build too
    assert not engine.containers.list(all=True, filters=ours)
    engine.close()


@pytest.mark.docker
def test_an_image_is_built_on_a_base_once(docker_image: str, tag: str, heard: Heard) -> None:
    import docker

    wanted = recipe(docker_image, finish="cat /opt/deep/file > /made")
    build(wanted, tag, heard)
    first = heard.last()
    assert first["event"] == "done"
    engine = docker.from_env()
    try:
        image = engine.images.get(tag)
        assert image.id == first["id"]
        assert image.labels[RECIPE_LABEL] == wanted.fingerprint()
        assert "LANG=C.UTF-8" in image.attrs["Config"]["Env"]
        assert engine.containers.run(tag, ["cat", "/made"], remove=True) == b"laid over\n"
    finally:
        engine.close()
    build(wanted, tag, heard)
    assert heard.last()["id"] == first["id"]
    build(recipe(docker_image, finish="true"), tag, heard)
    engine = docker.from_env()
    try:
        assert engine.images.get(tag).id == heard.last()["id"] != first["id"]
        with pytest.raises(docker.errors.ImageNotFound):
            engine.images.get(first["id"])
    finally:
        engine.close()


@pytest.mark.docker
@pytest.mark.usefixtures("tools")
def test_a_build_that_fails_leaves_no_image(docker_image: str, tag: str, heard: Heard) -> None:
    import docker

    with pytest.raises(RequirementError, match="no apt"):
        build(recipe(docker_image, finish="echo broken; exit 7"), tag, heard)
    notes = [event["message"] for event in heard.all() if event["event"] == "note"]
    assert any("exit code 7" in note and "broken" in note for note in notes)
    engine = docker.from_env()
    try:
        assert not engine.images.list(tag)
    finally:
        engine.close()
