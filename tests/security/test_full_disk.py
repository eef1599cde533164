"""A home whose disk is full, or read-only: each has its sentence, and nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.local.settings import own_credentials
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store, os_error
from batchai_scenario.scenarios.cli import main
from tests.security import corpus
from tests.security import vocabulary as words
from tests.security.test_other_users import token
from tests.security.wire import Client, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARM = {"api-version": "2018-05-01"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Use up what is left of a disk."""
    filler = disk / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            os.write(file.fileno(), b"x" * 4096)
    return filler


_PLACE = b'{"location": "eastus"}'
_ACCOUNT = b'{"location": "eastus", "sku": {"name": "Standard_LRS"}, "kind": "Storage"}'
_STORAGE = f"{words.GROUP}/providers/Microsoft.Storage/storageAccounts"


def new(kind: str, number: int) -> Request:
    """Ask for something new that needs room."""
    experiments = f"{words.WORKSPACE}/experiments"
    made = {"x-ms-type": "file", "x-ms-content-length": "9", "x-ms-meta-a": "b"}
    block = {"x-ms-blob-type": "BlockBlob"}
    meta = {"x-ms-meta-a": "b"}
    return {
        "experiment": Request("arm", "PUT", f"{experiments}/new{number}", ARM, {}, b"{}"),
        "job": Request("arm", "PUT", f"{experiments}/e/jobs/new{number}", ARM, {}, corpus.job("P1D")),
        "account": Request(
            "arm", "PUT", f"{_STORAGE}/another{number}", {"api-version": "2018-07-01"}, {}, _ACCOUNT
        ),
        "file": Request("files", "PUT", f"/shr/new{number}", {}, made),
        "share": Request("files", "PUT", f"/share{number}", {"restype": "share"}, meta),
        "blob": Request("blob", "PUT", f"/ctr/new{number}", {}, block, b"x" * 60000),
        "container": Request("blob", "PUT", f"/container{number}", {"restype": "container"}, meta),
    }[kind]


KINDS = ("experiment", "job", "account", "file", "share", "blob", "container")
DONE = (200, 201, 202)


@contextlib.contextmanager
def serving(home: Path) -> Iterator[Client]:
    """Serve a home with a group, a workspace, an experiment, a cluster, a share and a container."""
    with closing(EmulatorServer(EmulatorSettings(home, engine="process"))) as server:
        url = server.start().url
        own = own_credentials(home)
        with closing(Client(url, token(url, own.secret)[1], own.account_key)) as client:
            for path in (words.GROUP, words.WORKSPACE):
                client.send(Request("arm", "PUT", path, ARM, {}, _PLACE))
            client.send(Request("arm", "PUT", f"{words.WORKSPACE}/experiments/e", ARM, {}, b"{}"))
            body = corpus.cluster(mounted=False)
            client.send(Request("arm", "PUT", f"{words.WORKSPACE}/clusters/c", ARM, {}, body))
            client.send(Request("files", "PUT", "/shr", {"restype": "share"}))
            client.send(Request("blob", "PUT", "/ctr", {"restype": "container"}))
            yield client


def test_what_needs_room_is_refused_and_what_was_acknowledged_stays(disk: Path) -> None:
    home = disk / "home"
    with serving(home) as client:
        for kind in KINDS:
            assert client.send(new(kind, 0)).status in DONE, kind
        filler = fill(disk)
        answers: dict[str, list[Reply]] = {kind: [] for kind in KINDS}
        for number in range(1, 300):
            for kind in KINDS:
                answers[kind].append(client.send(new(kind, number)))
        for kind, replies in answers.items():
            assert {reply.status for reply in replies} <= {*DONE, 409}, kind
            assert replies[-1].status == 409, kind
            assert b"full" in replies[-1].body, (kind, replies[-1].body)
        kept = {
            (kind, n) for kind in KINDS for n, reply in enumerate(answers[kind], 1) if reply.status in DONE
        }
        filler.unlink()
        for kind in KINDS:
            assert client.send(new(kind, 1000)).status in DONE, kind
    with serving(home) as client:
        for kind, number in [*kept, *((kind, 0) for kind in KINDS), *((kind, 1000) for kind in KINDS)]:
            asked = new(kind, number)
            query = {name: value for name, value in asked.query.items() if name in ("api-version", "restype")}
            reply = client.send(Request(asked.service, "GET", asked.path, query))
            assert reply.status == 200, (kind, number, reply)


def test_a_transaction_that_finds_no_room_leaves_the_store_usable(disk: Path) -> None:
    store = Store(disk / "state.sqlite3", Seal.at(disk / "key"))
    with closing(store):
        store.put("k", "before", {})
        filler = fill(disk)
        failed = 0
        for number in range(40):
            failed += not put_many(store, number)
        assert failed
        filler.unlink()
        with store.transaction():
            store.put("k", "after", {})
        found = {document.id for document in store.list("k")}
        assert {"before", "after"} <= found
        whole = {name.partition(".")[0] for name in found - {"before", "after"}}
        assert all(f"{number}.{part}" in found for number in whole for part in range(20))


def put_many(store: Store, number: int) -> bool:
    """Put twenty documents or none; False if the disk is full."""
    try:
        with store.transaction():
            for part in range(20):
                store.put("k", f"{number}.{part}", {"x": "y" * 2000})
    except sqlite3.OperationalError as error:
        return "full" not in str(error)
    return True


def said(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["--home", str(home), *arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


COMMANDS = (
    ("emulator", "serve", "--engine", "process"),
    ("emulator", "gc"),
    ("emulator", "status"),
    ("emulator", "exec", "--", "true"),
    ("run", "hello", "--backend", "local", "--engine", "process"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize("kind", ["full", "read-only", "full and new"])
def test_commands_say_that_the_disk_refuses(
    kind: str, command: tuple[str, ...], disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = disk / "home"
    if kind != "full and new":
        with serving(home):
            pass
    if kind == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    else:
        fill(disk)
    code, text = said(capsys, home, *command)
    assert "bug of ours" not in text, text
    assert code in ((0, 3) if command[-1] in ("gc", "status") else (3,)), (code, text)
    if code == 3:
        assert str(home) in text or str(disk) in text, text
        words_of = ("full", "No space", "room", "Read-only", "readonly", "write", "written")
        assert any(word in text for word in words_of), text
    if kind != "read-only":
        (disk / "filler").unlink()
        with serving(home) as client:
            assert client.send(Request("files", "GET", "/shr", {"restype": "share"})).status == 200


def test_errors_of_the_disk_are_told_apart() -> None:
    for text, number in (
        ("database or disk is full", errno.ENOSPC),
        ("attempt to write a readonly database", errno.EROFS),
        ("database is locked", errno.EBUSY),
        ("disk I/O error", errno.EIO),
    ):
        assert os_error(sqlite3.OperationalError(text)).errno == number
