"""What each step makes of a store of the version before it; whole homes: ``tests/front/test_homes.py``."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.errors import HomeDamaged
from batchai_scenario.emulator.state.migrations import MIGRATIONS
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import FORMAT, Store
from batchai_scenario.schema.older import older_fields

if TYPE_CHECKING:
    from pathlib import Path


def of_version(version: int, file: Path, documents: dict[tuple[str, str], Any]) -> None:
    """Make a store of an earlier version; bodies that are no objects are written as they are."""
    with closing(sqlite3.connect(file)) as db, db:
        for step in MIGRATIONS[:version]:
            step(db)
        db.execute(f"PRAGMA user_version={version}")
        for (kind, id_), body in documents.items():
            text = body if isinstance(body, str) else json.dumps(body)
            db.execute(
                "INSERT INTO documents (kind, id, parent, body) VALUES (?, ?, 'parent', ?)", (kind, id_, text)
            )


def opened(file: Path) -> Store:
    return Store(file, Seal.at(file.with_name("seal.key")))


def job(execution: str, tasks: tuple[str, ...] = (), provisioning: str = "succeeded") -> dict[str, Any]:
    return {"execution": [execution, None], "tasks": tasks, "provisioning": [provisioning, None]}


def test_2_jobs_with_something_left_to_do_are_marked(tmp_path: Path) -> None:
    jobs = {
        "queued": job("queued"),
        "running": job("running", ("t",)),
        "succeeded": job("succeeded"),
        "failed": job("failed"),
        "not yet removed from the engine": job("failed", ("t",)),
        "being deleted": job("succeeded", provisioning="deleting"),
    }
    of_version(1, tmp_path / "state", {("job", name): body for name, body in jobs.items()})
    with closing(opened(tmp_path / "state")) as store:
        live = {document.id: document.body for document in store.list("job", mark="live")}
        assert set(live) == set(jobs) - {"succeeded", "failed"}
        assert [document.id for document in store.list("job")] == list(jobs)
        assert live["running"] == json.loads(json.dumps(jobs["running"])), "nothing else is changed"


def test_2_nodes_become_documents_of_their_own(tmp_path: Path) -> None:
    nodes = [("n1", "running", "10.0.0.4", "job 1"), ("n2", "idle", "10.0.0.5", None)]
    of_version(1, tmp_path / "state", {("cluster", "/c"): {"nodes": nodes, "placing": ["n3"]}})
    with closing(opened(tmp_path / "state")) as store:
        (cluster,) = store.list("cluster", "parent")
        assert cluster.body == {"placing": ["n3"], "wanted": 0}
        found = store.list("node", "/c")
        assert [document.id for document in found] == ["/c/nodes/n1", "/c/nodes/n2"]
        names = ("id", "state", "address", "job")
        assert [document.body for document in found] == [
            dict(zip(names, node, strict=True)) for node in nodes
        ]


def test_3_what_only_older_versions_know_is_fields_with_names(tmp_path: Path) -> None:
    flat: dict[tuple[str, str], Any] = {
        ("job", "first"): {"apiVersion": "2017-09-01-preview", "priority": 7, "experimentName": "e"},
        ("cluster", "march"): {"apiVersion": "2018-03-01", "tags": {"a": "b"}},
        ("file server", "tagged"): {"tags": {}},
    }
    plain: dict[tuple[str, str], Any] = {
        ("job", "new"): {"definition": {"nodeCount": 1}},
        ("node", "n"): {"id": "n"},
    }
    documents = {
        key: {"definition": {"vmSize": "x", "flat": fields}, "guid": "g"} for key, fields in flat.items()
    }
    jobs: dict[str, Any] = {
        "execution": ["succeeded", None],
        "tasks": [],
        "provisioning": ["succeeded", None],
        "nodes": [],
    }
    whole = {key: jobs | body for key, body in (plain | documents).items()}
    of_version(2, tmp_path / "state", whole)
    with closing(opened(tmp_path / "state")) as store:
        found = {(kind, one.id): one.body for kind, _ in whole for one in store.list(kind, "parent")}
    older: dict[tuple[str, str], Any] = {
        ("job", "first"): {"layout": "first", "priority": 7, "experiment": "e"},
        ("cluster", "march"): {"layout": "flat", "tags": {"a": "b"}},
        ("file server", "tagged"): {"layout": "workspaces", "tags": {}},
    }
    for key, body in whole.items():
        definition = {"definition": {"vmSize": "x", "older": older[key]}} if key in older else {}
        assert found[key] == body | definition
        if key in older:
            assert older_fields(found[key]["definition"]).layout.value == older[key]["layout"]


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    documents = {("job", "queued"): job("queued"), ("job", "broken"): '{"tasks": '}
    of_version(1, tmp_path / "state", documents)
    with pytest.raises(HomeDamaged, match=str(tmp_path / "state")):
        opened(tmp_path / "state")
    with closing(sqlite3.connect(tmp_path / "state")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        columns = [row[1] for row in db.execute("PRAGMA table_info(documents)")]
        assert columns == ["number", "kind", "id", "parent", "body", "sealed"]
        db.execute("DELETE FROM documents WHERE id = 'broken'")
        db.commit()
    with closing(opened(tmp_path / "state")) as store, closing(sqlite3.connect(tmp_path / "state")) as db:
        assert [document.id for document in store.list("job", mark="live")] == ["queued"]
        assert db.execute("PRAGMA user_version").fetchone() == (FORMAT,)
