# ruff: noqa: PTH103, PTH104, PTH116, PTH208 - paths are plain strings
"""Blocks: those that wait for their list stand on disk, the lists of those that are blobs in the store."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.blob.keys import CONTAINERS
from batchai_scenario.emulator.storage.errors import bad_query, failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.emulator.state.home import Home
    from batchai_scenario.emulator.state.store import Store
    from batchai_scenario.emulator.storage.blob.call import BlobCall

COMMITTED = "storage-blocks"
_MAX_ID = 64


class Blocks:
    """Blocks by blob.

    B1. A block that waits outlives the emulator, and goes when its blob is written, or with its container.
    B2. A list of committed blocks counts as long as the file is the one that was made of them.
    """

    def __init__(self, home: Home, store: Store) -> None:
        self._storage = os.fspath(home.storage)
        self._store = store

    def waiting_folder(self, call: BlobCall) -> str:
        """Give the folder of a blob's waiting blocks; it need not exist."""
        blob = hashlib.sha256(call.name.encode(errors="surrogatepass")).hexdigest()
        return f"{self._container(call.account.name, call.share)}/{blob}"

    def keep(self, call: BlobCall, identifier: str, draft: str) -> None:
        """Move a block that has arrived whole to those that wait.

        Raises:
            StorageError: InvalidBlobOrBlock if its identifier is not as long as those of the others.
        """
        folder = self.waiting_folder(call)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        name = decode_id(identifier).hex()
        with os.scandir(folder) as scan:
            other = next(scan, None)  # all are as long as one: there may be 50,000
        if other is not None and len(other.name) != len(name):
            raise failure("InvalidBlobOrBlock")
        os.rename(draft, f"{folder}/{name}")

    def waiting(self, call: BlobCall) -> dict[str, int]:
        """List the waiting blocks: identifier to size in bytes, by identifier."""
        folder = self.waiting_folder(call)
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return {}
        return {encode_id(bytes.fromhex(name)): os.stat(f"{folder}/{name}").st_size for name in names}

    def committed(self, call: BlobCall, status: os.stat_result) -> list[tuple[str, int]]:
        """List the blocks that a blob was made of, in order; none if somebody wrote it since (B2)."""
        document = self._store.get(COMMITTED, f"{call.key}/{call.name}")
        if document is None or document.body["seal"] != _seal(status):
            return []
        return [(str(identifier), int(size)) for identifier, size in document.body["blocks"]]

    def commit(self, call: BlobCall, status: os.stat_result, blocks: Sequence[tuple[str, int]]) -> None:
        """Keep what a blob was made of, and let the waiting blocks go."""
        body = {"seal": _seal(status), "blocks": [list(block) for block in blocks]}
        self._store.put(COMMITTED, f"{call.key}/{call.name}", body, parent=call.key)
        self.discard(call)

    def discard(self, call: BlobCall) -> None:
        """Let a blob's waiting blocks go."""
        shutil.rmtree(self.waiting_folder(call), ignore_errors=True)

    def forget(self, call: BlobCall) -> None:
        """Forget what a blob was made of, and its waiting blocks."""
        self._store.delete(COMMITTED, f"{call.key}/{call.name}")
        self.discard(call)

    def forget_container(self, key: str) -> None:
        """Forget the blocks of all blobs of a container (``container_key``); nothing for a share's key."""
        account, between, container = key.partition(CONTAINERS)
        if not between:
            return
        self._store.delete_below(COMMITTED, key)
        shutil.rmtree(self._container(account, container), ignore_errors=True)

    def _container(self, account: str, container: str) -> str:
        return f"{self._storage}/{account}/_blocks/{container}"


def asked_id(call: BlobCall) -> str:
    """Read which block a request is about.

    Raises:
        StorageError: MissingRequiredQueryParameter, InvalidQueryParameterValue.
    """
    identifier = call.query.get("blockid", "")
    if not identifier:
        raise failure("MissingRequiredQueryParameter", QueryParameterName="blockid")
    decode_id(identifier)
    return identifier


def decode_id(identifier: str) -> bytes:
    """Read a block's identifier: base64 of 1 to 64 bytes.

    Raises:
        StorageError: InvalidQueryParameterValue.
    """
    try:
        value = base64.b64decode(identifier, validate=True)
    except (binascii.Error, ValueError):
        raise bad_query("blockid", identifier, "Not a valid base64 string.") from None
    if not 1 <= len(value) <= _MAX_ID:
        raise bad_query("blockid", identifier, "Block ID length must be between 1 and 64 bytes.")
    return value


def encode_id(value: bytes) -> str:
    """Write a block's identifier."""
    return base64.b64encode(value).decode()


def _seal(status: os.stat_result) -> list[int]:
    return [status.st_ino, status.st_size, status.st_mtime_ns]
