"""Documents, secrets, transactions."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import FORMAT, Store, StoreTooNew

ROOT = Path(__file__).parents[2]


def make(folder: Path) -> Store:
    return Store(folder / "deep" / "state.sqlite3", Seal.at(folder / "key"))


def test_what_was_put_is_there_for_the_next_one_s1(tmp_path: Path) -> None:
    first = make(tmp_path)
    first.put("job", "a", {"x": [1, "ü"]}, parent="p")
    second = make(tmp_path)
    found = second.get("job", "a")
    assert found is not None
    assert (found.body, found.parent) == ({"x": [1, "ü"]}, "p")
    first.close()
    second.close()


def test_a_killed_writer_leaves_whole_transactions_s1(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from batchai_scenario.emulator.state.store import Store\n"
        "from batchai_scenario.emulator.state.seal import Seal\n"
        "folder = Path(sys.argv[1]); store = Store(folder / 'deep/state.sqlite3', Seal.at(folder / 'key'))\n"
        "store.put('k', 'whole', {})\n"
        "with store.transaction():\n"
        "    store.put('k', 'half', {}); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT / "src", check=False)
    store = make(tmp_path)
    assert [item.id for item in store.list("k")] == ["whole"]
    store.close()


def test_an_exception_rolls_everything_back_also_from_within_s2(tmp_path: Path) -> None:
    store = make(tmp_path)

    def fail() -> None:
        with store.transaction():
            store.put("k", "outer", {})
            with store.transaction():
                store.put("k", "inner", {})
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised by the line above
        fail()
    assert store.list("k") == []
    store.put("k", "after", {})
    assert len(store.list("k")) == 1
    store.close()


def test_documents_are_listed_by_age_and_replacing_keeps_it_s3(tmp_path: Path) -> None:
    store = make(tmp_path)
    for name in ("b", "a", "c"):
        store.put("k", name, {"n": 1}, parent="even" if name == "a" else "odd")
    store.put("k", "b", {"n": 2}, parent="odd")
    assert [(item.id, item.body["n"]) for item in store.list("k")] == [("b", 2), ("a", 1), ("c", 1)]
    assert [item.id for item in store.list("k", "odd")] == ["b", "c"]
    assert store.delete("k", "b")
    assert not store.delete("k", "b")
    store.put("k", "b", {})
    assert [item.id for item in store.list("k")] == ["a", "c", "b"]
    store.close()


def test_a_document_can_move_to_another_parent(tmp_path: Path) -> None:
    store = make(tmp_path)
    store.put("k", "a", {"n": 1}, parent="p")
    store.put("k", "a", {"n": 2}, parent="q")
    assert store.list("k", "p") == []
    assert [document.body for document in store.list("k", "q")] == [{"n": 2}]
    store.close()


def test_secrets_are_sealed_and_kept_s4(tmp_path: Path) -> None:
    store = make(tmp_path)
    store.put("k", "a", {}, secrets={"/p": "hunter2"})
    store.put("k", "a", {"changed": True})
    assert store.secrets("k", "a") == {"/p": "hunter2"}
    store.put("k", "a", {}, secrets={})
    assert store.secrets("k", "a") == {}
    assert store.secrets("k", "none") == {}
    store.put("k", "a", {}, secrets={"/p": "hunter2"})
    files = b"".join(file.read_bytes() for file in (tmp_path / "deep").iterdir())
    assert b"hunter2" not in files
    store.close()


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    store = make(tmp_path)

    def work(thread: int) -> None:
        for number in range(25):
            with store.transaction():
                store.put("k", f"{thread}/{number}", {}, parent=str(thread))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.list("k")) == 100
    store.close()


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    make(tmp_path).close()
    file = tmp_path / "deep" / "state.sqlite3"
    with sqlite3.connect(file) as db:
        db.execute(f"PRAGMA user_version={FORMAT + 1}")
    db.close()
    before = {item: item.read_bytes() for item in file.parent.iterdir()}
    with pytest.raises(StoreTooNew, match=f"format is {FORMAT + 1}.*update the program.*SCENARIO_HOME"):
        make(tmp_path)
    assert {item: item.read_bytes() for item in file.parent.iterdir()} == before


def test_a_newer_version_that_only_the_write_ahead_log_knows_of_is_refused_too(tmp_path: Path) -> None:
    make(tmp_path).close()
    file = tmp_path / "deep" / "state.sqlite3"
    db = sqlite3.connect(file)
    db.execute(f"PRAGMA user_version={FORMAT + 1}")
    with pytest.raises(StoreTooNew):
        make(tmp_path)
    db.close()


def test_a_page_reads_no_more_rows_than_it_gives_s3(tmp_path: Path) -> None:
    store = make(tmp_path)
    for number in range(9):
        mark = "odd" if number % 2 else ""
        store.put("k", str(number), {"n": number}, parent="p", mark=mark)
    first = store.list("k", "p", limit=4)
    assert [item.body["n"] for item in first] == [0, 1, 2, 3]
    assert [item.body["n"] for item in store.list("k", "p", after=first[-1].number, limit=4)] == [4, 5, 6, 7]
    assert [item.body["n"] for item in store.list("k", mark="odd")] == [1, 3, 5, 7]
    store.put("k", "3", {"n": 3}, parent="p")
    store.put("k", "4", {"n": 4}, parent="p", mark="odd")
    assert [item.body["n"] for item in store.list("k", mark="odd")] == [1, 4, 5, 7]
    plan = store._db.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM documents WHERE kind = ? AND parent = ? AND number > ? "
        "ORDER BY number LIMIT ?",
        ("k", "p", 0, 4),
    ).fetchall()
    assert ["by_parent (kind=? AND parent=? AND number>?)" in row[3] for row in plan] == [True]
    store.close()


NEIGHBOURS = ("a", "a/b", "a/b/c", "a-b", "a-b/c", "a0", "ab", "a%/b", "é/ü")


def test_what_is_below_moves_with_a_document_and_nothing_beside_it(tmp_path: Path) -> None:
    store = make(tmp_path)
    for name in NEIGHBOURS:
        store.put("k", name, {"was": name}, parent="p")
        store.put("other", name, {}, parent="p")
    store.put("k", "é!x/b", {"was": "in the way"}, parent="p")
    store.move("k", "a", "é!x", parent="q")
    found = {item.id: (item.body["was"], item.parent) for item in store.list("k")}
    moved = {"é!x": ("a", "q"), "é!x/b": ("a/b", "q"), "é!x/b/c": ("a/b/c", "q")}
    assert found == {name: (name, "p") for name in NEIGHBOURS[3:]} | moved
    assert sorted(item.id for item in store.list("other")) == sorted(NEIGHBOURS)
    store.move("k", "é!x", "a", parent="p")
    assert sorted(item.id for item in store.list("k", "p")) == sorted(NEIGHBOURS)
    store.close()


def test_what_is_below_is_deleted_and_nothing_beside_it(tmp_path: Path) -> None:
    store = make(tmp_path)
    for name in NEIGHBOURS:
        store.put("k", name, {}, parent="p")
        store.put("other", name, {}, parent="p")
    store.delete_below("k", "a")
    assert sorted(item.id for item in store.list("k")) == sorted(set(NEIGHBOURS) - {"a/b", "a/b/c"})
    assert len(store.list("other")) == len(NEIGHBOURS)
    store.close()


def test_what_is_below_is_found_without_a_look_at_what_is_not(tmp_path: Path) -> None:
    store = make(tmp_path)
    steps = []
    for most in (10, 5_000):
        with store.transaction():
            for number in range(most):
                store.put("k", f"share/{number}", {}, parent="share")
        looked: list[int] = []
        store._db.set_progress_handler(partial(looked.append, 1), 10)
        store.move("k", "share/3", "share/x", parent="share")
        store.move("k", "share/x", "share/3", parent="share")
        store.delete_below("k", "share/4")
        store._db.set_progress_handler(None, 0)
        steps.append(len(looked))
    assert steps[1] < 2 * steps[0]
    store.close()
