"""The key file and what it seals."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import InvalidToken

from batchai_scenario.emulator.state.seal import Seal

if TYPE_CHECKING:
    from pathlib import Path


def test_the_key_is_its_owners_alone_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "key"
    first = Seal.at(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [item.name for item in file.parent.iterdir()] == ["key"]
    assert Seal.at(file).open(first.seal({"a": "ü"})) == {"a": "ü"}


def test_another_key_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(InvalidToken):
        Seal.at(tmp_path / "b").open(Seal.at(tmp_path / "a").seal({}))


def test_two_first_users_get_the_same_key(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)
    keys: list[bytes] = []

    def first() -> None:
        barrier.wait()
        keys.append(Seal.at(tmp_path / "key").key)

    threads = [threading.Thread(target=first) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 4
    assert len(set(keys)) == 1
