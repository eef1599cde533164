"""Damaged homes: each damage is told with its path and what to do, and there is always a way out."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends import local
from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.local.host import ServeOptions, start_emulator
from batchai_scenario.backends.local.settings import own_credentials
from batchai_scenario.emulator.gateway.authority import Authority
from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.state.clock import ManualClock, SystemClock
from batchai_scenario.emulator.state.copies import DAY, STOP, copies, keep, keep_copies
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from batchai_scenario.scenarios.cli import main
from tests.security.test_other_users import ask, token

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "?api-version=2018-05-01"
GROUP = f"/subscriptions/s/resourceGroups/g{VERSION}"
WORKSPACE = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.BatchAI/workspaces/w{VERSION}"
STORAGE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage"
ACCOUNT = f"{STORAGE}/storageAccounts/mine?api-version=2018-07-01"
LOOKED_AT_BY_DOCTOR = (0, 5, 9)
"""Places of a damage, in tenths of its file; doctor looks at much else, and takes its time."""

STATE = ("state.sqlite3", "seal.key", "credentials.json", "authority/ca.key", "authority/ca.pem")


def use(home: Path, act: Callable[[str, dict[str, str]], Any]) -> Any:
    """Serve a home for a moment; gives what ``act`` gives for the URL and a bearer token."""
    started = start_emulator(home, ServeOptions(engine="process"))
    with closing(started.server):
        _, bearer = token(started.url, own_credentials(home).secret)
        return act(started.url, {"Authorization": f"Bearer {bearer}"})


def workspaces(url: str, bearer: dict[str, str]) -> list[str]:
    path = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.BatchAI/workspaces{VERSION}"
    status, body = ask(url, "GET", path, "", bearer)
    return [one["name"] for one in body["value"]] if status == 200 else []


def make(url: str, bearer: dict[str, str]) -> None:
    for path in (GROUP, WORKSPACE):
        assert ask(url, "PUT", path, '{"location": "eastus"}', bearer)[0] in (200, 201)
    body = {"location": "eastus", "sku": {"name": "Standard_LRS"}, "kind": "Storage"}
    assert ask(url, "PUT", ACCOUNT, json.dumps(body), bearer)[0] in (200, 202)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a workspace, an account, a share with a file, a run, and a copy of its state."""
    home = tmp_path_factory.mktemp("good") / "home"
    use(home, make)
    share = home / "storage" / development.ACCOUNT / "share" / "folder"
    share.mkdir(parents=True)
    (share / "file.txt").write_text("content")
    assert main(["--home", str(home), "run", "hello", "--backend", "memory"]) == 2  # it leaves a record
    return home


@pytest.fixture
def home(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "home"))


def cut(file: Path, tenth: int) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * tenth // 10])


def overwrite(file: Path, tenth: int) -> None:
    data = bytearray(file.read_bytes())
    start = len(data) * tenth // 10
    data[start : start + max(1, len(data) // 10)] = b"\xa5" * max(1, len(data) // 10)
    file.write_bytes(data)


def said(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["--home", str(home), *arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


@pytest.mark.parametrize("damage", [cut, overwrite])
@pytest.mark.parametrize("name", STATE)
def test_every_damage_of_the_state_is_told_and_has_a_way_out(
    name: str,
    damage: Callable[[Path, int], None],
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = home / "emulator" / name
    if not file.exists():
        Authority(Home(home), SystemClock()).certificate()
    whole = file.read_bytes()
    told = 0
    for tenth in range(10):
        file.write_bytes(whole)
        damage(file, tenth)
        doctor = [["doctor"]] if tenth in LOOKED_AT_BY_DOCTOR else []
        for command in (["emulator", "status"], ["emulator", "gc"], *doctor, ["runs"]):
            code, text = said(capsys, home, *command)
            assert code in (0, 3), (tenth, command, text)
            assert "bug of ours" not in text
            if code == 3 and command[0] != "runs":
                assert str(file) in text, (tenth, command, text)
                assert "emulator repair" in text or "Delete it" in text
                told += 1
        assert Authority(Home(home), SystemClock()).context() is not None
        found = serve_or_say(home)
        assert found == "w" or str(file) in found, (tenth, found)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        code, _ = said(capsys, home, "emulator", "salvage", str(tmp_path / "out"))
        saved = tmp_path / "out" / "storage" / development.ACCOUNT / "share" / "folder" / "file.txt"
        assert (code, saved.read_text()) == (0, "content")
        assert list((tmp_path / "out" / "runs").iterdir())
        again = Path(shutil.copytree(home, tmp_path / f"again{tenth}"))
        code, text = said(capsys, again, "emulator", "repair")
        assert code == 0, text
        assert use(again, workspaces) == ["w"], (tenth, text)
        code, text = said(capsys, home, "emulator", "reset", "--force")
        assert code == 0, text
        assert use(home, workspaces) == []
        shutil.rmtree(home)
        shutil.copytree(again, home)
    assert told or name.startswith("authority")


def serve_or_say(home: Path) -> str:
    """Serve a home; gives the names of its workspaces, or why it cannot be served."""
    try:
        return ", ".join(use(home, workspaces))
    except MachineError as error:
        return str(error)


@pytest.mark.parametrize("gone", ["removed", "emptied"])
def test_a_database_that_was_there_is_missed(
    gone: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "emulator" / "state.sqlite3"
    if gone == "removed":
        file.unlink()
    else:
        file.write_bytes(b"")
    with pytest.raises(MachineError, match="emulator repair") as caught:
        use(home, workspaces)
    assert str(file) in str(caught.value)
    assert said(capsys, home, "emulator", "status")[0] == 3
    assert said(capsys, home, "emulator", "repair")[0] == 0
    assert use(home, workspaces) == ["w"]


def test_without_a_copy_shares_are_still_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(home / "emulator" / "copies")
    cut(home / "emulator" / "state.sqlite3", 5)
    code, text = said(capsys, home, "emulator", "repair")
    assert code == 0
    assert "shares stay" in text
    assert use(home, workspaces) == []
    assert (home / "storage" / development.ACCOUNT / "share" / "folder" / "file.txt").read_text() == "content"


def test_accounts_get_new_keys_when_the_seal_key_and_its_copies_are_lost(home: Path) -> None:
    shutil.rmtree(home / "emulator" / "copies")
    (home / "emulator" / "seal.key").write_text("?")
    assert any("new keys" in line for line in local.repair(home))

    def keys(url: str, bearer: dict[str, str]) -> Any:
        path, question, version = ACCOUNT.partition("?")
        return ask(url, "POST", f"{path}/listKeys{question}{version}", "", bearer)

    first, second = use(home, keys), use(home, keys)
    assert first[0] == 200
    assert first == second


def test_one_document_that_cannot_be_read_is_taken_out(home: Path) -> None:
    with closing(sqlite3.connect(home / "emulator" / "state.sqlite3", isolation_level=None)) as db:
        db.execute("INSERT INTO documents (kind, id, parent, body) VALUES ('thing', 'x', '', '{\"a\": ')")
    (found,) = local.damages(home)
    assert "thing x" in found.reason
    (line,) = local.repair(home)
    assert "thing x" in line
    assert local.damages(home) == []
    assert use(home, workspaces) == ["w"]


def test_a_run_whose_record_is_damaged_hides_no_other(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = (home / "runs").iterdir()
    for number in range(10):
        broken = Path(shutil.copytree(run, home / "runs" / f"broken{number}"))
        cut(broken / "run.json", number)
    code, text = said(capsys, home, "runs")
    assert code == 3
    assert run.name in text
    assert all(str(home / "runs" / f"broken{number}" / "run.json") in text for number in range(10))
    assert said(capsys, home, "runs", "last")[0] == 0
    code, text = said(capsys, home, "runs", "broken3")
    assert code == 3
    assert "broken3/run.json" in text


def test_a_copy_is_kept_at_each_stop_that_follows_changes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    use(home, make)
    (first,) = copies(Home(home))
    assert first.why == STOP
    assert {file.name for file in first.folder.iterdir()} == {"state.sqlite3", "seal.key", "credentials.json"}
    with closing(Store(first.folder / "state.sqlite3", Seal.at(first.folder / "seal.key"))) as store:
        assert store.list("workspace") or store.list("group") or store.changes == 0


def test_a_copy_is_kept_each_day_and_three_of_them_stay(tmp_path: Path) -> None:
    from contextlib import ExitStack

    home, clock = Home(tmp_path), ManualClock()
    home.make()
    own_credentials(tmp_path)
    with closing(Store(home.database, Seal.at(home.seal_key))) as store, ExitStack() as held:
        keep_copies(held, home, store, clock, pytest.fail)
        for day in range(5):
            store.put("k", str(day), {})
            clock.advance(days=1, seconds=1)
            made = clock.now().replace(microsecond=0)
            _until(lambda made=made: copies(home) and copies(home)[0].made == made)  # type: ignore[misc]
        _until(lambda: len(copies(home)) == 3)
        assert {copy.why for copy in copies(home)} == {DAY}


def _until(condition: Callable[[], object]) -> None:
    import time

    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_damaged_state_never_takes_the_place_of_a_good_copy(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    own_credentials(tmp_path)
    with closing(Store(home.database, Seal.at(home.seal_key))) as store:
        store.put("k", "a", {"x": "y" * 20000})
        good = keep(home, store, SystemClock().now(), STOP)

        class Broken(Store):
            def copy_to(self, path: Path) -> None:
                super().copy_to(path)
                overwrite(path, 5)

        store.__class__ = Broken
        with pytest.raises(sqlite3.DatabaseError):
            keep(home, store, SystemClock().now(), STOP)
    assert [copy.folder for copy in copies(home)] == [good.folder]
