"""The credentials of one home: made with it, kept in a file that only its owner can read. Cheap to import."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from batchai_scenario.emulator.errors import HomeDamaged

REMEDY = "Delete it: new ones are made when the emulator starts next."

_SECRET_BYTES, _KEY_BYTES = 30, 64
_CLIENT_SECRET, _ACCOUNT_KEY = "clientSecret", "accountKey"


@dataclass(frozen=True, slots=True)
class OwnCredentials:
    """``secret``: the service principal's password; ``account_key``: the storage account's key (base64)."""

    secret: str = field(repr=False)
    account_key: str = field(repr=False)

    @classmethod
    def at(cls, path: Path) -> OwnCredentials:
        """Read the file, made on first use with mode 0600; two first users get the same credentials.

        Raises:
            HomeDamaged: it holds something else.
        """
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(path)
        try:
            own = _read(path.read_bytes())
        except OSError as error:
            raise HomeDamaged(str(path), f"it cannot be read ({error.strerror})", REMEDY) from None
        if own is None:
            raise HomeDamaged(str(path), "it holds no credentials", REMEDY)
        return own


def _read(data: bytes) -> OwnCredentials | None:
    try:
        found = json.loads(data)
        own = OwnCredentials(str(found[_CLIENT_SECRET]), str(found[_ACCOUNT_KEY]))
        whole = len(base64.b64decode(own.account_key, validate=True)) == _KEY_BYTES
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None
    return own if own.secret and whole else None


def _make(path: Path) -> None:
    made = {
        _CLIENT_SECRET: secrets.token_hex(_SECRET_BYTES),  # a command line takes "-..." for an option
        _ACCOUNT_KEY: base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode(),
    }
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(made, file, indent=2)
        with contextlib.suppress(FileExistsError):  # another first user was quicker
            path.hardlink_to(draft)
    finally:
        Path(draft).unlink()
