"""Accounts, their keys, and the mounts that are checked against them."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.storage.accounts import KEY_NAMES, AccountExists, Accounts
from batchai_scenario.emulator.storage.records import ShareRecord
from tests.storage.serving import ACCOUNT, KEY

if TYPE_CHECKING:
    from tests.storage.serving import Served

TARGET = PurePosixPath("/mnt/batch/tasks/shared/LS_root/mounts/afs")


def test_a_new_key_counts_at_once_and_the_old_one_no_more(served: Served) -> None:
    account = served.accounts.create("another", "s/g", {})
    client = served.client("another", account.keys[0])
    assert client.create_share("mine")
    renewed = served.accounts.regenerate_key("another", KEY_NAMES[0])
    assert served.client("another", renewed.keys[0]).exists("mine")
    assert served.client("another", renewed.keys[1]).exists("mine")
    with pytest.raises(Exception, match="AuthenticationFailed"):
        client.create_share("more")
    assert served.accounts.delete("another")
    with pytest.raises(Exception, match="no storage account 'another'"):
        served.client("another", renewed.keys[0]).create_share("more")


def test_keys_are_random_and_survive_sealed(served: Served) -> None:
    account = served.accounts.create("another", "s/g", {"location": "eastus"})
    assert [len(base64.b64decode(key)) for key in account.keys] == [64, 64]
    assert account.keys[0] != account.keys[1]
    again = Accounts(served.store, served.home, development=(ACCOUNT, KEY)).get("another")
    assert again == account
    for path in served.home.root.rglob("*"):
        if path.is_file():
            assert account.keys[0].encode() not in path.read_bytes()


@pytest.mark.parametrize(
    "name", ["", "ab", "n" * 25, "Upper", "under_score", "dot.", "../x", "ä" * 5, "new\nline"]
)
def test_a_name_that_is_none_is_refused(served: Served, name: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        served.accounts.create(name, "s/g", {})


def test_a_name_is_taken_once(served: Served) -> None:
    served.accounts.create("another", "s/g", {})
    for name in ("another", ACCOUNT):
        with pytest.raises(AccountExists):
            served.accounts.create(name, "s/h", {})


@pytest.mark.parametrize(
    "url",
    [
        f"https://{ACCOUNT}.file.core.windows.net/data",
        f"https://{ACCOUNT}.file.core.windows.net/data/",
        f"http://127.0.0.1:8080/{ACCOUNT}/data",
    ],
)
def test_a_share_is_mounted_by_url_and_key(served: Served, url: str) -> None:
    assert served.service.mount_source(ACCOUNT, url, KEY, TARGET) == served.folder("data").resolve()


@pytest.mark.parametrize(
    ("account", "share", "key", "reason"),
    [
        ("nobody", "data", KEY, "no storage account 'nobody'"),
        (ACCOUNT, "nothere", KEY, "does not exist"),
        (ACCOUNT, "..", KEY, "name"),
        (ACCOUNT, "data/sub", KEY, "name"),
        (ACCOUNT, "", KEY, "name"),
        (ACCOUNT, "data", base64.b64encode(b"x" * 64).decode(), "not one of account"),
        (ACCOUNT, "data", "not base64", "not one of account"),
        (ACCOUNT, "data", "", "not one of account"),
    ],
)
def test_a_mount_that_cannot_be_is_refused(
    served: Served, account: str, share: str, key: str, reason: str
) -> None:
    with pytest.raises(EngineError) as refused:
        served.service.mount_source(account, f"https://{account}.file.core.windows.net/{share}", key, TARGET)
    problem = refused.value.problem
    assert (problem.code, problem.message) == ("AZFMountError", "Unable to mount Azure File")
    ((name, text),) = problem.details
    assert name == "Info"
    where = f"//{account}.file.core.windows.net/{share} at {TARGET}: "
    assert text.startswith(f"Could not mount Azure File Share {where}")
    assert reason in text
    assert key not in text or not key


def test_a_folder_is_listed(served: Served) -> None:
    share = served.folder("data")
    (share / "out").mkdir()
    (share / "out" / "b.txt").write_text("four")
    (share / "out" / "A").mkdir()
    folder, file = served.service.list_folder(ACCOUNT, "data", "out/")
    assert (folder.name, folder.is_directory, folder.size) == ("A", True, 0)
    assert (file.name, file.is_directory, file.size) == ("b.txt", False, 4)
    assert abs(file.modified - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert [entry.name for entry in served.service.list_folder(ACCOUNT, "data", ".")] == ["out"]
    for share_name, path in (("data", "nothere"), ("nothere", ""), ("data", "../.."), ("data", "out/b.txt")):
        assert served.service.list_folder(ACCOUNT, share_name, path) == []


def test_deleting_all_of_an_account_leaves_nothing(served: Served) -> None:
    served.accounts.create("another", "s/g", {})
    served.shares.create("another", "mine", ShareRecord(metadata={"a": "b"}))
    (served.folder("mine", "another") / "f").write_text("x")
    served.accounts.delete("another")
    served.shares.delete_all("another")
    assert sorted(path.name for path in served.home.storage.iterdir()) == [".staging", ACCOUNT]
    assert list((served.home.storage / ".staging").iterdir()) == []
    served.accounts.create("another", "s/g", {})
    assert served.shares.list("another") == []
