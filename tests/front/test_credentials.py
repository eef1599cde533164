"""Credentials that an emulator is told to know: their forms, files of them, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.credentials import Credentials
from batchai_scenario.emulator.errors import CredentialsInvalid

if TYPE_CHECKING:
    from pathlib import Path

KEY = "aHVudGVyMg=="


def test_credentials_come_from_arguments_and_from_files(tmp_path: Path) -> None:
    accounts, clients = tmp_path / "accounts", tmp_path / "clients"
    accounts.write_text(f"# ours\n\nfirst:{KEY}\nsecond:{KEY}\n")
    clients.write_text("Some-App:with:colons\n")
    found = Credentials.read([f"@{accounts}", "second:b3RoZXI="], [f"@{clients}"])
    assert found.accounts == {"first": KEY, "second": "b3RoZXI="}
    assert found.clients == {"some-app": "with:colons"}
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (KEY, "write NAME:KEY or @FILE"),
        (f"Big:{KEY}", "3 to 24 lower-case letters and digits"),
        (f"blob:{KEY}", "'blob' is a path of the emulator's own"),
        ("mine:hunter2", "the key of 'mine' is not base64"),
        ("mine:", "the key of 'mine' is not base64"),
        ("@nowhere", "'nowhere' cannot be read (No such file or directory)"),
    ],
)
def test_an_account_that_is_none_is_refused_without_its_key(
    account: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CredentialsInvalid) as refused:
        Credentials.read([account], [])
    assert said in str(refused.value)
    assert KEY not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("client", ["hunter2", "id:", ":hunter2", "a b:hunter2"])
def test_a_client_that_is_none_is_refused_without_its_secret(client: str) -> None:
    with pytest.raises(CredentialsInvalid, match="write ID:SECRET or @FILE") as refused:
        Credentials.read([], [client])
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "accounts"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CredentialsInvalid, match=r"accounts' cannot be read \(it is no text\)"):
        Credentials.read([f"@{file}"], [])
