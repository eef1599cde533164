"""What the cache holds, and that pruning it takes nothing from anybody."""

from __future__ import annotations

import fcntl
import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.local.caching import cached, prune
from batchai_scenario.backends.local.imagecache import prune_images
from batchai_scenario.scenarios.cli import main

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 1, tzinfo=timezone.utc)
OLD = NOW - timedelta(days=60)


def nobody() -> list[str]:
    return []


def put(path: Path, content: str = "content", when: datetime = OLD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    for changed in (path, path.parent):
        os.utime(changed, (when.timestamp(), when.timestamp()))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose cache has one of each kind."""
    cache = tmp_path / "home" / "cache"
    put(cache / "toolkits/cntk/.lock", "")
    put(cache / "toolkits/cntk/cntk-2.7/environment.json")
    put(cache / "toolkits/cntk/cntk-2.8.new/half")
    put(cache / "toolkits/cntk/wheels/a.whl")
    put(cache / "datasets/mnist/.lock", "")
    put(cache / "datasets/mnist/train.txt")
    put(cache / "datasets/mnist/originals/train.gz")
    put(cache / "datasets/foreign/data")
    put(cache / "debian/python.deb")
    put(cache / "gpus/proof.json")
    put(cache / "mine.txt")
    return tmp_path / "home"


def names(entries: Any) -> set[str]:
    return {entry.name for entry in entries}


def kept(pruned: Any) -> dict[str, str]:
    return {entry.name: reason for entry, reason in pruned.kept}


def test_everything_is_listed_by_kind(home: Path) -> None:
    assert {(entry.kind, entry.name) for entry in cached(home)} == {
        ("environment", "toolkits/cntk/cntk-2.7"),
        ("remains", "toolkits/cntk/cntk-2.8.new"),
        ("download", "toolkits/cntk/wheels"),
        ("data set", "datasets/mnist/train.txt"),
        ("download", "datasets/mnist/originals"),
        ("data set", "datasets/foreign"),
        ("download", "debian/python.deb"),
        ("GPU proof", "gpus/proof.json"),
        ("other", "mine.txt"),
    }
    assert {entry.size for entry in cached(home)} == {7}
    assert {entry.used for entry in cached(home) if entry.kind == "environment"} == {OLD}


def test_what_nobody_uses_goes_and_what_we_do_not_know_stays(home: Path) -> None:
    said = prune(home, nobody, dry_run=True)
    before = names(cached(home))
    assert names(said.removed) == before - {"mine.txt"}
    assert not (home / "cache/.prune.lock").exists()
    done = prune(home, nobody)
    assert names(done.removed) == names(said.removed)
    assert names(cached(home)) == {"mine.txt"}
    assert (home / "cache/toolkits/cntk/.lock").exists(), "who waits for it waits for this very file"
    assert not list((home / "cache").rglob(".removed-*"))


def test_environments_and_data_sets_stay_while_somebody_works(home: Path) -> None:
    reasons = kept(prune(home, lambda: ["job j is not finished"]))
    stays = {"toolkits/cntk/cntk-2.7", "datasets/mnist/train.txt", "datasets/foreign"}
    assert {name for name, reason in reasons.items() if reason == "job j is not finished"} == stays
    assert names(cached(home)) == {*stays, "mine.txt"}


def test_what_is_being_made_stays(home: Path) -> None:
    with (home / "cache/toolkits/cntk/.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        reasons = kept(prune(home, nobody))
    assert {name for name, reason in reasons.items() if "at this moment" in reason} == {
        "toolkits/cntk/cntk-2.7",
        "toolkits/cntk/cntk-2.8.new",
        "toolkits/cntk/wheels",
    }
    assert (home / "cache/toolkits/cntk/cntk-2.8.new/half").exists()


def test_a_user_who_comes_while_something_is_moved_aside_gets_it_back(home: Path) -> None:
    place = home / "cache/toolkits/cntk/cntk-2.7"

    def comes() -> list[str]:
        return [] if place.exists() else ["run r goes on"]

    reasons = kept(prune(home, comes))
    assert reasons["toolkits/cntk/cntk-2.7"] == "run r goes on"
    assert (place / "environment.json").read_text() == "content"


def test_only_what_is_old_goes(home: Path) -> None:
    new = put(home / "cache/toolkits/cntk/cntk-2.6/environment.json", when=NOW)
    os.utime(home / "cache/datasets/mnist/.lock", (NOW.timestamp(), NOW.timestamp()))
    pruned = prune(home, nobody, before=NOW - timedelta(days=30))
    assert names(cached(home)) == {"toolkits/cntk/cntk-2.6", "datasets/mnist/train.txt", "mine.txt"}
    assert new.exists()
    assert kept(pruned)["datasets/mnist/train.txt"] == "it was used since"


def test_the_rest_of_a_killed_prune_is_no_environment_and_goes_next_time(home: Path) -> None:
    put(home / "cache/toolkits/cntk/.removed-0123/environment.json", when=NOW)
    found = {entry.name: entry.kind for entry in cached(home)}
    assert found["toolkits/cntk/.removed-0123"] == "remains"
    prune(home, lambda: ["job j is not finished"], before=OLD)
    assert not (home / "cache/toolkits/cntk/.removed-0123").exists()


@pytest.mark.parametrize(
    "name", ["toolkits", "toolkits/other", "toolkits/cntk/link", "datasets/link", "gpus/link"]
)
def test_links_are_not_followed(home: Path, tmp_path: Path, name: str) -> None:
    file = put(tmp_path / "elsewhere/cntk/environment/file")
    place = home / "cache" / name
    if place.exists():
        place.rename(tmp_path / "away")
    place.symlink_to(tmp_path / "elsewhere")
    reasons = kept(prune(home, nobody))
    assert "it is a link" in reasons[name]
    assert file.exists()
    assert place.is_symlink()


def test_links_inside_an_environment_go_without_what_they_lead_to(home: Path, tmp_path: Path) -> None:
    file = put(tmp_path / "elsewhere/file", "x" * 1000)
    (home / "cache/toolkits/cntk/cntk-2.7/lib").symlink_to(file.parent)
    assert all(entry.size < 1000 for entry in cached(home))
    prune(home, nobody)
    assert file.exists()


def test_a_cache_that_is_a_link_or_is_pruned_already_is_refused(home: Path, tmp_path: Path) -> None:
    prune(home, lambda: ["job j is not finished"])
    with (home / "cache/.prune.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(MachineError, match="another process prunes"):
            prune(home, nobody)
    (home / "cache").rename(tmp_path / "moved")
    (home / "cache").symlink_to(tmp_path / "moved")
    with pytest.raises(MachineError, match="is a link"):
        prune(home, nobody)


class Engine:
    """An engine with images, of which one has a container."""

    def __init__(self) -> None:
        ours: dict[str, Any] = {
            "Labels": {"scenario.image.recipe": "x"},
            "Size": 5,
            "Created": int(OLD.timestamp()),
        }
        self.found: list[dict[str, Any]] = [
            {**ours, "RepoTags": ["scenario/cntk:latest", "theirs:1"]},
            {**ours, "RepoTags": ["scenario/node:latest"]},
            {**ours, "RepoTags": ["scenario/new:latest"], "Created": int(NOW.timestamp())},
            {"Labels": None, "RepoTags": ["scenario/handmade:latest"], "Size": 5, "Created": 0},
        ]
        self.gone: list[str] = []

    def images(self) -> list[dict[str, Any]]:
        return self.found

    def containers(self, *, filters: dict[str, str], **_: Any) -> list[str]:
        return ["c"] if filters["ancestor"] == "scenario/node:latest" else []

    def remove_image(self, tag: str) -> None:
        self.gone.append(tag)

    def close(self) -> None:
        pass


def test_images_that_we_built_and_no_container_has_go() -> None:
    engine = Engine()
    before = NOW - timedelta(days=30)
    assert len(prune_images(nobody, before=before, dry_run=True, connected=lambda: engine).removed) == 1
    assert not engine.gone
    pruned = prune_images(nobody, before=before, connected=lambda: engine)
    assert engine.gone == ["scenario/cntk:latest"]
    assert kept(pruned) == {
        "scenario/new:latest": "it was built since",
        "scenario/node:latest": "a container has it",
    }
    assert not prune_images(lambda: ["job j is not finished"], connected=lambda: engine).removed


def test_the_command_says_what_there_is_and_what_went(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(["--home", str(home), "cache", *arguments]) == code
        return capsys.readouterr().out

    assert "environment" in run()
    assert {entry["name"] for entry in json.loads(run("--json"))} == names(cached(home))
    assert "would remove environment toolkits/cntk/cntk-2.7, 7 B" in run("prune", "--dry-run")
    lock = put(home / "runs/r-1/lock", "")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = json.loads(run("prune", "--json"))
        assert {"run r-1 goes on"} == {e["reason"] for e in said["kept"] if e["kind"] == "environment"}
    assert "removed environment toolkits/cntk/cntk-2.7, 7 B" in run("prune", "--older-than", "30d")
    assert "nothing to remove" in run("prune")
    run("prune", "--older-than", "soon", code=2)
    run("--json", "prune", code=2)
    (home / "cache/mine.txt").unlink()
    assert run() == "the cache is empty\n"
